"""Names of the classes: initializers look for layers by them (`classname.find("Conv")`, as DCGAN's does)."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import pytest
from torch import nn

from qprep import runtime_modules
from qprep.foundation.catalogue.torch_modules import MODULES, ModuleState, Role
from qprep.runtime_modules.aliases import EARLIER


def classes() -> Iterator[type[nn.Module]]:
    for name in runtime_modules.__all__:
        found = getattr(runtime_modules, name)
        if inspect.isclass(found) and issubclass(found, nn.Module) and found.__module__.startswith("qprep."):
            yield found


def stem(name: str) -> str:
    return re.sub(r"\d*d?$", "", name)


def layers_with_weights() -> set[str]:
    """Names of layers without their number of dimensions; one that torch itself uses for others is no sign."""
    rows = [row for row in MODULES if row.role in (Role.LAYER, Role.ACTIVATION, Role.COMPOUND)]
    weighted = {stem(row.name) for row in rows if row.state in (ModuleState.ALWAYS, ModuleState.FLAGGED)}
    others = {row.name for row in rows if row.state is ModuleState.NEVER}
    return {name for name in weighted if not any(name in other for other in others)}


def test_the_names_of_layers_are_found() -> None:
    assert {"Conv", "ConvTranspose", "Linear", "BatchNorm", "LayerNorm", "Embedding", "PReLU"} <= layers_with_weights()


@pytest.mark.parametrize("cls", list(classes()), ids=lambda cls: cls.__name__)
def test_no_name_promises_weights_that_are_not_there(cls: type[nn.Module]) -> None:
    if not hasattr(nn, cls.__name__):  # those with the name of a layer of torch have its weights
        assert [name for name in layers_with_weights() if name in cls.__name__] == []


@pytest.mark.parametrize(("earlier", "name"), EARLIER.items())
def test_earlier_names_mean_the_same(earlier: str, name: str) -> None:
    assert getattr(runtime_modules, earlier) is getattr(runtime_modules, name)
    assert earlier not in runtime_modules.__all__
