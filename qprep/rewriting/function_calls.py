"""Calls of functions that run operations: which functions become modules, and how their calls change."""

from __future__ import annotations

import ast
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from qprep.analysis.symbols.ast_utils import dotted_root, last_name
from qprep.analysis.values.abstract_values import FunctionRef
from qprep.foundation.findings import Applicability, Rejection, RejectionCode
from qprep.rewriting import callees
from qprep.rewriting.composed_edits import Piece, opening
from qprep.rewriting.rewrite_result import Rewrite
from qprep.rewriting.safety import stable_binding
from qprep.rewriting.transforms import generator_uses, moved_functions, static_methods

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qprep.analysis.facts import HelperCall
    from qprep.analysis.places import Place, Unit
    from qprep.rewriting.attempt import Attempts
    from qprep.rewriting.fix_scope import Scope
    from qprep.rewriting.fix_session import RewriteContext
    from qprep.rewriting.module_owners import ModuleOwners
    from qprep.rewriting.rewrite_result import Doubt
    from qprep.rewriting.source_code import Code

_CALLED_THROUGH = frozenset(("builtins.map", "functools.reduce", "functools.partial"))


class FunctionCalls:
    """The outcome of every call of a function that runs operations.

    outcomes  by the place of the call
    calls_of  the places where each function is called
    """

    def __init__(self, context: RewriteContext, module_owners: ModuleOwners, attempts: Attempts) -> None:
        self.context = context
        self.outcomes: dict[Place, Rewrite | Rejection] = {}
        self.calls_of: dict[Unit, list[Place]] = defaultdict(list)
        self._owners = module_owners
        self._attempts = attempts
        self._imported: dict[str, dict[str, Unit]] = defaultdict(dict)  # by file: names bound to modules of functions
        self._called_outside: dict[Unit, str] = {}  # functions with a module that calls them and must not be changed
        self._dispatched: set[Place] = set()  # calls of functions that are unknown before the code runs

    def plan(self) -> None:
        """Try to rewrite every call of a function that runs operations."""
        for callee in sorted({callee for call in self.context.facts.helpers.values() for callee in call.callees}):
            if self._owners.rejection_of(callee) is None:
                self._owners.class_name(callee)
        # File by file, since only few are held ready at a time.
        for place, call in sorted(self.context.facts.helpers.items(), key=lambda item: item[0]):
            if place.module in self.context.fixed:
                self._called_outside.update(dict.fromkeys(call.callees, place.module))
                continue  # a file that is only looked at goes on calling the function, which stays
            self.outcomes[place] = self._attempted(place, call)
            for callee in call.callees:
                self.calls_of[callee].append(place)

    def _attempted(self, place: Place, call: HelperCall) -> Rewrite | Rejection:
        outcome = self._attempts.attempt(call, self._helper_call)
        if isinstance(outcome, Rejection):
            return outcome
        return replace(outcome, callees=frozenset(call.callees), dispatched=place in self._dispatched)

    def _helper_call(self, scope: Scope, call: HelperCall) -> tuple[Piece, ...] | Rejection:
        node = scope.node
        reasons = [self._owners.rejection_of(callee) for callee in sorted(call.callees)]
        if None not in reasons and reasons[0] is not None:
            return replace(reasons[0], code=RejectionCode.FUNCTION)
        assert isinstance(node, ast.Call)
        of_class = any(static_methods.is_class_method(self.context, each) for each in call.callees)
        given = static_methods.given_class(scope, node.func) if of_class else None
        if of_class and (given is None or self._is_dispatched(scope, call)):
            return Rejection("the class that the class method gets is unknown here", RejectionCode.RUN_ONLY)
        if self._is_dispatched(scope, call):
            self._dispatched.add(call.place)
            return _dispatch(scope, node, call)
        callee = min(call.callees)
        if callee == scope.unit:
            return ()  # the module made of a function that calls itself runs its own forward there
        named = _named(scope, node, callee)
        if named is None or not stable_binding.is_imported_once(scope.index, last_name(dotted_root(named))):
            return Rejection(
                "the function is called under a name that is unknown before the code runs", RejectionCode.RUN_ONLY
            )
        if self.context.project.may_be_another(callee.module, scope.index.name):
            return Rejection(
                f"two files are called {callee.module}, and the imported one is unknown before the code runs",
                RejectionCode.RUN_ONLY,
            )
        if self._shows_generator(scope, node, callee):
            return Rejection(
                f"`{callee.name}` makes a generator that is used for more than its items", RejectionCode.FUNCTION
            )
        name = self._owners.class_name(callee)
        bound = self._imported[scope.code.module]
        planned = self._owners.class_names_in(scope.code.module)
        planned |= {n for n, unit in bound.items() if unit != callee}
        planned |= self.context.starred(scope.code.module)
        text, needed = moved_functions.import_of(self.context, scope.code, named, callee, name, frozenset(planned))
        bound[text] = callee
        scope.imports |= {(scope.index.name, entry) for entry in needed}
        if not moved_functions.share_with_holders(scope, callee, text):
            return Rejection(
                f"classes in other files mix `{scope.unit.name}` in, and the function is defined elsewhere",
                RejectionCode.FUNCTION,
            )
        attribute = scope.declare(moved_functions.attribute_name(callee), f"{text}()", many=call.count > 1)
        start, end = scope.code.span(named)
        if given is not None:
            return Piece(start, end, attribute), _first_argument(scope.code, node, given)
        return (Piece(start, end, attribute),)

    def _shows_generator(self, scope: Scope, call: ast.Call, callee: Unit) -> bool:
        """True if code may use the name of a generator that a function makes: that of a module's is another."""
        code = self.context.code(callee.module)
        made = moved_functions.definition(code.index, callee) if code is not None else None
        if made is None or not generator_uses.is_generator(made):
            return False
        parents = scope.code.parents
        function: ast.AST = call
        while not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Module):
            function = parents[function]
        return not generator_uses.is_only_iterated(call, function, parents)

    def _is_dispatched(self, scope: Scope, call: HelperCall) -> bool:
        """True if a call is of an unknown function, or of what its decorators make of it."""
        assert isinstance(scope.node, ast.Call)
        if len(call.callees) > 1 or not _is_callee(scope, scope.node.func, min(call.callees)):
            return call.direct
        return moved_functions.is_replaceable(self.context, min(call.callees))

    def settle(self, outcomes: dict[Place, Rewrite | Rejection]) -> None:
        """An operation in a function is resolved where every call of it can be rewritten, all the way up."""
        blocked: dict[Unit, Rejection] = {}
        changed = True
        while changed:
            changed = False
            for place, outcome in self.outcomes.items():
                call = self.context.facts.helpers[place]
                rejection = outcome if isinstance(outcome, Rejection) else blocked.get(call.unit)
                if rejection is not None and not call.callees <= blocked.keys():
                    blocked.update(dict.fromkeys(call.callees - blocked.keys(), rejection))
                    changed = True
        for place, outcome in list(outcomes.items()):
            if isinstance(outcome, Rewrite) and not outcome.unit.is_class:
                rejection = blocked.get(outcome.unit) or self._uncalled(outcome.unit)
                if rejection is not None:
                    reason = f"it is in `{outcome.unit.name}`: {rejection.reason}"
                    outcomes[place] = Rejection(reason, RejectionCode.FUNCTION)
                elif doubts := self._doubts_of_calls(outcome.unit):
                    every = tuple(dict.fromkeys((*outcome.doubts, *doubts)))
                    outcomes[place] = replace(outcome, doubts=every, applicability=Applicability.UNSAFE)

    def _doubts_of_calls(self, unit: Unit) -> tuple[Doubt, ...]:
        """The doubts about the calls that change together with a function."""
        units, waiting = {unit}, [unit]
        doubts: list[Doubt] = []
        while waiting:
            for call in self.calls(waiting.pop()):
                doubts += call.doubts
                if not call.unit.is_class and call.unit not in units:
                    units.add(call.unit)
                    waiting.append(call.unit)
        return tuple(doubts)

    def _uncalled(self, unit: Unit) -> Rejection | None:
        """The reason why nothing can hold a function's module: no call that may be rewritten runs it."""
        if any(self.calls(unit)):
            return None
        outside = self._called_outside.get(unit)
        if outside:
            return Rejection(f"{outside}, outside the paths given, calls it", RejectionCode.OUTSIDE)
        return Rejection("the function that runs is defined inside it", RejectionCode.FUNCTION)

    def calls(self, callee: Unit) -> Iterator[Rewrite]:
        """The calls of a function that can be rewritten."""
        calls = (self.outcomes[place] for place in self.calls_of.get(callee, ()))
        return (call for call in calls if isinstance(call, Rewrite))


