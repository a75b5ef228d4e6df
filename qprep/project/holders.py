"""What the code around `holder.act = …` says of the object that is changed: its class, or what it must have.

It stands behind the attribute's name in one of three forms. "act@=pkg.Block|pkg.Mlp": the holder is an instance of one
of these. "act@.pkg.net:Net.head": it is what `self.head` of that class holds. "act@?__len__,stem": the same code asks
it for these on every path. The last two may stand together; "act" alone is any object.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from qprep.project.nodes import walk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import TypeGuard

    from qprep.project.index import FileIndex

_Scope = TypeVar("_Scope", ast.FunctionDef, ast.ClassDef)

_UNIONS = frozenset(("Union", "Optional"))
_MAYBE = (ast.Lambda, ast.IfExp, ast.BoolOp, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_SIMPLE = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr, ast.Return, ast.Assert, ast.Delete)
_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_BRANCHES = ("body", "orelse", "finalbody")


@dataclass(frozen=True, slots=True)
class Holder:
    """What is known of the object that an attribute is set on; nothing where all fields are empty.

    classes  dotted names of classes of which it is an instance
    slot     the attribute of a class that holds it: (module, class, attribute)
    has      names that it is asked for wherever this code runs
    """

    classes: tuple[str, ...] = ()
    slot: tuple[str, str, str] | None = None
    has: frozenset[str] = frozenset()

    def __str__(self) -> str:
        if self.classes:
            return "@=" + "|".join(self.classes)
        slot = ".{}:{}.{}".format(*self.slot) if self.slot is not None else ""
        has = "?" + ",".join(sorted(self.has)) if self.has else ""
        return f"@{slot}{has}" if slot or has else ""


def read_holder(text: str) -> Holder:
    """The other way: `text` is what stands behind the "@"."""
    if text.startswith("="):
        return Holder(classes=tuple(text[1:].split("|")))
    slot, _, has = text.partition("?")
    names = frozenset(filter(None, has.split(",")))
    if not slot:
        return Holder(has=names)
    module, _, path = slot[1:].partition(":")
    cls, _, attribute = path.rpartition(".")
    return Holder(slot=(module, cls, attribute), has=names)


@dataclass(frozen=True, slots=True)
class _Step:
    """A block on the way from a function to a node: the statements, which of them leads on, and what they stand in."""

    block: Sequence[ast.stmt]
    position: int
    parent: ast.AST


def holder_of(index: FileIndex, holder: ast.expr) -> Holder:
    """What the code around tells of the object that an expression stands for."""
    function = _innermost(index, holder, ast.FunctionDef)
    if function is None:
        return _of_value(index, None, holder, list(_steps(index.tree, holder)))
    steps = list(_steps(function, holder))
    if isinstance(holder, ast.Name):
        found = _of_value(index, function, holder, steps)
        return found if found.classes else Holder(has=_asked_here(holder, steps))
    tested = _tested(index, function, holder, steps)
    if tested:
        return Holder(classes=tested)
    is_own = isinstance(holder, ast.Attribute) and isinstance(holder.value, ast.Name) and holder.value.id == "self"
    return _of_slot(index, holder) if is_own and isinstance(holder, ast.Attribute) else Holder()


def _of_slot(index: FileIndex, holder: ast.Attribute) -> Holder:
    """What `self.head` is asked for in all methods of the class around."""
    around = _innermost(index, holder, ast.ClassDef)
    name = next((name for name, entry in index.classes.items() if entry.node is around), None)
    if name is None:
        return Holder()
    asked = (_asked(method.body, holder) for method in index.classes[name].node.body if _is_method(method))
    return Holder(slot=(index.name, name, holder.attr), has=frozenset().union(*asked))


def _is_method(node: ast.stmt) -> TypeGuard[ast.FunctionDef]:
    return isinstance(node, ast.FunctionDef)


def _innermost(index: FileIndex, node: ast.expr, kind: type[_Scope]) -> _Scope | None:
    """The innermost function or class that a node stands in."""
    around = [n for n in index.of(kind) if n.lineno <= node.lineno <= (n.end_lineno or n.lineno)]
    return max(around, key=lambda n: n.lineno, default=None)


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


# Its class


def _of_value(index: FileIndex, function: ast.FunctionDef | None, holder: ast.expr, steps: Sequence[_Step]) -> Holder:
    """The class of a name's value: it is tested for, was called just before, or is promised by an annotation."""
    tested = _tested(index, function, holder, steps)
    if tested or not isinstance(holder, ast.Name):
        return Holder(classes=tested)
    for step in reversed(steps):
        if _is_bound_in_turn(step, holder.id):
            return Holder()
        for line in reversed(step.block[: step.position]):
            if _binds(line, holder.id):
                return Holder(classes=_made(index, function, line, holder.id))
        if any(_binds(part, holder.id) for part in (*_heads(step.parent), *_beside(step))):
            return Holder()
    return Holder(classes=_promised(index, function, holder.id))


