"""Data about each module of a model that the trace needs before it runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn
from torch.nn.utils.parametrize import ParametrizationList, is_parametrized

_COMPOUND = (
    nn.RNNBase,
    nn.RNNCellBase,
    nn.MultiheadAttention,
    nn.TransformerEncoderLayer,
    nn.TransformerDecoderLayer,
)


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """One module instance: its first path, its other paths, and how the trace treats it.

    leaf        it has no children, but those by which torch computes its weights
    compound    a torch.nn module that hides its stages
    repeatable  running it twice is no reuse: it computes nothing or a weight, or belongs to a runtime module that
                repeats it
    """

    path: str
    aliases: tuple[str, ...]
    module_class: str
    leaf: bool
    compound: bool
    repeatable: bool
    has_parameters: bool


def survey(model: nn.Module) -> dict[nn.Module, Known]:
    """Every module of `model`, in the order of named_modules()."""
    paths: dict[nn.Module, list[str]] = defaultdict(list)
    for path, module in model.named_modules(remove_duplicate=False):
        paths[module].append(path)
    repeating = (module for module in paths if is_runtime(module) or isinstance(module, ParametrizationList))
    stages = {stage for module in repeating for stage in module.modules() if stage is not module}
    return {module: _known(module, names, module in stages) for module, names in paths.items()}


def is_runtime(module: nn.Module) -> bool:
    """True if qprep itself provides the module's class."""
    return type(module).__module__.startswith("qprep.runtime_modules")


def is_compound(module: nn.Module) -> bool:
    """True if torch.nn hides the stages of `module`; qprep's own subclasses show them."""
    ours = any(base.__module__.startswith("qprep.") for base in type(module).__mro__)
    return isinstance(module, _COMPOUND) and not ours


def never_run(model: nn.Module, known: Mapping[nn.Module, Known], calls: Mapping[Known, int]) -> tuple[str, ...]:
    """Paths of the outermost modules with something to run in them, nothing of which ran."""
    found: list[str] = []
    for path, module in _outside_compounds(model):
        inside = list(module.modules())
        ran = any(calls[known[each]] for each in inside if each in known)  # others were made by the run
        if ran or any(path.startswith(f"{outer}.") for outer in found):
            continue
        if any(has_forward(each) for each in inside):
            found.append(path)
    return tuple(found)


def has_forward(module: nn.Module) -> bool:
    """True if calling `module` can do anything: a ModuleList, for one, has no forward."""
    return "forward" in vars(module) or type(module).forward is not nn.Module.forward


def _known(module: nn.Module, paths: list[str], stage: bool) -> Known:
    return Known(
        path=paths[0],
        aliases=tuple(paths[1:]),
        module_class=type(module).__name__,
        leaf=all(name == "parametrizations" and is_parametrized(module) for name, _ in module.named_children()),
        compound=is_compound(module),
        repeatable=stage or type(module).__name__ == "Identity",
        has_parameters=any(True for _ in module.parameters()),
    )


def _outside_compounds(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """The named modules of `model` without the insides of compound modules, whose kernels bypass them."""
    hidden = [f"{path}." if path else "" for path, module in model.named_modules() if is_compound(module)]
    return [(path, each) for path, each in model.named_modules() if not path.startswith(tuple(hidden))]