def _dispatch(scope: Scope, node: ast.Call, call: HelperCall) -> tuple[Piece, ...] | Rejection:
    """`function(x)` → `self.function(function, x)`: a Dispatch runs what replaces the function."""
    code, (start, end) = scope.code, scope.code.span(node.func)
    bracket = code.skip_blank(end)
    is_simple = not any(isinstance(part, ast.Call | ast.BinOp) for part in ast.walk(node.func))
    if code.text[bracket] != "(" or not is_simple:
        return Rejection(
            "the function is called under a name that is unknown before the code runs", RejectionCode.RUN_ONLY
        )
    called = node.func.id.lstrip("_") if isinstance(node.func, ast.Name) else ""
    name = called or moved_functions.attribute_name(min(call.callees))
    attribute = scope.declare(name, f"{scope.runtime('Dispatch')}()", many=call.count > 1)
    return Piece(start, end, attribute), _first_argument(code, node, code.text[start:end])


def _first_argument(code: Code, node: ast.Call, text: str) -> Piece:
    """The piece that puts an argument in front of the others."""
    bracket = code.skip_blank(code.span(node.func)[1])
    first = code.skip_blank(bracket + 1)
    gap = code.text[bracket + 1 : first]
    separator = "" if code.text[first] == ")" else f",{gap}" if gap else ", "
    return opening(first, f"{text}{separator}", code.span(node)[1] - first)


def _named(scope: Scope, node: ast.Call, callee: Unit) -> ast.expr | None:
    """The expression that names the function: in front of its call, or as an argument of what calls it."""
    if _is_callee(scope, node.func, callee):
        return node.func
    is_handed_on = bool(node.args) and callees.dotted_name(scope, node.func) in _CALLED_THROUGH
    return node.args[0] if is_handed_on and _is_callee(scope, node.args[0], callee) else None


def _is_callee(scope: Scope, name: ast.expr, callee: Unit) -> bool:
    """True if a name at module level, or one on self, is the function that the analysis saw; a local is not."""
    if static_methods.is_named(scope, name, callee):
        return True
    dotted = scope.context.project.expression_name(scope.index, name)
    found = scope.context.project.resolve(dotted) if dotted is not None else None
    return isinstance(found, FunctionRef) and (found.module, found.name) == (callee.module, callee.name)