def _is_bound_in_turn(step: _Step, name: str) -> bool:
    """Whether a name may have the value that it was given later in a loop's body, one turn before."""
    later, earlier = step.block[step.position + 1 :], step.block[: step.position]
    is_given = isinstance(step.parent, _LOOPS) and any(_binds(line, name) for line in later)
    return is_given and not any(_is_plain(line, name) for line in earlier)


def _tested(
    index: FileIndex, function: ast.FunctionDef | None, holder: ast.expr, steps: Sequence[_Step]
) -> tuple[str, ...]:
    """The classes of the nearest `if isinstance(holder, C):` around."""
    text = ast.dump(holder).replace("Store()", "Load()")
    for step in reversed(steps):
        if any(_sets(line, holder, text) for line in step.block[: step.position]):
            return ()
        if isinstance(step.parent, ast.If) and step.block is step.parent.body:
            test = step.parent.test
            for part in test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else [test]:
                if _is_test(part) and ast.dump(part.args[0]) == text:  # type: ignore[attr-defined]
                    return _all_dotted(index, function, part.args[1])  # type: ignore[attr-defined]
    return ()


def _sets(line: ast.stmt, holder: ast.expr, text: str) -> bool:
    """Whether a statement may put another object in the place of a name, or of `self.head`."""
    if isinstance(holder, ast.Name):
        return _binds(line, holder.id)
    stored = (n for n in walk(line) if isinstance(n, ast.Attribute) and not isinstance(n.ctx, ast.Load))
    return any(ast.dump(node).replace("Store()", "Load()") == text for node in stored)


def _is_test(node: ast.expr) -> bool:
    is_named = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance"
    return is_named and len(node.args) == 2  # type: ignore[attr-defined]


def _is_plain(line: ast.stmt, name: str) -> bool:
    """`name = …`, and no other target."""
    targets = line.targets if isinstance(line, ast.Assign) else [line.target] if isinstance(line, ast.AnnAssign) else []
    return len(targets) == 1 and isinstance(targets[0], ast.Name) and targets[0].id == name


def _made(index: FileIndex, function: ast.FunctionDef | None, line: ast.stmt, name: str) -> tuple[str, ...]:
    """The class that `name = pkg.Block(…)` calls."""
    value = line.value if _is_plain(line, name) and isinstance(line, ast.Assign | ast.AnnAssign) else None
    return _all_dotted(index, function, value.func) if isinstance(value, ast.Call) else ()


def _promised(index: FileIndex, function: ast.FunctionDef | None, name: str) -> tuple[str, ...]:
    """The classes of a parameter's annotation."""
    args = [*function.args.args, *function.args.kwonlyargs] if function is not None else []
    note = next((arg.annotation for arg in args if arg.arg == name), None)
    return _all_dotted(index, function, note) if note is not None else ()


