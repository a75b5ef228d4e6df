"""Effects on names: functions of packages, variables of modules, listings of names."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cached_property

from qprep.analysis.effects.abstract_objects import Named
from qprep.analysis.effects.attribute_names import is_any, may_be
from qprep.analysis.effects.class_facts import TORCH
from qprep.analysis.effects.effect_kinds import Effect, EffectKind
from qprep.analysis.effects.effect_source import EffectSource
from qprep.analysis.effects.lexical_scopes import BindingKind
from qprep.analysis.effects.library_names import ANY_MODULE, MODULE_NAMES

# Packages of torch that no forward calls: those who load models replace initializers to save time.
_RUNS_NO_OPERATION = ("torch.nn.init.", "torch.optim.", "torch.distributed.", "torch.backends.", "torch.utils.data.")


class NameEffects:
    """The effects that give names of modules other values, or list them."""

    def __init__(self, source: EffectSource) -> None:
        self._source = source

    def patched(self, names: Collection[str]) -> Iterator[Effect]:
        """Effects that replace functions or classes of other packages, such as `F.relu = …`, by their last names."""
        for effect, named in self._set_on_names:
            for target in named:
                if any(self._is_patch(target, effect, name) for name in names):
                    yield effect

    @cached_property
    def _set_on_names(self) -> list[tuple[Effect, list[Named]]]:
        found = (
            (effect, [target.base for target in self._source.targets_of(effect) if isinstance(target.base, Named)])
            for effect in self._source.index.of(EffectKind.SET)
        )
        return [(effect, named) for effect, named in found if named]

    def on_variable(self, module: str, name: str) -> Iterator[Effect]:
        """Effects that give a variable of a module of the project another value.

        Assumes that a computed key of a module's own `globals()` is the name of no import.
        """
        is_imported = self._is_import(module, name)
        for effect in self._source.index.named(EffectKind.SET, (name,)):
            if is_any(effect.attribute) and is_imported and effect.place.module == module:
                continue
            named = {target.base.name for target in self._source.targets_of(effect) if isinstance(target.base, Named)}
            if module in named or (ANY_MODULE in named and not is_any(effect.attribute)):
                yield effect

    def on_names_of(self, module: str, *, imports: bool) -> Iterator[Effect]:
        """Effects that list the names of a module; with `imports`, also those that list the subclasses of nn.Module."""
        listed = {module, *(MODULE_NAMES if imports else ())}
        for effect in self._source.index.of(EffectKind.NAMES):
            named = {target.base.name for target in effect.targets if isinstance(target.base, Named)}
            if not named.isdisjoint(listed):
                yield effect

    def _is_import(self, module: str, name: str) -> bool:
        """True if imports alone bind a variable of a module."""
        file = self._source.points_to.file(module)
        bindings = file.top.bindings.get(name, ()) if file is not None else ()
        return all(binding.kind is BindingKind.IMPORT for binding in bindings)

    def _is_patch(self, target: Named, effect: Effect, name: str) -> bool:
        """True if an assignment replaces a function of this name, or what the class of this name does."""
        if target.name == ANY_MODULE:
            return not is_any(effect.attribute) and may_be(effect.attribute, name)
        if not f"{target.name}.".startswith("torch.") or f"{target.name}.".startswith(_RUNS_NO_OPERATION):
            return False
        if may_be(effect.attribute, name):
            return True
        is_class = name[:1].isupper() and target.name.rpartition(".")[2] == name
        return is_class and self._source.facts.has_attribute(f"{TORCH}{name}", effect.attribute)
