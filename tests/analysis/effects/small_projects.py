"""Small projects with their effect tables. `probe(x)` in `model.py` marks an expression to look at."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path

from qprep.analysis.dependencies.topological_order import users_first
from qprep.analysis.effects.abstract_objects import (
    Base,
    Below,
    ClassObject,
    FunctionObject,
    Held,
    Instance,
    Made,
    Named,
    References,
)
from qprep.analysis.effects.effect_kinds import Effect, EffectKind
from qprep.analysis.effects.effect_table import EffectTable
from qprep.analysis.inputs import Files
from qprep.analysis.interpreter.interpreter import ProjectAnalysis
from qprep.analysis.symbols.module_resolver import Project
from qprep.analysis.values.abstract_values import ClassRef

NET = """\
from functools import partial
from operator import attrgetter

import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.act = nn.ReLU()
        self.drop = nn.Dropout()

    def forward(self, x):
        return self.drop(self.act(x))


"""


def table_of(folder: Path, code: str, others: Mapping[str, str] | None = None) -> EffectTable:
    """The effects of `model.py`, which holds the class `Net` and further code, and of other files by name."""
    files = {"model.py": NET + code, **(others or {})}
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    project = Project(Files({}).text, sorted(folder / name for name in files))
    analysis = ProjectAnalysis(project)
    analysis.run(users_first(project))
    return EffectTable(analysis)


def probed(table: EffectTable) -> References:
    """The objects that the argument of the only `probe(…)` may refer to."""
    index = table.project.index("model")
    assert index is not None
    (node,) = [c.args[0] for c in index.of(ast.Call) if isinstance(c.func, ast.Name) and c.func.id == "probe"]
    return table.points_to.where("model", node)


def names_of(references: References) -> set[str]:
    """A short name for each object."""
    return {_name(each.base) for each in references}


def found(table: EffectTable, kind: EffectKind) -> list[Effect]:
    """The effects of one kind that have a target."""
    return [effect for effect in table.effects if effect.kind is kind and effect.targets]


def targets(table: EffectTable, kind: EffectKind) -> set[str]:
    """The objects that effects of one kind are done to."""
    return {name for effect in table.effects if effect.kind is kind for name in names_of(effect.targets)}


def _name(base: Base) -> str:
    match base:
        case Instance(cls=cls):
            return cls.name
        case Made(name=name):
            return name.rpartition(".")[2]
        case Held(owner=owner, attribute=attribute):
            return f"{owner.name if isinstance(owner, ClassRef) else owner}.{attribute}"
        case Below(owner=owner):
            return f"below {_name(owner)}"
        case ClassObject(cls=cls):
            return f"class {cls.name if isinstance(cls, ClassRef) else cls}"
        case FunctionObject(scope=scope):
            return f"function {scope.name}"
        case Named(name=name):
            return name
        case _:
            return type(base).__name__
