"""Calls of torch functions and tensor methods become calls of modules; literal settings move to the constructor."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from qprep.analysis.effects.class_replacement import is_sought
from qprep.foundation.catalogue.call_signature import ArgumentKind, parse_constructor
from qprep.foundation.findings import Unfixable
from qprep.rewriting.callees import is_builtin, names_operation
from qprep.rewriting.composed_edits import Piece, opening
from qprep.rewriting.module_call import construct, declare, missing, refuse_arguments, taken_names
from qprep.rewriting.safety import train_mode
from qprep.rewriting.transforms.islands import without_module
from qprep.rewriting.transforms.operators import drop_parentheses, guard_space

if TYPE_CHECKING:
    from qprep.analysis.facts import OpSite
    from qprep.foundation.catalogue.call_signature import Parameter, Spelling
    from qprep.foundation.catalogue.op import Op
    from qprep.rewriting.fix_scope import Scope
    from qprep.rewriting.source_code import Code

Pieces = tuple[Piece, ...]


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


def invocation(scope: Scope, site: OpSite) -> Pieces | Unfixable:
    """Rewrite a function or method call."""
    node, spelling = scope.node, site.spelling
    assert isinstance(node, ast.Call)
    assert spelling is not None
    if site.form == "function" and not names_operation(scope, node.func, site.op):
        return _dispatched(scope, site, node)
    if site.form == "function" and spelling.is_method:  # torch.Tensor.mul(x, y)
        spelling = replace(spelling, is_method=False)
        site = replace(site, spelling=spelling)
    if site.op.module is None and site.op.nn is None:
        return without_module(scope, site)
    if _has_stars(node):
        return _pass_through(scope, site, node)
    arguments = _bind(node, spelling)
    if isinstance(arguments, Unfixable):
        return arguments
    target = _target(scope, site, node, arguments)
    if isinstance(target, Unfixable):
        return target
    edits = _edit_arguments(scope.code, node, spelling, arguments, target)
    if edits is None:
        target = _plain_target(scope, site)
        if isinstance(target, Unfixable):
            return target
        edits = _edit_arguments(scope.code, node, spelling, arguments, target)
    if edits is None:
        return Unfixable("its arguments cannot be passed on without moving a comment")
    op = site.op if target.parameters != ("",) else replace(site.op, dedicated=None)
    if (reason := _refusal(op, spelling, arguments, target)) is not None:
        return reason
    edits += _spread(scope.code, op, arguments)
    made = _written_into(scope, node, target.constructor)
    name = made if isinstance(made, Unfixable) else declare(scope, op, made, many=site.count > 1)
    if isinstance(name, Unfixable):
        return name
    receiver = f"{spelling.parameters[0].name}=" if _names_receiver(spelling, target) else ""
    return (*_edit_callee(scope.code, node, spelling, name, edits, receiver), *edits)


def _target(scope: Scope, site: OpSite, node: ast.Call, arguments: list[Argument]) -> ModuleTarget | Unfixable:
    """The module for a call; with `out=` in front of other arguments, all of them stay where they are."""
    if any(keyword.arg == "out" for keyword in node.keywords[:-1]):
        return _plain_target(scope, site)
    return _nn_target(scope, site, arguments) or _runtime_target(scope, site, arguments)


def _written_into(scope: Scope, node: ast.Call, constructor: str) -> str | Unfixable:
    """The constructor, in one that takes `out=` where the call has that."""
    out = next((keyword.value for keyword in node.keywords if keyword.arg == "out"), None)
    if out is None:
        return constructor
    if isinstance(out, ast.Tuple | ast.List):
        return Unfixable("`out=` writes into several tensors")
    return f"{scope.runtime('Into')}({constructor})"


def _refusal(op: Op, spelling: Spelling, arguments: list[Argument], target: ModuleTarget) -> Unfixable | None:
    """Why the call of a module of another library cannot take what is left of the arguments."""
    takes = taken_names(op)
    if takes is None or op.dedicated is None or op.dedicated.takes is None:
        return None
    left = [a for a in arguments if a.name not in target.moved]
    placed = [spelling.parameters[0].name] if spelling.is_method else []
    placed += [a.name for a in left if a.keyword is None]
    reason = refuse_arguments(op, [*placed, *(a.name for a in left)])
    if reason is not None:
        return reason
    if any(a.keyword is not None and f"{a.name}=" not in op.dedicated.takes for a in left):
        return Unfixable("the module takes its inputs by position, but the call names them")
    if tuple(placed) != takes[: len(placed)]:
        return Unfixable("the module takes its inputs in another order")
    return None


def _spread(code: Code, op: Op, arguments: list[Argument]) -> list[Piece]:
    """The tensors of a sequence, one by one: `[x, y]` → `x, y`, `xs` → `*xs`."""
    if op.dedicated is None or not op.dedicated.spread or not op.dedicated.takes:
        return []
    first = next((a.value for a in arguments if a.name == op.dedicated.takes[0]), None)
    if first is None:
        return []
    start, end = code.span(first)
    if isinstance(first, ast.List | ast.Tuple) and first.elts and code.text[start] in "[(":
        return [Piece(start, start + 1, ""), Piece(end - 1, end, "")]
    return [Piece(start, start, "*")]


def _dispatched(scope: Scope, site: OpSite, node: ast.Call) -> Pieces | Unfixable:
    """`act(x)` where `act` is a parameter, a choice or a partial → `self.act(act, x)`: a Dispatch runs what it gets."""
    if is_builtin(scope, node.func) or site.op.dedicated is not None:
        return Unfixable(
            "the function is passed to another that calls it, with arguments that are unknown before the code runs"
        )
    if site.place in scope.context.facts.helpers:
        return Unfixable("the function may also be one of the project")
    code, (start, end) = scope.code, scope.code.span(node)
    behind, paren = code.span(node.func)[1], _paren(code, node)
    if "#" in code.text[behind:paren]:
        return Unfixable("a comment precedes its arguments")
    comma = "" if code.text[code.skip_blank(paren + 1)] == ")" else ", "
    base = node.func.id if isinstance(node.func, ast.Name) else "dispatch"
    name = scope.declare(base, f"{scope.runtime('Dispatch')}()", many=site.count > 1)
    closing = code.text[behind:paren].rstrip() + comma
    return (opening(start, f"{guard_space(code, start)}{name}(", end - start), Piece(behind, paren + 1, closing))


def _has_stars(node: ast.Call) -> bool:
    return any(isinstance(arg, ast.Starred) for arg in node.args) or any(k.arg is None for k in node.keywords)


def _pass_through(scope: Scope, site: OpSite, node: ast.Call) -> Pieces | Unfixable:
    """A call with `*args`: only the callee changes, where the module takes the same parameters in the same order."""
    spelling, first = site.spelling, scope.context.analysis.catalogue.spellings(site.op)[0]
    assert spelling is not None
    if any(keyword.arg == "out" for keyword in node.keywords):
        return Unfixable("`out=` writes into another tensor, and the other arguments are known at run time only")
    same = [p.name for p in spelling.parameters] == [p.name for p in first.parameters]
    elsewhere = site.op.dedicated is not None and site.op.dedicated.takes is not None
    if not same or spelling.is_inplace or elsewhere:
        return Unfixable("its arguments are known at run time only")
    target = _plain_target(scope, site)
    if isinstance(target, Unfixable):
        return target
    edits = _passed_keywords(scope.code, node, spelling, target)
    if isinstance(edits, Unfixable):
        return edits
    name = declare(scope, site.op, target.constructor, many=site.count > 1)
    if isinstance(name, Unfixable):
        return name
    return (*_edit_callee(scope.code, node, spelling, name, edits), *edits)


def _passed_keywords(code: Code, node: ast.Call, spelling: Spelling, target: ModuleTarget) -> list[Piece] | Unfixable:
    """Keywords under the names that the module knows; `**settings` are taken where those are the only ones."""
    taken = {name.removeprefix("*") for name in target.parameters}
    named = {parameter.name for k in node.keywords if k.arg and (parameter := spelling.parameter(k.arg)) is not None}
    listed = 0 if any(isinstance(arg, ast.Starred) for arg in node.args) else len(node.args)
    left = [p for p in spelling.parameters[listed:] if p.name not in named]
    plain = all(p.keywords == (p.name,) and p.name in taken for p in left)
    pieces: list[Piece] = []
    for keyword in node.keywords:
        if keyword.arg is None:
            if not plain or not spelling.qualified.startswith("torch.nn.functional."):  # others take `out=`, too
                return Unfixable("its arguments are known at run time only")
            continue
        parameter = spelling.parameter(keyword.arg)
        if parameter is None or parameter.name not in taken:
            return Unfixable(f"`{keyword.arg}` is not a parameter of the dedicated module")
        if parameter.name != keyword.arg:
            pieces.append(_keyword_piece(code, keyword, parameter.name))
    return pieces


def _bind(node: ast.Call, spelling: Spelling) -> list[Argument] | Unfixable:
    """The argument of each parameter; leaves out the receiver of a method."""
    positional: list[Parameter] = [p for p in spelling.parameters if p.kind is not ArgumentKind.KEYWORD_ONLY]
    if spelling.is_method:
        positional = positional[1:]
    bound: list[Argument] = []
    for position, value in enumerate(node.args):
        taker = positional[min(position, len(positional) - 1)] if positional else None
        if taker is None or (position >= len(positional) and taker.kind is not ArgumentKind.VARARGS):
            return Unfixable(f"`{spelling.qualified}` takes fewer arguments than this call passes")
        spread = taker.kind is ArgumentKind.VARARGS and len(node.args) > positional.index(taker) + 1
        bound.append(Argument(taker.name, value, None, spread))
    takes_any = any(p.kind is ArgumentKind.VARKEYWORDS for p in spelling.parameters)
    for keyword in node.keywords:
        if keyword.arg == "out":
            continue  # the module takes it as it is
        parameter = spelling.parameter(keyword.arg or "")
        if parameter is None and not takes_any:
            return Unfixable(f"`{spelling.qualified}` has no parameter `{keyword.arg}`")
        bound.append(Argument(parameter.name if parameter else keyword.arg or "", keyword.value, keyword))
    return bound


def _nn_target(scope: Scope, site: OpSite, arguments: list[Argument]) -> ModuleTarget | None:
    """The class of torch.nn, where all that it is constructed with is written out here."""
    op, spelling = site.op, site.spelling
    assert spelling is not None
    if op.nn is None:
        return None
    constructor = parse_constructor(op.nn)
    known = scope.context.analysis.catalogue.nn_module(constructor.name)
    if is_sought(scope.context.touched, constructor.name):
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
        if "training" in scope.context.touched or train_mode.parts_from_children(scope.context, scope.unit):
            return False
    return True


def _runtime_target(scope: Scope, site: OpSite, arguments: list[Argument]) -> ModuleTarget | Unfixable:
    """The class of qprep.runtime_modules, with its literal settings in the constructor."""
    op, spelling = site.op, site.spelling
    assert spelling is not None
    if op.module is None:
        return missing(scope, op)
    constructor = parse_constructor(op.module)
    lost = [a.name for a in arguments if a.name in op.drop and a.name not in constructor.parameters]
    if lost:
        return Unfixable(f"`{lost[0]}` is not a parameter of the dedicated module")
    settings = {a.name: a for a in arguments if a.name in constructor.parameters}
    if any(a.literal is None or a.spread for a in settings.values()):
        return _plain_target(scope, site)
    shown = {name: argument.literal or "" for name, argument in settings.items()}
    return _with_inplace(scope, site, shown, frozenset(settings))


def _plain_target(scope: Scope, site: OpSite) -> ModuleTarget | Unfixable:
    """The class of qprep.runtime_modules, all arguments left in the call."""
    if site.op.module is None:
        return missing(scope, site.op)
    return _with_inplace(scope, site, {}, frozenset())


def _with_inplace(scope: Scope, site: OpSite, shown: dict[str, str], moved: frozenset[str]) -> ModuleTarget | Unfixable:
    assert site.op.module is not None
    assert site.spelling is not None
    constructor = parse_constructor(site.op.module)
    first = scope.context.analysis.catalogue.spellings(site.op)[0]
    if site.spelling.is_inplace:
        if "inplace" not in constructor.parameters:
            return Unfixable(f"no dedicated module does `{site.spelling.qualified}` in place")
        shown = {**shown, "inplace": "True"}
    settings = {name: Argument(name, ast.Constant(None)) for name in shown}
    given = {p.name for p in site.spelling.parameters}
    defaults = _differing_defaults(site.spelling, first, settings) or {}
    shown = {**{n: d for n, d in defaults.items() if n in constructor.parameters and n in given}, **shown}
    known = [p for p in first.parameters if p.name not in site.op.drop or p.name in constructor.parameters]
    names = tuple(p.name if p.kind is not ArgumentKind.VARARGS else f"*{p.name}" for p in known)
    return ModuleTarget(construct(scope, site.op, shown), moved, frozenset(), taken_names(site.op) or names)


def _edit_arguments(
    code: Code, node: ast.Call, spelling: Spelling, arguments: list[Argument], target: ModuleTarget
) -> list[Piece] | None:
    """Take moved arguments out of the call and name those whose place changes; None if a comment is in the way."""
    gone = target.moved | target.dropped
    kept = [argument for argument in arguments if argument.name not in gone]
    if arguments[: len(kept)] != kept:
        return None if target.moved else _rename(arguments, target, spelling, code, node)
    pieces = _rename(kept, target, spelling, code, node)
    if pieces is None or len(kept) == len(arguments):
        return pieces
    last = arguments[-1]
    end = _argument_span(code, last)[1]
    limit = code.span(node)[1] - 1
    end = max(end, _closers_end(code, end, limit))
    if kept:
        start = _argument_span(code, kept[-1])[1]
        start = max(start, _closers_end(code, start, _argument_span(code, arguments[len(kept)])[0]))
    else:
        start = _paren(code, node) + 1
        tail = code.skip_blank(end)
        end = tail + 1 if code.text[tail] == "," else end
        end = limit if not code.text[end:limit].strip() else end
    return None if "#" in code.text[start:end] else [*pieces, Piece(start, end, "")]


def _closers_end(code: Code, start: int, limit: int) -> int:
    """Behind the closing parentheses that follow `start`, before `limit`."""
    found, offset = start, code.skip_blank(start)
    while offset < limit and code.text[offset] == ")":
        found = offset + 1
        offset = code.skip_blank(found)
    return found


def _rename(
    kept: list[Argument], target: ModuleTarget, spelling: Spelling, code: Code, node: ast.Call
) -> list[Piece] | None:
    """Keywords get the canonical name; positional arguments out of place become keywords."""
    if target.parameters == ("",):  # a module of torch.nn takes its one input by position
        return [_keyword_piece(code, a.keyword, None) for a in kept if a.keyword is not None]
    pieces: list[Piece] = []
    by_name = _names_receiver(spelling, target)
    for position, argument in enumerate(kept, start=int(spelling.is_method)):
        slot = target.parameters[min(position, len(target.parameters) - 1)]
        if argument.keyword is not None:
            if argument.keyword.arg != argument.name:
                pieces.append(_keyword_piece(code, argument.keyword, argument.name))
        elif slot.startswith("*") or argument.spread:
            if slot != f"*{argument.name}" or by_name:
                return None
        elif by_name or slot != argument.name or position >= len(target.parameters):
            start = _outer_start(code, node, argument.value)
            around = code.span(argument.value)[1] - start + 1  # what the value itself becomes comes behind the name
            pieces.append(opening(start, f"{argument.name}=", around))
    return pieces


def _keyword_piece(code: Code, keyword: ast.keyword, name: str | None) -> Piece:
    """Rename a keyword, or take it off together with its `=`."""
    start = code.span(keyword)[0]
    end = start + len(keyword.arg or "")
    if name is not None:
        return Piece(start, end, name)
    after = code.skip_blank(end) + 1
    while code.text[after] in " \t":
        after += 1
    return Piece(start, after, "")


def _outer_start(code: Code, node: ast.Call, value: ast.expr) -> int:
    """In front of the parentheses around a positional argument."""
    start = code.span(value)[0]
    offset, paren = start - 1, _paren(code, node)
    while offset > paren and code.text[offset] in " \t\r\n\\(":
        start = offset if code.text[offset] == "(" else start
        offset -= 1
    return start


def _argument_span(code: Code, argument: Argument) -> tuple[int, int]:
    return code.span(argument.keyword if argument.keyword is not None else argument.value)


def _paren(code: Code, node: ast.Call) -> int:
    """The offset of a call's opening parenthesis."""
    return code.skip_blank(code.span(node.func)[1], ")")


