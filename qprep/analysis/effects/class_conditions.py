"""The conditions that hold for a variable at a node: `isinstance` tests, `hasattr`, tests of class names."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.effects.object_tests import AttributeTest, ClassTest, NameTest, Test
from qprep.analysis.effects.variable_tests import failing, holding, matched, single_test

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qprep.analysis.effects.variable_tests import Variable

_ENDS = (ast.Continue, ast.Return, ast.Raise, ast.Break)

# Expressions whose parts all run, whatever they are: the terms of a long sum are skipped fast.
_UNCONDITIONAL = frozenset((ast.BinOp, ast.Call, ast.Attribute, ast.Subscript, ast.Tuple, ast.List))


def conditions(node: ast.AST, variable: Variable, parents: dict[ast.AST, ast.AST]) -> Iterator[Test]:
    """Facts about the variable at `node`, from the tests that must have held on the way there.

    Nothing is known where a loop or function binds its own variable again. Assumes that nothing else binds it twice.
    """
    found = list(_conditions(node, variable, parents))
    if found and not _is_bound_again(node, variable.name, parents):
        yield from found


def _conditions(node: ast.AST, variable: Variable, parents: dict[ast.AST, ast.AST]) -> Iterator[Test]:
    current: ast.AST = node
    while (parent := parents.get(current)) is not None:
        if type(parent) in _UNCONDITIONAL:
            current = parent
            continue
        if isinstance(parent, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            if isinstance(parent, ast.ClassDef):
                return
            yield from _before(parent, current, variable)
            return
        yield from _around(parent, current, variable)
        if isinstance(parent, ast.If) and current in parent.body:
            yield from _flagged(parent, variable, parents)
        yield from _before(parent, current, variable)
        if isinstance(parent, ast.For | ast.AsyncFor) and may_bind([parent.target], variable.name):
            return  # further out, the name is another object
        current = parent


def _is_bound_again(node: ast.AST, name: str, parents: dict[ast.AST, ast.AST]) -> bool:
    """True if the loop or function that gives a variable its value may give it another one on the way to a node."""
    current = node
    while (parent := parents.get(current)) is not None:
        if isinstance(parent, ast.For | ast.AsyncFor) and may_bind([parent.target], name):
            return may_bind(parent.body, name)
        if isinstance(parent, ast.FunctionDef | ast.AsyncFunctionDef):
            given = parent.args
            parameters = (*given.posonlyargs, *given.args, *given.kwonlyargs)
            return any(each.arg == name for each in parameters) and may_bind(parent.body, name)
        if isinstance(parent, ast.Lambda | ast.ClassDef):
            return False
        current = parent
    return False


def needed_behind(loop: ast.For, names: frozenset[str], parents: dict[ast.AST, ast.AST]) -> list[AttributeTest]:
    """The attributes that the code behind a loop reads first of the object that it was left at.

    Assumes that a search finds what it is for: where no module passes, that code meets the last one of all.
    """
    parent = parents.get(loop)
    bodies = [getattr(parent, name, None) for name in ("body", "orelse", "finalbody")]
    block = next((body for body in bodies if isinstance(body, list) and loop in body), [])
    for statement in block[block.index(loop) + 1 :] if block and not loop.orelse else ():
        parts = list(ast.walk(statement))
        if not any(isinstance(part, ast.Name) and part.id in names for part in parts):
            continue
        conditional = (ast.IfExp, ast.BoolOp, ast.Lambda, ast.comprehension)
        is_sure = isinstance(statement, ast.Assign | ast.AnnAssign | ast.Expr)
        if not is_sure or any(isinstance(part, conditional) for part in parts):
            break
        reads = (part for part in parts if isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Load))
        return [AttributeTest(r.attr) for r in reads if isinstance(r.value, ast.Name) and r.value.id in names]
    return []


def containers_with(node: ast.Name, parents: dict[ast.AST, ast.AST]) -> Iterator[ast.expr]:
    """The containers that a test on the way to a name has shown its value to be in: `if name in wanted: …`."""
    current: ast.AST = node
    while (parent := parents.get(current)) is not None and not isinstance(parent, ast.FunctionDef | ast.Lambda):
        if isinstance(parent, ast.If) and current in parent.body:
            tests = parent.test.values if isinstance(parent.test, ast.BoolOp) else [parent.test]
            is_all = not (isinstance(parent.test, ast.BoolOp) and isinstance(parent.test.op, ast.Or))
            for test in tests if is_all else ():
                match test:
                    case ast.Compare(left=ast.Name(id=name), ops=[ast.In()], comparators=[container]):
                        if name == node.id:
                            yield container
        if isinstance(parent, ast.For | ast.AsyncFor) and may_bind([parent.target], node.id):
            return
        current = parent


def is_by_class_alone(node: ast.AST, variables: Sequence[Variable], parents: dict[ast.AST, ast.AST]) -> bool:
    """True if a node in a loop over modules runs for each module of certain classes, whatever else it is.

    Every condition between the node and the loop must be one that `conditions` reads, on one of the variables.
    """
    current = node
    while (parent := parents.get(current)) is not None:
        if isinstance(parent, ast.For | ast.AsyncFor):
            earlier = _earlier(parent, current)
            return all(_is_passing(each) or _is_class_exit(each, variables) for each in earlier)
        if isinstance(parent, ast.If | ast.IfExp) and not any(_is_understood(parent.test, v) for v in variables):
            return False
        if isinstance(parent, ast.While | ast.Try | ast.Match | ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            return False
        if not all(_is_passing(each) or _is_class_exit(each, variables) for each in _earlier(parent, current)):
            return False
        current = parent
    return False


def _earlier(parent: ast.AST, part: ast.AST) -> list[ast.stmt]:
    for name in ("body", "orelse"):
        block = getattr(parent, name, None)
        if isinstance(block, list) and part in block:
            return list(block[: block.index(part)])
    return []


def _is_passing(statement: ast.stmt) -> bool:
    """True if control always goes on behind a statement."""
    return not any(isinstance(part, (*_ENDS, ast.Yield)) for part in ast.walk(statement))


def _is_class_exit(statement: ast.stmt, variables: Sequence[Variable]) -> bool:
    return isinstance(statement, ast.If) and any(_is_understood(statement.test, v) for v in variables)


def _is_understood(test: ast.expr, variable: Variable) -> bool:
    """True if a test depends on the class of a variable alone."""
    match test:
        case ast.BoolOp(values=values):
            return all(_is_understood(value, variable) for value in values)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return _is_understood(operand, variable)
        case _:
            return isinstance(single_test(test, variable), ClassTest | NameTest)


def _flagged(branch: ast.If, variable: Variable, parents: dict[ast.AST, ast.AST]) -> Iterator[Test]:
    """Conditions that hold in `if found:` since they held wherever `found = True` after the `found = False` before."""
    name = branch.test.id if isinstance(branch.test, ast.Name) else None
    blocks = [getattr(parents.get(branch), each, None) for each in ("body", "orelse", "finalbody")]
    block = next((each for each in blocks if isinstance(each, list) and branch in each), None)
    if name is None or block is None:
        return
    before = block[: block.index(branch)]
    resets = [number for number, statement in enumerate(before) if _constant_given(statement, name) is False]
    between = before[resets[-1] + 1 :] if resets else []
    parts = [part for statement in between for part in ast.walk(statement)]
    if any(isinstance(part, ast.FunctionDef | ast.Lambda | ast.ClassDef) for part in parts):
        return
    given = [part for part in parts if isinstance(part, ast.Assign) and _constant_given(part, name) is not None]
    bound = [
        part for part in parts if isinstance(part, ast.Name) and part.id == name and isinstance(part.ctx, ast.Store)
    ]
    found = [set(conditions(part, variable, parents)) for part in given if _constant_given(part, name)]
    if found and len(bound) == len(given):
        yield from sorted(set.intersection(*found), key=repr)


def _constant_given(statement: ast.stmt, name: str) -> bool | None:
    """The truth of the constant that a statement gives a name; None for any other statement."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=target)], value=ast.Constant(value=value)) if target == name:
            return bool(value)
    return None


