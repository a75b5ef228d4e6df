"""The ends of a text: a message that a person reads, or code that may depend on it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from qprep.analysis.effects.abstract_objects import ClassObject, FunctionObject, Instance, Made, Named
from qprep.analysis.effects.implicit_calls import is_property
from qprep.analysis.effects.lexical_scopes import BindingKind
from qprep.analysis.effects.python_classes import gets_keywords, lacks
from qprep.analysis.effects.text_functions import TEXT_METHODS
from qprep.analysis.symbols.ast_utils import dotted_text, last_name
from qprep.analysis.values.abstract_values import ClassRef, External

if TYPE_CHECKING:
    from qprep.analysis.effects.lexical_scopes import FileScopes, LexicalScope
    from qprep.analysis.effects.points_to import PointsTo

# Functions of Python and of packages that show a text to a person.
_SHOWS = frozenset(
    ["_assert", "critical", "debug", "error", "exception", "fatal", "info", "log", "pp", "pprint", "print", "warn",
     "warning"]
)  # fmt: skip
_STREAMS = frozenset(("file", "stream"))
_CONSOLES = frozenset(("sys.stdout", "sys.stderr", "sys.__stdout__", "sys.__stderr__"))
_READS_VARIABLES = frozenset(("eval", "exec", "locals", "vars"))
_JOINS = frozenset(
    (
        "ascii",
        "format",
        "format_map",
        "indent",
        "join",
        "lstrip",
        "pformat",
        "replace",
        "repr",
        "rstrip",
        "str",
        "strip",
    )
)
_PASSED = (
    ast.Attribute, ast.BinOp, ast.FormattedValue, ast.GeneratorExp, ast.IfExp, ast.JoinedStr, ast.List, ast.ListComp,
    ast.Starred, ast.Subscript, ast.Tuple, ast.keyword,
)  # fmt: skip

_GROWS = frozenset(("append", "extend", "insert"))


def _any_class(_: ClassRef) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Way:
    """The state of the search for the ends of a text.

    `is_described` says whether code may use the text of an instance of a class, other than to show it; `followed` are
    the variables and functions that the text has passed through.
    """

    is_described: Callable[[ClassRef], bool] = _any_class
    followed: frozenset[tuple[LexicalScope, str]] = frozenset()

    def through(self, scope: LexicalScope, name: str) -> Way:
        """The way behind a variable, or behind the results of a function, which have no name."""
        return replace(self, followed=self.followed | {(scope, name)})


_WITHOUT_CLASSES = Way()


def is_message(node: ast.AST, file: FileScopes) -> bool:
    """True if an expression is part of an error that is raised at once, or of an assertion."""
    current: ast.AST | None = node
    while isinstance(current, ast.expr | ast.keyword | ast.FormattedValue):
        current = file.parents.get(current)
    return isinstance(current, ast.Raise | ast.Assert)


def is_shown(node: ast.AST, file: FileScopes, points_to: PointsTo, way: Way = _WITHOUT_CLASSES) -> bool:
    """True if a text ends in messages for people, or nowhere.

    What a function of the project does with a text is read in its body, whatever its name is.
    """
    current = node
    while (parent := file.parents.get(current)) is not None:
        match parent:
            case ast.Call(func=ast.Attribute(value=ast.Name() as target, attr=name) as func) if (
                name in _GROWS and isinstance(file.parents.get(parent), ast.Expr)
            ):
                if func is current:
                    return True  # a list that holds the text gets another item
                return _is_list(target, file) and _is_only_shown(target.id, file.scope_of(target), points_to, way)
            case ast.Call(func=func) if func is not current and not _is_text_method(parent):
                return _is_shown_by(parent, current, file, points_to, way)
            case ast.Call(func=func):
                if last_name(func) not in _JOINS:
                    return isinstance(file.parents.get(parent), ast.Raise)
            case ast.Raise() | ast.Assert() | ast.Expr():
                return True
            case ast.Assign(targets=[ast.Name() as target]) | ast.AugAssign(target=ast.Name() as target):
                return _is_only_shown(target.id, file.scope_of(target), points_to, way)
            case ast.Return():
                return _are_results_shown(file.scope_of(parent), points_to, way)
            case _ if not isinstance(parent, _PASSED):
                return False
        current = parent
    return False


def writes_to_a_stream(call: ast.Call) -> bool:
    """True for `print(text, file=stream)` where the stream is another one than the console's."""
    return any(
        keyword.arg in _STREAMS and dotted_text(keyword.value) not in _CONSOLES
        for keyword in call.keywords
        if not (isinstance(keyword.value, ast.Constant) and keyword.value.value is None)
    )


def is_sink(func: ast.expr, file: FileScopes, points_to: PointsTo) -> bool:
    """True if a callee of another package shows texts to people: `print`, `logger.warning`, and variables for these."""
    scope = file.scope_of(func)
    if isinstance(func, ast.Attribute) and _may_have_another(func, file, points_to):
        return False
    home = scope.binder(func.id) if isinstance(func, ast.Name) else None
    if home is None or not isinstance(func, ast.Name):
        return last_name(func) in _SHOWS or dotted_text(func).removesuffix(".write") in _CONSOLES
    found = [each.base for each in points_to.of(func, scope)]
    if found and all(isinstance(base, Named) and base.name.rpartition(".")[2] in _SHOWS for base in found):
        return True
    bindings = home.bindings[func.id]
    if any(binding.kind is BindingKind.PARAMETER for binding in bindings):
        return func.id in _SHOWS and not found
    values = [binding.value for binding in bindings if binding.kind is BindingKind.VALUE]
    return len(values) == len(bindings) and all(_is_bound_sink(value, file, points_to) for value in values)


