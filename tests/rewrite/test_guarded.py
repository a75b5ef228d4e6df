"""Loops that ask each child for an attribute: what modules that qprep adds have counts as theirs."""

from __future__ import annotations

import ast
import inspect
import textwrap

import pytest
from torch import nn

import qprep.runtime_modules
from qprep.foundation.catalogue.lookup import load
from qprep.foundation.catalogue.module_attributes import LAYER_ATTRIBUTES, NN_MODULE_ATTRIBUTES, OTHER_ATTRIBUTES


def _made() -> list[nn.Module]:
    """Instances of all classes of qprep.runtime_modules and torch.nn that are made without arguments."""
    classes = [value for value in vars(qprep.runtime_modules).values() if inspect.isclass(value)]
    compound = {module.name for module in load().nn_modules if module.is_compound}  # stands where torch's stood
    own = [c for c in classes if issubclass(c, nn.Module) and c.__name__ not in compound and not _required(c)]
    known = (m for m in load().nn_modules if not (m.may_have_state or m.is_container or m.is_compound or m.required))
    return [cls() for cls in (*own, *(getattr(nn, module.name) for module in known))]


def _required(cls: type[nn.Module]) -> bool:
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
    return any(p.default is p.empty and p.kind in (p.VAR_POSITIONAL, p.POSITIONAL_OR_KEYWORD) for p in parameters)


@pytest.mark.parametrize("module", _made(), ids=lambda module: type(module).__name__)
def test_attributes_of_modules_that_are_added_are_known(module: nn.Module) -> None:
    own = {name for name in vars(module) if not name.startswith("_")}
    assert own <= NN_MODULE_ATTRIBUTES | load().settings | OTHER_ATTRIBUTES


def _set_on_self(cls: type) -> set[str]:
    """The attributes that the source of a class gives its instances."""
    found = set(vars(cls))
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(cls)))):
        match node:
            case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                found.add(name)
            case ast.Call(
                func=ast.Attribute(attr="register_parameter" | "register_buffer"), args=[ast.Constant(n), *_]
            ):
                found.add(str(n))
            case ast.AnnAssign(target=ast.Name(id=name)):
                found.add(name)
    return found


def test_attributes_of_the_layers_of_torch_are_known() -> None:
    classes = [c for c in vars(nn).values() if inspect.isclass(c) and issubclass(c, nn.Module)]
    bases = {base for cls in classes for base in cls.__mro__} - {nn.Module, object}
    own = {name for base in bases if base.__module__.startswith("torch.nn") for name in _set_on_self(base)}
    assert {name for name in own if not name.startswith("__")} <= LAYER_ATTRIBUTES | NN_MODULE_ATTRIBUTES