def _all_dotted(index: FileIndex, function: ast.FunctionDef | None, node: ast.expr) -> tuple[str, ...]:
    """Dotted names of all classes that an expression may mean; none where one of them is not known by its name."""
    names = [_dotted(index, function, part) for part in _parts(node)]
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


def _dotted(index: FileIndex, function: ast.FunctionDef | None, node: ast.expr) -> str | None:
    """ "pkg.Block" for a class by its name, as far as a capital letter tells; None for a name of the function's own."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.insert(0, node.attr)
        node = node.value
    last = parts[-1] if parts else getattr(node, "id", "")
    if not isinstance(node, ast.Name) or not last.lstrip("_")[:1].isupper():
        return None
    if function is not None and any(_binds(part, node.id) for part in (*function.body, function.args)):
        return None
    if node.id in index.imports:
        return ".".join([index.imports[node.id].target, *parts])
    known = node.id in index.classes or node.id in index.values
    return ".".join([index.name, node.id, *parts]) if known else None


def _heads(node: ast.AST) -> list[ast.AST]:
    """What a loop or `with` binds before its body, a handler its error."""
    heads: list[ast.AST] = [node.target] if isinstance(node, ast.For | ast.AsyncFor) else []
    return heads + list(getattr(node, "items", ())) + list(getattr(node, "handlers", ()))


def _beside(step: _Step) -> Iterator[ast.stmt]:
    """What may run before a block in others of the same statement: of a `try`, or a loop before its else."""
    if isinstance(step.parent, (*_LOOPS, ast.Try, ast.TryStar)):
        yield from (line for block in _blocks(step.parent) if block is not step.block for line in block)


def _binds(node: ast.AST, name: str) -> bool:
    """Whether a statement may give a name another value."""
    for part in walk(node):
        if isinstance(part, ast.Name) and part.id == name and not isinstance(part.ctx, ast.Load):
            return True
        if isinstance(part, ast.alias) and (part.asname or part.name.partition(".")[0]) == name:
            return True
        if isinstance(part, ast.FunctionDef | ast.ClassDef | ast.ExceptHandler) and part.name == name:
            return True
        if isinstance(part, ast.arg) and part.arg == name:
            return True
    return False


# What it must have


def _asked_here(holder: ast.Name, steps: Sequence[_Step]) -> frozenset[str]:
    """What the same function asks a name for on the way to this place and after it."""
    if any(_binds(line, holder.id) for line in steps[0].block) if steps else True:
        return frozenset()
    found: set[str] = set()
    for step in steps:
        if not isinstance(step.parent, ast.Try | ast.TryStar | ast.ExceptHandler):
            found |= _asked(step.block, holder)
    return frozenset(found)


def _asked(block: Sequence[ast.stmt], holder: ast.expr) -> frozenset[str]:
    """What the statements of a block ask an expression for, whatever the branches that they take."""
    text = ast.dump(holder).replace("Store()", "Load()")
    found: set[str] = set()
    for node in _certain(block):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load) and ast.dump(node.value) == text:
            found.add(node.attr)
        elif isinstance(node, ast.Subscript) and ast.dump(node.value) == text:
            found.add("__getitem__")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "len":
            found |= {"__len__"} if node.args and ast.dump(node.args[0]) == text else set()
    return frozenset(found)


def _certain(block: Sequence[ast.stmt]) -> Iterator[ast.AST]:
    """The nodes of a block that run whenever it does."""
    waiting: list[ast.AST] = []
    for line in block:
        if isinstance(line, _SIMPLE):
            waiting.append(line)
        elif isinstance(line, ast.If | ast.While):
            waiting.append(line.test)
        elif isinstance(line, ast.For | ast.AsyncFor):
            waiting.append(line.iter)
        if isinstance(line, ast.Return | ast.Raise):
            break
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.BoolOp):
            waiting.append(node.values[0])
        elif isinstance(node, ast.IfExp):
            waiting.append(node.test)
        elif not isinstance(node, _MAYBE):
            yield node
            waiting.extend(ast.iter_child_nodes(node))