def _around(parent: ast.AST, part: ast.AST, variable: Variable) -> Iterator[Test]:  # noqa: C901, PLR0912  (one case a node type)
    """Conditions of the statement or expression that directly contains a part."""
    match parent:
        case ast.If(test=test, body=body, orelse=orelse) | ast.While(test=test, body=body, orelse=orelse):
            if part in body:
                yield from holding(test, variable)
            elif part in orelse and isinstance(parent, ast.If):
                yield from failing(test, variable)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            if part is body:
                yield from holding(test, variable)
            elif part is orelse:
                yield from failing(test, variable)
        case ast.BoolOp(op=op, values=values):
            for earlier in values[: values.index(part) if part in values else 0]:
                yield from (holding if isinstance(op, ast.And) else failing)(earlier, variable)
        case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
            if not isinstance(part, ast.comprehension):
                for generator in parent.generators:
                    for test in generator.ifs:
                        yield from holding(test, variable)
        case ast.comprehension(ifs=ifs):
            for test in ifs[: ifs.index(part) if part in ifs else 0]:
                yield from holding(test, variable)
        case ast.match_case(pattern=pattern, body=body) if part in body:
            tested = matched(pattern, variable.classes_of)
            if tested is not None:
                yield ClassTest(tested)
        case _:
            pass


