"""Which findings get a rewrite and which a reason; then the pieces of all that were chosen, file by file."""

from __future__ import annotations

import ast
import re
import textwrap
from collections import defaultdict
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from qprep.analysis.facts import HelperCall, OpSite
from qprep.analysis.places import Place, Unit
from qprep.analysis.symbols.ast_utils import positional_parameters
from qprep.analysis.values.abstract_values import ClassRef, FunctionRef
from qprep.foundation.catalogue.module_attributes import NN_MODULE_ATTRIBUTES
from qprep.foundation.findings import Applicability, Unfixable
from qprep.rewriting import callees, fstrings, imports, owners, plain_objects
from qprep.rewriting.composed_edits import Piece, closing, opening, overlaps
from qprep.rewriting.fix_scope import AttributeNames, DeclinedError, Scope
from qprep.rewriting.rewrite_result import OWNER, Declaration, Rewrite
from qprep.rewriting.safety import child_loops, name_capture, proof, stable_binding
from qprep.rewriting.safety.class_enumeration import listed_files
from qprep.rewriting.transforms import generator_uses, moved_functions, static_methods

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from qprep.analysis.eager.eager_facts import EagerSite
    from qprep.analysis.facts import (
        Compound,
        HeldFunction,
        ModuleCall,
        ScriptedCall,
        Sharing,
        TiedParameter,
        UnregisteredLayers,
        Walk,
    )
    from qprep.analysis.symbols.symbol_table import FileIndex
    from qprep.rewriting.fix_session import RewriteContext
    from qprep.rewriting.rewrite_result import Doubt, Import
    from qprep.rewriting.source_code import Code

    _OfLayers = ModuleCall | Sharing | TiedParameter | UnregisteredLayers | Walk
    Site = OpSite | ScriptedCall | HeldFunction | Compound | HelperCall | EagerSite | _OfLayers

STANDS_FOR = "stands_for"
_CALLED_THROUGH = frozenset(("builtins.map", "functools.reduce", "functools.partial"))
MAX_NESTING = 80  # CPython takes 200 nested parentheses, and each rewrite adds a pair


