"""Values that a round of a loop leaves behind: variables that are read later, parts of other objects."""

from __future__ import annotations

import ast

from qprep.analysis.effects.points_to import PointsTo
from qprep.analysis.effects.visit_rounds import VisitRound, is_fresh


def _is_store_or_replacement(read: ast.Name, parents: dict[ast.AST, ast.AST]) -> bool:
    """True for `table[…] = …`, and for a loop over `table.items()` that gives children of these names new values."""
    parent = parents.get(read)
    if isinstance(parent, ast.Subscript) and isinstance(parent.ctx, ast.Store):
        return isinstance(parents.get(parent), ast.Assign)
    call = parents.get(parent) if isinstance(parent, ast.Attribute) and parent.attr == "items" else None
    match parents.get(call) if call is not None else None:
        case ast.For(target=ast.Tuple(elts=[ast.Name(id=key), _]), body=[statement], orelse=[]):
            return _replaces_child(statement, key)
    return False


def _replaces_child(statement: ast.stmt, key: str) -> bool:
    match statement:
        case ast.Assign(targets=[ast.Subscript(value=ast.Attribute(attr="_modules"), slice=ast.Name(id=name))]):
            return name == key
        case ast.Expr(value=ast.Call(func=ast.Name(id="setattr"), args=[_, ast.Name(id=name), ast.Name()])):
            return name == key
        case ast.Expr(
            value=ast.Call(
                func=ast.Attribute(attr="add_module" | "register_module"), args=[ast.Name(id=name), ast.Name()]
            )
        ):
            return name == key
    return False


def keeps_targets(points_to: PointsTo, run: VisitRound) -> bool:
    """True if variables of the loop itself are read after it, or count its rounds."""
    loop = run.loop
    if loop is None:
        return False
    counter = run.scope.file.counter_of(loop.target, loop.iter)
    counted = [n for part in loop.body for n in ast.walk(part) if isinstance(n, ast.Name) and n.id == counter]
    return bool(counted) or _is_kept(points_to, loop.target, loop, run)


def leaves(points_to: PointsTo, statement: ast.stmt, run: VisitRound) -> bool:
    """True if a statement ends a round, or gives something to an object or variable that outlives it."""
    match statement:
        case ast.Raise():
            return True
        case ast.Return() | ast.Break():
            return run.loop is not None
        case ast.Expr(value=ast.Yield() | ast.YieldFrom()):
            return run.loop is not None
        case ast.Assign(targets=targets):
            return any(_is_kept(points_to, target, statement, run) for target in targets) or _runs_module(
                statement.value, run
            )
        case ast.AnnAssign(target=target, value=value):
            return value is not None and _is_kept(points_to, target, statement, run)
        case ast.AugAssign(target=target):
            return _is_kept(points_to, target, statement, run)
        case ast.For(target=target):
            return _is_kept(points_to, target, statement, run)
        case ast.Delete(targets=targets):
            return any(_is_in_other(t, run) for t in targets)
    return False


def _is_kept(points_to: PointsTo, target: ast.expr, statement: ast.stmt, run: VisitRound) -> bool:
    """True if what an assignment gives a target may be seen after the round."""
    match target:
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            return any(_is_kept(points_to, part, statement, run) for part in parts)
        case ast.Starred(value=value):
            return _is_kept(points_to, value, statement, run)
        case ast.Name(id=name):
            return outlives(points_to, name, statement, run)
        case ast.Subscript(value=ast.Name(id=table)) if _is_for_replacement(points_to, table, run):
            return False
    return _is_in_other(target, run)


def _is_for_replacement(points_to: PointsTo, table: str, run: VisitRound) -> bool:
    """True if a variable collects values by name, and all else that is done with it is to replace these children.

    `table[name] = new` in a loop, then `for name, new in table.items(): m._modules[name] = new`: the replacement is
    an effect of its own.
    """
    home = run.scope.binder(table)
    if home is not run.scope or not home.is_function or len(home.bindings[table]) != 1:
        return False
    value, parents = home.bindings[table][0].value, run.scope.file.parents
    if not isinstance(value, ast.Dict) or value.keys:
        return False
    return all(_is_store_or_replacement(read, parents) for read in points_to.calls.reads(home, table))


def _is_in_other(target: ast.expr, run: VisitRound) -> bool:
    """True for an attribute or item of an object that does not belong to the run."""
    return isinstance(target, ast.Attribute | ast.Subscript) and not run.owns(target.value)


def outlives(points_to: PointsTo, name: str, statement: ast.AST, run: VisitRound) -> bool:
    """True if a variable is read after the round that gives it a value, or by the next one."""
    if name in run.scope.outer_names:
        return True
    if run.loop is None:
        return False
    parents = run.scope.file.parents
    reads: list[ast.AST] = list(points_to.calls.reads(run.scope.binder(name) or run.scope, name))
    if isinstance(statement, ast.AugAssign):
        reads.append(statement)
    return any(not is_fresh(read, name, run.loop, parents) for read in reads)


def _runs_module(value: ast.expr, run: VisitRound) -> bool:
    """True if an expression calls the module."""
    calls = (part for part in ast.walk(value) if isinstance(part, ast.Call))
    return any(isinstance(call.func, ast.Name) and call.func.id in run.module for call in calls)
