"""Infers the receiver of `receiver.act = …` from the code around: its class, or attributes that it must have."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qprep.analysis.effects.write_records import Receiver
from qprep.analysis.symbols.ast_utils import positional_parameters, walk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qprep.analysis.symbols.symbol_table import FileIndex

_Function = ast.FunctionDef | ast.AsyncFunctionDef

_UNIONS = frozenset(("Union", "Optional"))
_MAYBE = (ast.Lambda, ast.IfExp, ast.BoolOp, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_SIMPLE = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr, ast.Assert, ast.Delete)
_NAMED = (_Function, ast.ClassDef, ast.ExceptHandler, ast.MatchAs, ast.MatchStar)  # their names are bound
_BRANCHES = ("body", "orelse", "finalbody")


@dataclass(frozen=True, slots=True)
class _Step:
    """A block on the way from a function to a node: the statements, which of them leads on, and what they stand in."""

    block: Sequence[ast.stmt]
    position: int
    parent: ast.AST


def receiver_of(index: FileIndex, receiver: ast.expr) -> Receiver:
    """The receiver that the code around an expression shows."""
    scopes = _scopes(index, receiver)
    function = next((scope for scope in reversed(scopes) if isinstance(scope, _Function)), None)
    steps = list(_steps(function or index.tree, receiver))
    if function is None or isinstance(receiver, ast.Name):
        found = _of_value(index, scopes, function, receiver, steps)
        is_open = function is None or found.classes
        return found if is_open else Receiver(has=_read_before(receiver, steps))
    tested = _tested(index, scopes, receiver, steps)
    if tested:
        return Receiver(classes=tested)
    match receiver:
        case ast.Attribute(value=ast.Name(id="self")):
            return _of_slot(index, scopes, receiver, steps)
        case ast.Attribute() | ast.Subscript():
            return _of_path(index, scopes, function, receiver, steps)
        case _:
            return Receiver()


def _of_path(
    index: FileIndex,
    scopes: Sequence[ast.AST],
    function: _Function,
    receiver: ast.Attribute | ast.Subscript,
    steps: Sequence[_Step],
) -> Receiver:
    """The receiver that `self.features.last` is below, or `net.layers[0]` with a known `net`."""
    root: ast.expr = receiver
    while isinstance(root, ast.Attribute | ast.Subscript):
        if isinstance(root, ast.Attribute) and isinstance(root.value, ast.Name) and root.value.id == "self":
            return _of_slot(index, scopes, root, ())._replace(is_below=True)
        root = root.value
    if not isinstance(root, ast.Name):
        return Receiver()
    found = _of_value(index, scopes, function, root, steps)
    return found._replace(is_below=True) if found.classes else Receiver()


def _of_slot(index: FileIndex, scopes: Sequence[ast.AST], receiver: ast.Attribute, steps: Sequence[_Step]) -> Receiver:
    """The attribute of the class around that `self.head` is, and the attributes that were read from it."""
    around = next((scope for scope in reversed(scopes) if isinstance(scope, ast.ClassDef)), None)
    name = next((name for name, entry in index.classes.items() if entry.node is around), None)
    return Receiver(slot=(index.name, name, receiver.attr), has=_read_before(receiver, steps)) if name else Receiver()


def _scopes(index: FileIndex, node: ast.expr) -> list[_Function | ast.ClassDef]:
    """The functions and classes that a node stands in, the outermost first."""
    every: list[_Function | ast.ClassDef] = [*index.of(ast.FunctionDef), *index.of(ast.AsyncFunctionDef)]
    every += index.of(ast.ClassDef)
    around = [scope for scope in every if scope.lineno <= node.lineno <= (scope.end_lineno or scope.lineno)]
    return sorted(around, key=lambda scope: (scope.lineno, scope.col_offset))


def _steps(root: ast.AST, node: ast.expr) -> Iterator[_Step]:
    """The blocks from the body of `root` down to a node, the outermost first."""
    parent: ast.AST | None = root
    while parent is not None:
        current, parent = parent, None
        for block in _blocks(current):
            position = next((i for i, line in enumerate(block) if _spans(line, node)), None)
            if position is not None:
                yield _Step(block, position, current)
                parent = block[position]
                break


def _blocks(node: ast.AST) -> Iterator[list[ast.stmt]]:
    yield from (block for name in _BRANCHES if isinstance(block := getattr(node, name, None), list))
    for part in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
        yield part.body


def _spans(line: ast.stmt, node: ast.expr) -> bool:
    return (line.lineno, line.col_offset) <= (node.lineno, node.col_offset) and (
        (node.end_lineno, node.end_col_offset) <= (line.end_lineno, line.end_col_offset)
    )


# The class of the receiver


def _of_value(
    index: FileIndex,
    scopes: Sequence[ast.AST],
    function: _Function | None,
    receiver: ast.expr,
    steps: Sequence[_Step],
) -> Receiver:
    """The class of a name's value: it is tested for, was called just before, or is promised by an annotation."""
    tested = _tested(index, scopes, receiver, steps)
    if tested or not isinstance(receiver, ast.Name):
        return Receiver(classes=tested)
    for step in reversed(steps):
        for line in reversed(step.block[: step.position]):
            if _binds(line, receiver.id):
                return Receiver(classes=_made(index, scopes, line, receiver.id))
        if _is_bound_around(step.parent, receiver.id):
            return Receiver()
    return Receiver(classes=_promised(index, scopes, function, receiver.id))