class Plan:
    """The outcome for every site, and how to turn chosen ones into pieces."""

    def __init__(self, context: RewriteContext) -> None:
        self.context = context
        self.outcomes: dict[Place, Rewrite | Unfixable] = {}
        self._refusals: dict[Unit, str | None] = {}
        self._names: dict[Unit, AttributeNames] = {}
        self._class_names: dict[Unit, str] = {}
        self._imported: dict[str, dict[str, Unit]] = defaultdict(dict)  # by file: names bound to modules of functions
        self._helpers: dict[Place, Rewrite | Unfixable] = {}
        self._loops: dict[Unit, list[child_loops.Loop]] = {}
        self._filters: dict[Unit, list[child_loops.Filter]] = {}
        self._calls_of: dict[Unit, list[Place]] = defaultdict(list)  # of a function, planned by add_helpers
        self._called_outside: dict[Unit, str] = {}  # functions with a module that calls them and must not be changed
        self._sites_in: dict[Unit, list[Place]] = defaultdict(list)
        self._walked: dict[Unit, bool] = {}
        self._lent: dict[tuple[Unit, str], str] = {}  # attributes with operations of objects that are no modules

    def add(self, site: Site, codemod: Callable[..., object], applicability: Applicability) -> None:
        """Try to rewrite a site."""
        self.outcomes[site.place] = self._try(site, codemod, applicability)
        self._sites_in[site.unit].append(site.place)

    def _try(
        self, site: Site, codemod: Callable[..., object], applicability: Applicability = Applicability.SAFE
    ) -> Rewrite | Unfixable:
        reason = self.refusal(site.unit)
        if reason is not None:
            return Unfixable(reason)
        code, index = self.context.code(site.place.module), self.context.project.index(site.place.module)
        node = code.node(site.place) if code is not None else None
        if code is None or index is None or node is None:
            return Unfixable(f"it is in {site.place.module}, outside the paths given")
        if plain_objects.is_plain(self.context, site.unit) and not isinstance(site, OpSite | HelperCall):
            return Unfixable(f"`{site.unit.name}` is not an nn.Module, so it cannot hold a module")
        if (reason := owners.method_refusal(self.context, site.unit, site.function.rpartition(".")[2])) is not None:
            return Unfixable(reason)
        owner = self._owner(code, node, site.unit)
        if isinstance(owner, Unfixable):
            return owner
        if (reason := _unwritable(code, node)) is not None:
            return Unfixable(reason)
        scope = Scope(self.context, code, index, site.unit, self.names(site.unit), owner, node)
        scope.applicability = applicability
        try:
            pieces = codemod(scope, _for_target(scope, site))
        except DeclinedError as error:
            return Unfixable(str(error))
        if isinstance(pieces, Unfixable):
            return pieces
        assert isinstance(pieces, tuple)
        if (reason := self._objection(scope, pieces)) is not None:
            return Unfixable(reason)
        made = f"use `{scope.declarations[0].name}`" if scope.declarations else "use a module"
        message = scope.message or made
        lending, beside = self._lending(scope)
        scope.declarations += lending
        declarations, needed = tuple(scope.declarations), scope.needed(pieces)
        doubts = (*proof.doubts(scope, site, pieces), *plain_objects.doubts(self.context, site.unit))
        rewrite = Rewrite(
            site.place,
            site.unit,
            site.function,
            pieces,
            declarations,
            needed,
            message,
            Applicability.UNSAFE if doubts else scope.applicability,
            doubts=doubts,
            beside=beside,
        )
        if not isinstance(site, HelperCall):
            return rewrite
        return replace(rewrite, callees=frozenset(site.callees), dispatched=self._is_dispatched(scope, site))

    def _lending(self, scope: Scope) -> tuple[list[Declaration], tuple[tuple[str, Piece], ...]]:
        """What modules hold for the objects of a class that is no nn.Module, and how those get it."""
        declarations: list[Declaration] = []
        beside: list[tuple[str, Piece]] = []
        if not plain_objects.is_plain(self.context, scope.unit):
            return declarations, ()
        for each in plain_objects.held(self.context, scope.unit):
            code = self.context.code(each.unit.module)
            if code is not None and not plain_objects.is_lent(code, each.unit, each.attribute):
                made = f'{scope.runtime(plain_objects.OPERATIONS, code.index)}("{each.attribute}", owner={OWNER})'
                declarations.append(Declaration(each.unit, self._operations_name(each.unit, each.attribute), made))
        for maker in plain_objects.made(self.context, scope.unit):
            code = self.context.code(maker.unit.module)
            node = code.node(maker.place) if code is not None else None
            function = code.function(node) if code is not None and node is not None else None
            if code is None or not isinstance(node, ast.expr) or function is None or maker.is_lent:
                continue
            cls, (start, end) = ast.unparse(node), code.span(node)
            name = self._operations_name(maker.unit, cls.rpartition(".")[2])
            made = f"{scope.runtime(plain_objects.OPERATIONS, code.index)}.of({cls}, owner={OWNER})"
            declarations.append(Declaration(maker.unit, name, made))
            head = opening(start, f"{positional_parameters(function)[0].arg}.{name}.given(", end - start)
            beside += [(maker.unit.module, piece) for piece in (head, closing(end, ")", end - start))]
        return declarations, tuple(beside)

    def _operations_name(self, unit: Unit, of: str) -> str:
        if (unit, of) not in self._lent:
            base = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", of.lstrip("_")).lower()
            self._lent[unit, of] = self.names(unit).fresh(f"{base}_operations")
        return self._lent[unit, of]

    def _objection(self, scope: Scope, pieces: tuple[Piece, ...]) -> str | None:
        """Why a rewrite that a codemod made cannot be."""
        if overlaps(pieces):
            return "its edits would overlap"
        if not listed_files(self.context).isdisjoint(module for module, _ in scope.imports):
            return "code lists the classes of its file at run time, and a new class would appear there"
        return name_capture.hidden(self.context, scope.declarations)

    def refusal(self, unit: Unit) -> str | None:
        """Why a class or function cannot own a module; a whole file (a unit without a name) need not."""
        if unit.name and unit not in self._refusals:
            judge = owners.refusal if unit.is_class else moved_functions.refusal
            self._refusals[unit] = judge(self.context, unit) or self._outside(unit)
            if unit.is_class and plain_objects.is_plain(self.context, unit) and self._refusals[unit] is None:
                reasons = map(self.refusal, plain_objects.lenders(self.context, unit))
                self._refusals[unit] = next(filter(None, reasons), None)
            if not unit.is_class and unit.module in listed_files(self.context):
                self._refusals[unit] = (
                    f"the classes of {unit.module} are listed at run time, and a new class would appear there"
                )
        return self._refusals.get(unit)

    def _outside(self, unit: Unit) -> str | None:
        """Why a class cannot take a new child, by what files that must not be changed do with its children."""
        if not unit.is_class:
            return None
        loops, filters = child_loops.loops(self.context, unit), self._filters_of(unit)
        for module in sorted({loop.module for loop in loops} | {each.place.module for each in filters}):
            if not self.context.may_change(module):
                return f"{module}, outside the paths given, iterates over the children of `{unit.name}`"
        family = frozenset(self.context.family(unit))
        for place, walk in sorted(self.context.facts.walks.items()):
            if not self.context.may_change(place.module) and not (walk.classes and walk.classes.isdisjoint(family)):
                where = f"{place.module}, outside the paths given, line {place.line},"
                return f"{where} takes children by position, perhaps of `{unit.name}`"
        return None

    def names(self, unit: Unit) -> AttributeNames:
        """Names of attributes of a class, or of the module made of a function; a family of classes shares them."""
        if unit not in self._names:
            if not unit.is_class:
                self._names[unit] = AttributeNames(
                    [NN_MODULE_ATTRIBUTES, self.context.asked_names(), frozenset(("forward",))]
                )
            else:
                family = [Unit(ref.module, ref.name, True) for ref in self.context.family(unit)]
                prefix = owners.prefix(self.context, unit)
                taken, patterns = owners.taken_names(self.context, unit), owners.taken_patterns(self.context, unit)
                names = AttributeNames(taken, prefix, patterns, owners.asked_beginnings(self.context, unit))
                for relative in (self._names[member] for member in family if member in self._names):
                    names.taken += [*relative.taken, relative.given]
                    relative.taken.append(names.given)
                self._names[unit] = names
        return self._names[unit]

    def _owner(self, code: Code, node: ast.AST, unit: Unit) -> str | Unfixable:
        """The name of the object that owns the operation, where the operation stands."""
        if not unit.is_class or not unit.name:
            return "self"
        function = code.function(node)
        if function is None:
            return Unfixable("it is outside a method")
        for decorator in function.decorator_list:
            if ast.unparse(decorator).rpartition(".")[2] in (
                "staticmethod",
                "classmethod",
                "script_method",
            ):
                return Unfixable(f"`{function.name}` is a {ast.unparse(decorator)}")
        if not positional_parameters(function):
            return Unfixable(f"`{function.name}` has no self")
        owner = positional_parameters(function)[0].arg
        if owner in code.bound_in(function):
            return Unfixable(f"`{function.name}` gives `{owner}` another value")
        for inner in code.functions_inside(node):
            if any(arg.arg == owner for arg in ast.walk(inner.args) if isinstance(arg, ast.arg)):
                return Unfixable(f"`{owner}` has another meaning in the function around it")
        return owner

    # Functions outside classes

    def add_helpers(self) -> None:
        """Plan every call of a function that runs operations, and settle which functions become modules."""
        for callee in sorted({callee for call in self.context.facts.helpers.values() for callee in call.callees}):
            if self.refusal(callee) is None:
                self.class_name(callee)
        # File by file, since only few are held ready at a time.
        for place, call in sorted(self.context.facts.helpers.items(), key=lambda item: item[0]):
            if place.module in self.context.fixed:
                self._called_outside.update(dict.fromkeys(call.callees, place.module))
                continue  # a file that is only looked at goes on calling the function, which stays
            self._helpers[place] = self._try(call, self._helper_call)
            for callee in call.callees:
                self._calls_of[callee].append(place)
        self._settle_functions()

    def _helper_call(self, scope: Scope, call: HelperCall) -> tuple[Piece, ...] | Unfixable:
        node = scope.node
        reasons = [self.refusal(callee) for callee in sorted(call.callees)]
        if None not in reasons:
            return Unfixable(reasons[0] or "")
        assert isinstance(node, ast.Call)
        if self._is_dispatched(scope, call):
            return _dispatch(scope, node, call)
        callee = min(call.callees)
        if callee == scope.unit:
            return ()  # the module made of a function that calls itself runs its own forward there
        named = _named(scope, node, callee)
        if named is None or not stable_binding.is_imported_once(scope.index, _root(named)):
            return Unfixable("the function is called under a name that is unknown before the code runs")
        if self.context.project.may_be_another(callee.module, scope.index.name):
            return Unfixable(
                f"two files are called {callee.module}, and the imported one is unknown before the code runs"
            )
        if self._shows_generator(scope, node, callee):
            return Unfixable(f"`{callee.name}` makes a generator that is used for more than its items")
        name = self.class_name(callee)
        bound = self._imported[scope.code.module]
        planned = {n for unit, n in self._class_names.items() if unit.module == scope.code.module}
        planned |= {n for n, unit in bound.items() if unit != callee}
        planned |= self.context.starred(scope.code.module)
        text, needed = moved_functions.import_of(self.context, scope.code, named, callee, name, frozenset(planned))
        bound[text] = callee
        scope.imports |= {(scope.index.name, entry) for entry in needed}
        if not moved_functions.share_with_holders(scope, callee, text):
            return Unfixable(
                f"classes in other files mix `{scope.unit.name}` in, and the function is defined elsewhere"
            )
        attribute = scope.declare(moved_functions.attribute_name(callee), f"{text}()", many=call.count > 1)
        start, end = scope.code.span(named)
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

    def class_name(self, unit: Unit) -> str:
        """The name of the module made of a function."""
        if unit not in self._class_names:
            index = self.context.project.index(unit.module)
            assert index is not None
            bound = {*index.imports, *index.classes, *index.functions, *index.values, *index.names}
            others = {name for other, name in self._class_names.items() if other.module == unit.module}
            bound |= others | self.context.starred(unit.module)
            self._class_names[unit] = moved_functions.class_name(unit, bound | imports.runtime_names())
        return self._class_names[unit]

    def _settle_functions(self) -> None:
        """An operation in a function is resolved where every call of it can be rewritten, all the way up."""
        blocked: dict[Unit, str] = {}
        changed = True
        while changed:
            changed = False
            for place, outcome in self._helpers.items():
                call = self.context.facts.helpers[place]
                reason = outcome.reason if isinstance(outcome, Unfixable) else blocked.get(call.unit)
                if reason is not None and not call.callees <= blocked.keys():
                    blocked.update(dict.fromkeys(call.callees - blocked.keys(), reason))
                    changed = True
        for place, outcome in list(self.outcomes.items()):
            if isinstance(outcome, Rewrite) and not outcome.unit.is_class:
                reason = blocked.get(outcome.unit) or self._uncalled(outcome.unit)
                if reason is not None:
                    self.outcomes[place] = Unfixable(f"it is in `{outcome.unit.name}`: {reason}")
                elif doubts := self._doubts_of_calls(outcome.unit):
                    every = tuple(dict.fromkeys((*outcome.doubts, *doubts)))
                    self.outcomes[place] = replace(outcome, doubts=every, applicability=Applicability.UNSAFE)

    def _doubts_of_calls(self, unit: Unit) -> tuple[Doubt, ...]:
        """What could not be shown of the calls that change together with a function."""
        units, waiting = {unit}, [unit]
        doubts: list[Doubt] = []
        while waiting:
            for call in self._calls(waiting.pop()):
                doubts += call.doubts
                if not call.unit.is_class and call.unit not in units:
                    units.add(call.unit)
                    waiting.append(call.unit)
        return tuple(doubts)

    def _uncalled(self, unit: Unit) -> str | None:
        """Why nothing can hold the module made of a function: no call that may be rewritten runs it."""
        if any(self._calls(unit)):
            return None
        outside = self._called_outside.get(unit)
        return (
            f"{outside}, outside the paths given, calls it"
            if outside
            else "the function that runs is defined inside it"
        )

    def repeat(self, module: str, attribute: str) -> bool:
        """Give an attribute that this plan makes an instance per call: it runs more often than the source shows."""
        for table, place in self._declaring.get((module, attribute), ()):
            outcome = table[place]
            if isinstance(outcome, Rewrite) and self._wrap(table, outcome, attribute):
                return True
        return False

    @cached_property
    def _declaring(self) -> Mapping[tuple[str, str], Sequence[tuple[dict[Place, Rewrite | Unfixable], Place]]]:
        """The rewrites of this plan by the file that they stand in and the attributes that they make."""
        found: dict[tuple[str, str], list[tuple[dict[Place, Rewrite | Unfixable], Place]]] = defaultdict(list)
        for table in (self.outcomes, self._helpers):
            for place, outcome in table.items():
                for declaration in outcome.declarations if isinstance(outcome, Rewrite) else ():
                    found[place.module, declaration.name].append((table, place))
        return found

    def _wrap(self, table: dict[Place, Rewrite | Unfixable], rewrite: Rewrite, attribute: str) -> bool:
        wrapped = [
            d for d in rewrite.declarations if d.name == attribute and d.after is None and OWNER not in d.expression
        ]
        index = self.context.project.index(rewrite.place.module) if wrapped else None
        if index is None:
            return False
        target = self.context.target_of(index.name)
        if not target.is_own:
            table[rewrite.place] = Unfixable(f"it runs more than once: {target.name} has no module for that")
            return True
        text, needed = self._runtime(index, "PerCall")
        declarations = tuple(
            replace(d, expression=f"{text}({d.expression}, owner={OWNER})") if d in wrapped else d
            for d in rewrite.declarations
        )
        added = frozenset((index.name, entry) for entry in needed)
        table[rewrite.place] = replace(rewrite, declarations=declarations, imports=rewrite.imports | added)
        return True

    # Assembly

    def group(self, place: Place) -> frozenset[Place]:
        """The sites that change together: alone in a class; in a function, all that its conversion touches."""
        outcome = self.outcomes[place]
        if isinstance(outcome, Unfixable) or outcome.unit.is_class:
            return frozenset((place,))
        units, waiting = {outcome.unit}, [outcome.unit]
        while waiting:
            callers = {self.context.facts.helpers[call].unit for call in self._calls_of.get(waiting.pop(), ())}
            more = {unit for unit in callers if not unit.is_class} - units
            units |= more
            waiting += more
        sites = (site for unit in units for site in self._sites_in.get(unit, ()))
        return frozenset(site for site in sites if isinstance(self.outcomes[site], Rewrite))

    def assemble(self, chosen: Iterable[Place]) -> dict[str, list[Piece]]:
        """The pieces that rewrite the chosen sites, by module."""
        rewrites = _apart(r for place in chosen if isinstance(r := self.outcomes.get(place), Rewrite))
        active = self._active_functions(rewrites)
        rewrites += [
            call
            for call in dict.fromkeys(call for unit in sorted(active) for call in self._calls(unit))
            if call.unit.is_class or call.unit in active
        ]
        pieces: dict[str, list[Piece]] = defaultdict(list)
        for rewrite in rewrites:
            if rewrite.unit.is_class:
                pieces[rewrite.place.module] += rewrite.pieces
            for module, piece in rewrite.beside:
                pieces[module] += [piece] if piece not in pieces[module] else []
        self._add_declarations(rewrites, pieces)
        dispatched = frozenset(callee for r in rewrites if r.dispatched for callee in r.callees) & active
        for unit in sorted(active):
            self._add_function(unit, [r for r in rewrites if r.unit == unit], pieces, dispatched=unit in dispatched)
        self._add_imports(rewrites, active, dispatched, pieces)
        return dict(pieces)

    def _active_functions(self, rewrites: list[Rewrite]) -> set[Unit]:
        """Functions that hold a chosen rewrite, or call one that does, and that something rewritable calls."""
        wanted = {rewrite.unit for rewrite in rewrites if not rewrite.unit.is_class}
        waiting = list(wanted)
        while waiting:
            more = {call.unit for call in self._calls(waiting.pop()) if not call.unit.is_class} - wanted
            wanted |= more
            waiting += more
        alive: set[Unit] = set()
        while True:
            more = {
                unit
                for unit in wanted - alive
                if any(call.unit.is_class or call.unit in alive for call in self._calls(unit))
            }
            if not more:
                return alive
            alive |= more

    def _calls(self, callee: Unit) -> Iterator[Rewrite]:
        """The calls of a function that can be rewritten."""
        calls = (self._helpers[place] for place in self._calls_of.get(callee, ()))
        return (call for call in calls if isinstance(call, Rewrite))

    def _add_declarations(self, rewrites: list[Rewrite], pieces: dict[str, list[Piece]]) -> None:
        grouped: dict[tuple[Unit, Place | None], list[Declaration]] = defaultdict(list)
        methods: dict[Unit, set[str]] = defaultdict(set)
        bodies: dict[Unit, list[Declaration]] = defaultdict(list)
        for rewrite in sorted(rewrites, key=lambda r: r.place):
            for declaration in rewrite.declarations:
                if declaration.in_body:
                    bodies[declaration.unit].append(declaration)
                elif declaration.unit.is_class:
                    grouped[declaration.unit, declaration.after].append(declaration)
                    if not plain_objects.is_plain(self.context, rewrite.unit):
                        methods[declaration.unit].add(rewrite.function.rpartition(".")[2])
        for unit, named in bodies.items():
            pieces[unit.module].append(self._body_piece(unit, named))
        for (unit, after), declarations in grouped.items():
            module = after.module if after is not None else unit.module
            code = self.context.code(module)
            assert code is not None
            pieces[module].append(self._declaration_piece(code, unit, after, declarations, frozenset(methods[unit])))
        for unit in dict.fromkeys(unit for unit, _ in grouped):
            names = [d.name for (other, _), found in grouped.items() if other == unit for d in found if d.name]
            self._add_skips(unit, names, pieces)

    def _body_piece(self, unit: Unit, named: list[Declaration]) -> Piece:
        """Attributes of a class, in front of its first method."""
        code, entry = self.context.code(unit.module), self.context.project.class_node(ClassRef(unit.module, unit.name))
        point = plain_objects.body_point(code, entry) if entry is not None else None
        assert code is not None
        assert point is not None
        offset, indent = point
        lines = dict.fromkeys(declaration.line("") for declaration in named)
        return Piece(offset, offset, "".join(f"{indent}{line}{code.newline}" for line in lines) + code.newline)

    def _declaration_piece(
        self, code: Code, unit: Unit, after: Place | None, declarations: list[Declaration], methods: frozenset[str]
    ) -> Piece:
        owner = self._init_owner(unit)
        if after is None:
            lines = self._lines(code, unit, owner, declarations)
            point = owners.end_of_init(self.context, code, unit, methods)
        else:
            node = code.node(after)
            assert node is not None
            function = code.function(node)
            if function is not None and positional_parameters(function):
                owner = positional_parameters(function)[0].arg
            lines = self._lines(code, unit, owner, declarations)
            statement = code.statement(node)
            offset = code.next_line(statement.end_lineno or statement.lineno)
            before = "" if offset and code.text[offset - 1] in "\r\n" else code.newline
            point = owners.InsertionPoint(offset, code.indent_of(statement), before)
        if point.inline:
            return Piece(point.offset, point.offset, "".join(f"; {line}" for line in lines))
        body = "".join(f"{point.indent}{line}{code.newline}" for line in lines)
        return Piece(point.offset, point.offset, point.before + body + point.after, 0, 0 if after is not None else 1)

    def _lines(self, code: Code, unit: Unit, owner: str, declarations: list[Declaration]) -> list[str]:
        """Assignments, and a note of their names for code that counts the children of the class."""
        lines = list(dict.fromkeys(d.line(owner) for d in declarations))
        added = [d.name for d in declarations if d.name]
        if added and self._is_walked(unit):
            mark, _ = self._runtime(code.index, "mark_added")
            names = textwrap.wrap(" ".join(f'"{name}",' for name in added), 80)
            lines += [f"{mark}({owner}, {part.rstrip(',')})" for part in names]
        return lines

    def _is_marked(self, declaration: Declaration) -> bool:
        return declaration.unit.is_class and not declaration.in_body and self._is_walked(declaration.unit)

    def _is_walked(self, unit: Unit) -> bool:
        if unit not in self._walked:
            self._walked[unit] = child_loops.is_walked(self.context, unit)
        return self._walked[unit]

    def _add_skips(self, unit: Unit, names: list[str], pieces: dict[str, list[Piece]]) -> None:
        """Loops over the children of self go past the new ones; what else gives the children leaves them out."""
        for found in self._filters_of(unit):
            code = self.context.code(found.place.module)
            node = code.node(found.place) if code is not None else None
            assert code is not None
            assert isinstance(node, ast.expr)
            called, _ = self._runtime(code.index, found.function)
            piece = Piece(*code.span(node), f"{called}({found.owner}){found.after}")
            if piece not in pieces[found.place.module]:
                pieces[found.place.module].append(piece)
        if unit not in self._loops:
            self._loops[unit] = child_loops.loops(self.context, unit)
        for loop in self._loops[unit]:
            code = self.context.code(loop.module)
            assert code is not None
            node = next(n for n in ast.walk(code.tree) if isinstance(n, ast.For) and n.lineno == loop.line)
            function = code.function(node)
            owner = positional_parameters(function)[0].arg if function is not None else "self"
            indent, newline = code.indent_of(node.body[0]), code.newline
            offset = code.source.starts[node.body[0].lineno - 1]
            shown = " or ".join(f"{loop.variable} is {owner}.{name}" for name in names)
            text = f"{indent}if {shown}:{newline}{indent}{code.indent_unit}continue{newline}"
            pieces[loop.module].append(Piece(offset, offset, text))

    def _filters_of(self, unit: Unit) -> list[child_loops.Filter]:
        if unit not in self._filters:
            self._filters[unit] = child_loops.filters(self.context, unit)
        return self._filters[unit]

    def _init_owner(self, unit: Unit) -> str:
        index = self.context.project.index(unit.module)
        entry = index.classes.get(unit.name) if index is not None else None
        init = entry.methods.get("__init__") if entry is not None else None
        return positional_parameters(init)[0].arg if init is not None and positional_parameters(init) else "self"

    def _add_function(
        self, unit: Unit, rewrites: list[Rewrite], pieces: dict[str, list[Piece]], *, dispatched: bool
    ) -> None:
        code, index = self.context.code(unit.module), self.context.project.index(unit.module)
        assert code is not None
        assert index is not None
        base, _ = self._module(index)
        node = moved_functions.definition(code.index, unit)
        assert node is not None
        declarations = [d for r in sorted(rewrites, key=lambda r: r.place) for d in r.declarations]
        declarations = [Declaration(d.unit, d.name, d.expression.replace(OWNER, "self")) for d in declarations]
        inner = [piece for rewrite in rewrites for piece in rewrite.pieces]
        decorator, _ = self._runtime(index, STANDS_FOR)
        above = f"@{decorator}({unit.name.partition(':')[0]}){code.newline}" if dispatched else ""
        kept = moved_functions.kept_decorators(self.context, unit.module, node)
        text = moved_functions.as_class(code, node, self.class_name(unit), base, declarations, inner, above, kept)
        offset = moved_functions.place_for_class(code, node)
        lead = "" if code.text[offset - 1] in "\r\n" else code.newline
        pieces[unit.module].append(Piece(offset, offset, lead + text))

    def _runtime(self, index: FileIndex, name: str) -> tuple[str, frozenset[Import]]:
        return imports.imported(index, imports.RUNTIME, name, self.context.starred(index.name))

    def _module(self, index: FileIndex) -> tuple[str, frozenset[Import]]:
        return imports.nn_name(index, "Module", self.context.starred(index.name))

    def _add_imports(
        self, rewrites: list[Rewrite], active: set[Unit], dispatched: frozenset[Unit], pieces: dict[str, list[Piece]]
    ) -> None:
        needed: dict[str, set[Import]] = defaultdict(set)
        for rewrite in rewrites:
            for module, entry in rewrite.imports:
                needed[module].add(entry)
            for declaration in rewrite.declarations:
                if declaration.name and self._is_marked(declaration):
                    module = declaration.after.module if declaration.after is not None else declaration.unit.module
                    index = self.context.project.index(module)
                    assert index is not None
                    needed[module] |= self._runtime(index, "mark_added")[1]
                    for found in self._filters_of(declaration.unit):
                        other = self.context.project.index(found.place.module)
                        assert other is not None
                        needed[found.place.module] |= self._runtime(other, found.function)[1]
        for unit in active:
            index = self.context.project.index(unit.module)
            if index is not None:
                needed[unit.module] |= self._module(index)[1]
                if unit in dispatched:
                    needed[unit.module] |= self._runtime(index, STANDS_FOR)[1]
        for module, entries in needed.items():
            code = self.context.code(module)
            if code is not None:
                pieces[module] += imports.import_pieces(code, entries)


