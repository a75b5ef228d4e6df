"""The module for a call: its constructor, the arguments that move there, and the parameters of its call."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qprep.analysis.effects.class_replacement import is_changed
from qprep.analysis.effects.write_records import attribute_write
from qprep.foundation.catalogue.call_signature import ArgumentKind, parse_constructor
from qprep.foundation.findings import Rejection, RejectionCode
from qprep.rewriting.module_call import construct, missing, taken_names
from qprep.rewriting.safety import train_mode
from qprep.rewriting.transforms.constructor_limits import takes_as_given

if TYPE_CHECKING:
    from qprep.analysis.facts import OpSite
    from qprep.foundation.catalogue.call_signature import Parameter, Spelling
    from qprep.rewriting.fix_scope import Scope


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a call with the canonical name of the parameter that takes it."""

    name: str
    value: ast.expr
    keyword: ast.keyword | None = None
    spread: bool = False  # one of several that a varargs parameter takes

    @property
    def literal(self) -> str | None:
        """The source of the value where it is known at construction."""
        return ast.unparse(self.value) if is_literal(self.value) else None


@dataclass(frozen=True, slots=True)
class ModuleTarget:
    """The module for a call: its constructor, which arguments go there, and what forward's parameters are called."""

    constructor: str
    moved: frozenset[str]
    dropped: frozenset[str]
    parameters: tuple[str, ...]


def is_literal(node: ast.expr) -> bool:
    """Constants, signed numbers, tuples and lists of them."""
    if isinstance(node, ast.Constant):
        return node.value is not ...
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        return isinstance(node.operand, ast.Constant)
    return isinstance(node, ast.Tuple | ast.List) and all(map(is_literal, node.elts))


def bind(node: ast.Call, spelling: Spelling) -> list[Argument] | Rejection:
    """The argument of each parameter; leaves out the receiver of a method.

    A Rejection if the call gives more than the function takes, or less than it requires.
    """
    positional: list[Parameter] = [p for p in spelling.parameters if p.kind is not ArgumentKind.KEYWORD_ONLY]
    if spelling.is_method:
        positional = positional[1:]
    bound: list[Argument] = []
    for position, value in enumerate(node.args):
        taker = positional[min(position, len(positional) - 1)] if positional else None
        if taker is None or (position >= len(positional) and taker.kind is not ArgumentKind.VARARGS):
            return Rejection(
                f"`{spelling.qualified}` takes fewer arguments than this call passes", RejectionCode.CALL_FORM
            )
        spread = taker.kind is ArgumentKind.VARARGS and len(node.args) > positional.index(taker) + 1
        bound.append(Argument(taker.name, value, None, spread))
    takes_any = any(p.kind is ArgumentKind.VARKEYWORDS for p in spelling.parameters)
    for keyword in node.keywords:
        if keyword.arg == "out":
            continue  # the module takes it as it is
        parameter = spelling.parameter(keyword.arg or "")
        if parameter is None and not takes_any:
            return Rejection(f"`{spelling.qualified}` has no parameter `{keyword.arg}`", RejectionCode.CALL_FORM)
        bound.append(Argument(parameter.name if parameter else keyword.arg or "", keyword.value, keyword))
    return _lacking(spelling, bound) or bound


def _lacking(spelling: Spelling, bound: list[Argument]) -> Rejection | None:
    """The reason why a call without a required argument is left: it raises an error, and the module may not."""
    given = {argument.name for argument in bound}
    for parameter in spelling.parameters[spelling.is_method :]:
        is_one = parameter.kind not in (ArgumentKind.VARARGS, ArgumentKind.VARKEYWORDS)
        if is_one and parameter.default is None and parameter.name not in given:
            reason = f"`{spelling.qualified}` requires `{parameter.name}`, which this call does not give"
            return Rejection(reason, RejectionCode.CALL_FORM)
    return None