def _is_bound_around(parent: ast.AST, name: str) -> bool:
    """True if the statement that a block belongs to may bind a name: its head, another block, a loop's last turn."""
    if isinstance(parent, _Function | ast.Module):
        return False
    parts = [parent.test] if isinstance(parent, ast.If) else ast.iter_child_nodes(parent)
    return any(_binds(part, name) for part in parts)


def _tested(index: FileIndex, scopes: Sequence[ast.AST], receiver: ast.expr, steps: Sequence[_Step]) -> tuple[str, ...]:
    """The classes of the nearest `if isinstance(receiver, C):` around, where nothing in it changes the receiver."""
    text = ast.dump(receiver).replace("Store()", "Load()")
    for step in reversed(steps):
        if isinstance(step.parent, ast.If) and step.block is step.parent.body:
            test = step.parent.test
            for part in test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else [test]:
                if _is_test(part) and ast.dump(part.args[0]) == text:  # type: ignore[attr-defined]
                    classes = _all_dotted(index, scopes, part.args[1])  # type: ignore[attr-defined]
                    return () if any(_rebinds(line, receiver) for line in (test, *step.block)) else classes
    return ()


def _rebinds(node: ast.AST, receiver: ast.expr) -> bool:
    """True if a statement may make an expression refer to another object: `m = …`, `block.mlp = …`."""
    root = receiver
    while isinstance(root, ast.Attribute | ast.Subscript):
        if isinstance(root, ast.Attribute) and any(_sets(part, root.attr) for part in walk(node)):
            return True
        root = root.value
    return not isinstance(root, ast.Name) or _binds(node, root.id)


def _sets(node: ast.AST, attribute: str) -> bool:
    """`block.mlp = …`, `setattr(…)`."""
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "setattr"
    return isinstance(node, ast.Attribute) and node.attr == attribute and not isinstance(node.ctx, ast.Load)


def _is_test(node: ast.expr) -> bool:
    is_named = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance"
    return is_named and len(node.args) == 2  # type: ignore[attr-defined]


def _is_plain(line: ast.stmt, name: str) -> bool:
    """`name = …`, and no other target."""
    targets = line.targets if isinstance(line, ast.Assign) else [line.target] if isinstance(line, ast.AnnAssign) else []
    return len(targets) == 1 and isinstance(targets[0], ast.Name) and targets[0].id == name


def _made(index: FileIndex, scopes: Sequence[ast.AST], line: ast.stmt, name: str) -> tuple[str, ...]:
    """The class that `name = pkg.Block(…)` calls."""
    value = line.value if _is_plain(line, name) and isinstance(line, ast.Assign | ast.AnnAssign) else None
    return _all_dotted(index, scopes, value.func) if isinstance(value, ast.Call) else ()


def _promised(index: FileIndex, scopes: Sequence[ast.AST], function: _Function | None, name: str) -> tuple[str, ...]:
    """The classes of a parameter's annotation."""
    args = [*positional_parameters(function), *function.args.kwonlyargs] if function is not None else []
    note = next((arg.annotation for arg in args if arg.arg == name), None)
    return _all_dotted(index, scopes, note) if note is not None else ()


def _all_dotted(index: FileIndex, scopes: Sequence[ast.AST], node: ast.expr) -> tuple[str, ...]:
    """Dotted names of all classes that an expression may mean; none if one of them is unknown."""
    names = [_dotted(index, scopes, part) for part in _parts(node)]
    return tuple(name for name in names if name is not None) if None not in names else ()