def _for_target(scope: Scope, site: Site) -> Site:
    """The operation with the module that the file's target has for it."""
    return replace(site, op=scope.target.row(site.op, site.scalar)) if isinstance(site, OpSite) else site


def _dispatch(scope: Scope, node: ast.Call, call: HelperCall) -> tuple[Piece, ...] | Unfixable:
    """`function(x)` → `self.function(function, x)`: a Dispatch runs what replaces the function."""
    code, (start, end) = scope.code, scope.code.span(node.func)
    bracket = code.skip_blank(end)
    is_simple = not any(isinstance(part, ast.Call | ast.BinOp) for part in ast.walk(node.func))
    if code.text[bracket] != "(" or not is_simple:
        return Unfixable("the function is called under a name that is unknown before the code runs")
    called = node.func.id.lstrip("_") if isinstance(node.func, ast.Name) else ""
    name = called or moved_functions.attribute_name(min(call.callees))
    attribute = scope.declare(name, f"{scope.runtime('Dispatch')}()", many=call.count > 1)
    first = code.skip_blank(bracket + 1)
    gap = code.text[bracket + 1 : first]
    separator = "" if code.text[first] == ")" else f",{gap}" if gap else ", "
    given = opening(first, f"{code.text[start:end]}{separator}", code.span(node)[1] - first)
    return (Piece(start, end, attribute), given)