def nn_target(scope: Scope, site: OpSite, arguments: list[Argument]) -> ModuleTarget | None:
    """The class of torch.nn, where all that it is constructed with is written out here."""
    op, spelling = site.op, site.spelling
    assert spelling is not None
    if op.nn is None:
        return None
    constructor = parse_constructor(op.nn)
    known = scope.context.analysis.catalogue.nn_module(constructor.name)
    if is_changed(scope.context.writes, constructor.name):
        return None
    inputs = [a for a in arguments if a.name not in constructor.parameters and a.name not in op.drop]
    settings = {a.name: a for a in arguments if a.name in constructor.parameters}
    if len(inputs) + spelling.is_method != 1 or any(a.literal is None or a.spread for a in settings.values()):
        return None
    if spelling.is_inplace and "inplace" not in constructor.parameters:
        return None
    if not _drops_are_implied(scope, spelling, arguments, op.drop):
        return None
    if known is not None and any(p not in settings for p in known.parameters[: known.required]):
        return None
    defaults = _differing_defaults(spelling, scope.context.analysis.catalogue.spellings(op)[0], settings)
    if defaults is None:
        return None
    shown = {name: argument.literal or "" for name, argument in settings.items()} | defaults
    if not takes_as_given(constructor.name, shown, {p.name: p.default for p in spelling.parameters}):
        return None
    if spelling.is_inplace:
        shown["inplace"] = "True"
    text = ", ".join(f"{name}={shown[name]}" for name in constructor.parameters if name in shown)
    return ModuleTarget(f"{scope.nn(constructor.name)}({text})", frozenset(settings), frozenset(op.drop), ("",))


def _differing_defaults(spelling: Spelling, first: Spelling, settings: dict[str, Argument]) -> dict[str, str] | None:
    """Settings whose default in this spelling is another than in the first one (whose defaults are the module's)."""
    own = {p.name: p.default for p in first.parameters}
    found: dict[str, str] = {}
    for parameter in spelling.parameters:
        if parameter.name in own and parameter.name not in settings and parameter.default != own[parameter.name]:
            if parameter.default is None:
                continue
            found[parameter.name] = parameter.default
    return found


def _drops_are_implied(scope: Scope, spelling: Spelling, arguments: list[Argument], drop: tuple[str, ...]) -> bool:
    """`training` must be given as `self.training`: the module follows that flag by itself."""
    given = {argument.name: argument.value for argument in arguments}
    for name in drop:
        if name != "training" or spelling.parameter(name) is None:
            continue
        value = given.get(name)
        if value is None or ast.unparse(value) != f"{scope.owner}.training" or not scope.unit.is_class:
            return False
        if attribute_write("training") in scope.context.writes or train_mode.parts_from_children(
            scope.context, scope.unit
        ):
            return False
    return True


def runtime_target(scope: Scope, site: OpSite, arguments: list[Argument]) -> ModuleTarget | Rejection:
    """The class of qprep.runtime_modules, with its literal settings in the constructor."""
    op, spelling = site.op, site.spelling
    assert spelling is not None
    if op.module is None:
        return missing(scope, op)
    constructor = parse_constructor(op.module)
    lost = [a.name for a in arguments if a.name in op.drop and a.name not in constructor.parameters]
    if lost:
        return Rejection(f"`{lost[0]}` is not a parameter of the dedicated module", RejectionCode.CALL_FORM)
    settings = {a.name: a for a in arguments if a.name in constructor.parameters}
    if any(a.literal is None or a.spread for a in settings.values()):
        return plain_target(scope, site)
    shown = {name: argument.literal or "" for name, argument in settings.items()}
    return _with_inplace(scope, site, shown, frozenset(settings))


def plain_target(scope: Scope, site: OpSite) -> ModuleTarget | Rejection:
    """The class of qprep.runtime_modules, all arguments left in the call."""
    if site.op.module is None:
        return missing(scope, site.op)
    return _with_inplace(scope, site, {}, frozenset())


def _with_inplace(scope: Scope, site: OpSite, shown: dict[str, str], moved: frozenset[str]) -> ModuleTarget | Rejection:
    assert site.op.module is not None
    assert site.spelling is not None
    constructor = parse_constructor(site.op.module)
    first = scope.context.analysis.catalogue.spellings(site.op)[0]
    if site.spelling.is_inplace:
        if "inplace" not in constructor.parameters:
            return Rejection(f"no dedicated module does `{site.spelling.qualified}` in place", RejectionCode.NO_MODULE)
        shown = {**shown, "inplace": "True"}
    settings = {name: Argument(name, ast.Constant(None)) for name in shown}
    given = {p.name for p in site.spelling.parameters}
    defaults = _differing_defaults(site.spelling, first, settings) or {}
    shown = {**{n: d for n, d in defaults.items() if n in constructor.parameters and n in given}, **shown}
    known = [p for p in first.parameters if p.name not in site.op.drop or p.name in constructor.parameters]
    names = tuple(p.name if p.kind is not ArgumentKind.VARARGS else f"*{p.name}" for p in known)
    return ModuleTarget(construct(scope, site.op, shown), moved, frozenset(), taken_names(site.op) or names)