def _before(parent: ast.AST, part: ast.AST, variable: Variable) -> Iterator[Test]:
    """Conditions whose failure left the block before the statement: `if not isinstance(m, C): continue`."""
    for block_name in ("body", "orelse", "finalbody"):
        block = getattr(parent, block_name, None)
        if not isinstance(block, list) or part not in block:
            continue
        for statement in block[: block.index(part)]:
            if isinstance(statement, ast.If) and not statement.orelse and isinstance(statement.body[-1], _ENDS):
                yield from failing(statement.test, variable)
            elif isinstance(statement, ast.Assert):
                yield from holding(statement.test, variable)


def binding_loop(node: ast.Name, parents: dict[ast.AST, ast.AST]) -> ast.For | None:
    """The loop around a read of its variable that gives it the value, whatever else binds the name elsewhere."""
    current: ast.AST = node
    while (parent := parents.get(current)) is not None and not isinstance(parent, ast.FunctionDef | ast.Lambda):
        if isinstance(parent, ast.For) and current in parent.body and may_bind([parent.target], node.id):
            return None if may_bind(parent.body, node.id) else parent
        current = parent
    return None


def binding_comprehension(node: ast.Name, parents: dict[ast.AST, ast.AST]) -> ast.comprehension | None:
    """The part `for … in …` of a comprehension that gives a variable its value at a read in the comprehension."""
    part: ast.AST = node
    generator: ast.comprehension | None = None  # the one that the read stands in
    is_source = False  # the read stands in what that one goes through, which its own variables are not part of
    while (parent := parents.get(part)) is not None and not isinstance(parent, ast.stmt | ast.Lambda):
        if isinstance(parent, ast.comprehension):
            generator, is_source = parent, part is parent.iter
        elif isinstance(parent, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            last = parent.generators.index(generator) + (not is_source) if part is generator and generator else None
            for each in reversed(parent.generators[:last]):
                if may_bind([each.target], node.id):
                    return each
        part = parent
    return None


def may_bind(nodes: Sequence[ast.AST], name: str) -> bool:
    """True if one of several statements may bind a name."""
    return any(
        isinstance(part, ast.Name) and part.id == name and isinstance(part.ctx, ast.Store)
        for node in nodes
        for part in ast.walk(node)
    )