def _unwritable(code: Code, node: ast.AST) -> str | None:
    """Why nothing else can be written where an expression stands; None where it can."""
    if _nesting(code, node) > MAX_NESTING:
        return "the expression is nested so deeply that its rewrite would not compile"
    return fstrings.refusal(code, node)


def _nesting(code: Code, node: ast.AST) -> int:
    """How many expressions stand around a node; those beyond the limit are not counted."""
    depth = 0
    while isinstance(node, ast.expr) and depth <= MAX_NESTING:
        node = code.parents[node]
        depth += 1
    return depth


def _root(node: ast.expr) -> str:
    """The name that a dotted name begins with."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _named(scope: Scope, node: ast.Call, callee: Unit) -> ast.expr | None:
    """Where the function is named: in front of its call, or as what it is called through."""
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


def _apart(rewrites: Iterable[Rewrite]) -> list[Rewrite]:
    """The rewrites but those that write where one before writes another text: these wait for a pass."""
    found: list[Rewrite] = []
    taken: dict[str, dict[tuple[int, int], str]] = defaultdict(dict)  # by module: the spans that are replaced
    for rewrite in rewrites:
        spans = taken[rewrite.place.module]
        new = {(piece.start, piece.end): piece.text for piece in rewrite.pieces if piece.end > piece.start}
        if all(spans.get(span) == text or not _meets(span, spans) for span, text in new.items()):
            spans |= new
            found.append(rewrite)
    return found


def _meets(span: tuple[int, int], spans: Iterable[tuple[int, int]]) -> bool:
    """True if a span shares characters with one of others."""
    return any(span[0] < end and start < span[1] for start, end in spans)