def _names_receiver(spelling: Spelling, target: ModuleTarget) -> bool:
    """True if the receiver is not the module's first parameter: `x.where(mask, y)`; then all go by name."""
    return spelling.is_method and target.parameters != ("",) and target.parameters[0] != spelling.parameters[0].name


def _edit_callee(
    code: Code, node: ast.Call, spelling: Spelling, name: str, edits: list[Piece], receiver: str = ""
) -> Pieces:
    start, end = code.span(node)
    if not spelling.is_method:
        callee_start, _callee_end = code.span(node.func)
        return (Piece(start, _paren(code, node), guard_space(code, callee_start) + name),)
    assert isinstance(node.func, ast.Attribute)
    receiver_start, receiver_end = code.span(node.func.value)
    paren = _paren(code, node)
    empty = _remaining_is_empty(code, paren + 1, end - 1, edits)
    pieces = [opening(start, f"{guard_space(code, start)}{name}({receiver}", end - start)]
    pieces += drop_parentheses(code, start, receiver_start)
    pieces += _join_receiver(code, receiver_end, paren, "" if empty else ", ")
    return tuple(pieces)


def _remaining_is_empty(code: Code, start: int, end: int, edits: list[Piece]) -> bool:
    """True if nothing but blanks is left between the parentheses."""
    text, done = "", start
    for piece in sorted(edits, key=lambda p: p.order):
        text += code.text[done : piece.start] + piece.text
        done = piece.end
    return not (text + code.text[done:end]).strip()


def _join_receiver(code: Code, receiver_end: int, paren: int, comma: str) -> list[Piece]:
    """`.name(` behind the receiver becomes a comma, or nothing; comments and line breaks between them stay."""
    gap = code.text[receiver_end:paren]
    if "#" not in gap:
        return [Piece(receiver_end, paren + 1, comma)]
    pieces = [Piece(receiver_end, receiver_end, comma.rstrip(), 0, 1 << 60)]
    offset = receiver_end
    while offset <= paren:
        offset = code.skip_blank(offset)
        if offset > paren:
            break
        stop = offset
        while stop <= paren and code.text[stop] not in " \t\f\r\n\\#":
            stop += 1
        pieces.append(Piece(offset, stop, ""))
        offset = stop
    return pieces