def _may_have_another(func: ast.Attribute, file: FileScopes, points_to: PointsTo) -> bool:
    """True if code of the project may give an object a function of its own under the name of a sink."""
    owners = {each.base for each in points_to.of(func.value, file.scope_of(func))}
    if any(_has_no_sink(base, func.attr, points_to) for base in owners):
        return True
    if any(store.owner is not None for store in points_to.stores.attribute_stores(func.attr, is_exact=True)):
        return True
    stores = list(points_to.names.stores(points_to, func.attr))
    outside = (points_to.of(node.value, where) for node, where in stores if not points_to.is_own(node, where))
    if any(not found or not owners or not owners.isdisjoint(each.base for each in found) for found in outside):
        return True
    classes = {base.cls for base in owners if isinstance(base, Instance)}
    return any(where.owner in points_to.family(cls) for cls in classes for _, where in stores)


def _has_no_sink(base: object, method: str, points_to: PointsTo) -> bool:
    """True if the class of an object has no method of this name from a package: code may give the object one.

    A call of it on an object of Python that gets none, neither where it is made nor later, is an error.
    """
    match base:
        case Made(name=name):
            return lacks(name, method) and gets_keywords(name)
        case Instance(cls=cls) | ClassObject(cls=ClassRef() as cls):
            return not any(isinstance(each, External) for each in points_to.project.mro(cls))
    return False


def _is_bound_sink(value: ast.AST | None, file: FileScopes, points_to: PointsTo) -> bool:
    """True for `logger.info` and `partial(print, end="")` as values."""
    if isinstance(value, ast.Call) and last_name(value.func) == "partial" and value.args:
        return is_sink(value.args[0], file, points_to) and not writes_to_a_stream(value)
    return isinstance(value, ast.Attribute) and value.attr in _SHOWS


def _is_text_method(call: ast.Call) -> bool:
    """True if a call gives a text that holds its arguments: `", ".join(texts)`, `str(text)`."""
    return last_name(call.func) in _JOINS


def _is_shown_by(call: ast.Call, argument: ast.AST, file: FileScopes, points_to: PointsTo, way: Way) -> bool:
    """True if what is called does no more with an argument than to show it."""
    if isinstance(file.parents.get(call), ast.Raise):
        return True
    value = argument.value if isinstance(argument, ast.keyword | ast.Starred) else argument
    callees = [each.base for each in points_to.of(call.func, file.scope_of(call))]
    functions = [function for base in callees for function in _functions(base, points_to)]
    if functions and isinstance(value, ast.expr):
        bound = [
            (function, name)
            for function in functions
            for name in points_to.calls.parameters_of(call, file.scope_of(call), function, value)
        ]
        return bool(bound) and all(_is_only_shown(name, function, points_to, way) for function, name in bound)
    if any(isinstance(base, ClassObject) and isinstance(base.cls, ClassRef) for base in callees):
        return False
    return is_sink(call.func, file, points_to) and not writes_to_a_stream(call)


def _functions(base: object, points_to: PointsTo) -> Iterator[LexicalScope]:
    """The functions of the project that a call of an object runs."""
    if isinstance(base, FunctionObject):
        yield base.scope
    elif isinstance(base, Instance):
        yield from points_to.method(base.cls, "__call__")


def _is_only_shown(name: str, scope: LexicalScope, points_to: PointsTo, way: Way) -> bool:
    """True if a function has a variable for texts of which each is shown, wherever it is read."""
    home = scope.binder(name)
    if home is None or not home.is_function or name in home.outer_names:
        return False
    if (home, name) in way.followed:
        return True
    names = [part for part in ast.walk(home.node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load)]
    if any(part.id in _READS_VARIABLES for part in names):
        return False
    file = home.file
    reads = [part for part in names if part.id == name and file.scope_of(part).binder(part.id) is home]
    return all(is_shown(read, file, points_to, way.through(home, name)) for read in reads)


def _is_list(name: ast.Name, file: FileScopes) -> bool:
    """True for a variable that holds a list which was made for it, and which has no other name from the start."""
    home = file.scope_of(name).binder(name.id)
    return home is not None and all(
        binding.kind is BindingKind.VALUE
        and isinstance(binding.value, ast.List | ast.ListComp)
        and _is_for_one_name(file.parents.get(binding.value))
        for binding in home.bindings[name.id]
    )


def _is_for_one_name(statement: ast.AST | None) -> bool:
    match statement:
        case ast.Assign(targets=[ast.Name()]) | ast.AnnAssign() | ast.AugAssign():
            return True
    return False


def _are_results_shown(scope: LexicalScope, points_to: PointsTo, way: Way) -> bool:
    """True if the project calls a function and shows each of its results.

    Of what Python calls by itself, the text of an object is known, wherever it is made.
    """
    if not scope.is_function or getattr(scope.node, "decorator_list", None):
        return False
    if scope.name in TEXT_METHODS and scope.owner is not None:
        return not way.is_described(scope.owner)
    if scope.name.startswith("__") or is_property(scope):
        return False
    if (scope, "") in way.followed:
        return True
    uses = points_to.calls.uses(scope)
    if uses.unknown or uses.loose or uses.stored or not uses.direct:
        return False
    return all(is_shown(call, where.file, points_to, way.through(scope, "")) for call, where in uses.direct)