def _parts(node: ast.expr) -> Iterator[ast.expr]:
    """The members of tuples, unions and optionals, without None."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            node = ast.parse(node.value, mode="eval").body
        except SyntaxError:
            yield node
            return
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        yield from (*_parts(node.left), *_parts(node.right))
    elif isinstance(node, ast.Tuple):
        yield from (part for item in node.elts for part in _parts(item))
    elif isinstance(node, ast.Subscript) and getattr(node.value, "attr", getattr(node.value, "id", "")) in _UNIONS:
        yield from _parts(node.slice)
    elif not (isinstance(node, ast.Constant) and node.value is None):
        yield node


def _dotted(index: FileIndex, scopes: Sequence[ast.AST], node: ast.expr) -> str | None:
    """ "pkg.Block" for a name that looks like a class, by its capital letter; None for a name that has other values."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.insert(0, node.attr)
        node = node.value
    last = parts[-1] if parts else getattr(node, "id", "")
    if not isinstance(node, ast.Name) or not last.lstrip("_")[:1].isupper():
        return None
    if any(_is_own_name(scope, node.id) for scope in scopes) or _is_rebound(index, node.id):
        return None
    if node.id in index.imports:
        return ".".join([index.imports[node.id].target, *parts])
    known = node.id in index.classes or node.id in index.values
    return ".".join([index.name, node.id, *parts]) if known else None


def _is_own_name(scope: ast.AST, name: str) -> bool:
    """True if a function, or the body of a class, gives a name another value: for what stands in it."""
    if isinstance(scope, ast.ClassDef):
        plain = [line for line in scope.body if not isinstance(line, _Function | ast.ClassDef)]
        named = [line.name for line in scope.body if isinstance(line, _Function | ast.ClassDef)]
        return name in named or any(_binds(line, name) for line in plain)
    return isinstance(scope, _Function) and any(_binds(part, name) for part in (*scope.body, scope.args))


def _is_rebound(index: FileIndex, name: str) -> bool:
    """True if a name of the file has several definitions, or a function gives it another value."""
    kinds = [name in index.imports, name in index.classes, name in index.values, name in index.functions]
    is_global = any(name in node.names for node in index.of(ast.Global))
    return sum(kinds) > 1 or is_global or name in index.rebound or name in index.alternatives


def _binds(node: ast.AST, name: str) -> bool:
    """True if a statement may give a name another value."""
    for part in walk(node):
        if isinstance(part, ast.Name) and part.id == name and not isinstance(part.ctx, ast.Load):
            return True
        if isinstance(part, ast.alias) and (part.asname or part.name.partition(".")[0]) == name:
            return True
        if isinstance(part, _NAMED) and part.name == name:
            return True
        if isinstance(part, ast.MatchMapping) and part.rest == name:
            return True
        if isinstance(part, ast.arg) and part.arg == name:
            return True
    return False


# Attributes that it has


def _read_before(receiver: ast.expr, steps: Sequence[_Step]) -> tuple[str, ...]:
    """The attributes that the same function has read from an expression on the way to this place."""
    if not steps or any(_rebinds(line, receiver) for line in steps[0].block):
        return ()
    before = [*(line for step in steps for line in step.block[: step.position]), *_value_of(receiver, steps[-1])]
    return tuple(sorted(set(_reads(before, receiver))))


def _value_of(receiver: ast.expr, step: _Step) -> list[ast.stmt]:
    """The value of the assignment to an attribute of an expression: Python reads it first."""
    line = step.block[step.position]
    if not isinstance(line, ast.Assign) or any(part is receiver for part in ast.walk(line.value)):
        return []
    return [ast.copy_location(ast.Expr(line.value), line)]


def _reads(block: Sequence[ast.stmt], receiver: ast.expr) -> Iterator[str]:
    """The attributes that the statements of a block read from an expression on every branch."""
    text = ast.dump(receiver).replace("Store()", "Load()")
    for node in _certain(block):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load) and ast.dump(node.value) == text:
            if not node.attr.startswith("__"):  # a class has others than its instances
                yield node.attr
        elif isinstance(node, ast.Subscript) and ast.dump(node.value) == text:
            yield "__getitem__"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "len":
            yield from ("__len__",) if node.args and ast.dump(node.args[0]) == text else ()


def _certain(block: Sequence[ast.stmt]) -> Iterator[ast.AST]:
    """The nodes of a block that have run when it is over."""
    waiting: list[ast.AST] = []
    for line in block:
        if isinstance(line, _SIMPLE):
            waiting.append(line)
        elif isinstance(line, ast.If | ast.While):
            waiting.append(line.test)
        elif isinstance(line, ast.For | ast.AsyncFor):
            waiting.append(line.iter)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.BoolOp):
            waiting.append(node.values[0])
        elif isinstance(node, ast.Compare):  # `0 < n < m.gain` may know after the first
            waiting += (node.left, node.comparators[0])
        elif isinstance(node, ast.IfExp):
            waiting.append(node.test)
        elif not isinstance(node, _MAYBE):
            yield node
            waiting.extend(ast.iter_child_nodes(node))
