"""Code that sees modules without a loop over them: by their text, their graph, their source, or the calls that run."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from qprep.analysis.effects.abstract_objects import (
    ANY_OBJECT,
    NOTHING,
    ClassObject,
    Instance,
    Made,
    Named,
    Reference,
    References,
)
from qprep.analysis.effects.lexical_scopes import BindingKind
from qprep.analysis.effects.made_subclasses import is_run_by_subclass
from qprep.analysis.effects.method_calls import calls_of
from qprep.analysis.effects.points_to import CHILDREN, RETURNS_SELF, is_torch_container
from qprep.analysis.symbols.ast_utils import last_name
from qprep.analysis.values.abstract_values import ClassRef, External

if TYPE_CHECKING:
    from qprep.analysis.effects.lexical_scopes import Binding, FileScopes, LexicalScope
    from qprep.analysis.effects.points_to import PointsTo

_TO_TEXT = frozenset(("repr", "str", "format", "ascii", "pformat"))
_TEXT_METHODS = frozenset(("__repr__", "__str__", "__format__"))
# Text that a person reads and no code does.
_SHOWS = frozenset(
    ["_assert", "critical", "debug", "error", "exception", "fatal", "info", "log", "pprint", "print", "warn", "warning"]
)  # fmt: skip
_READS_VARIABLES = frozenset(("eval", "exec", "locals", "vars"))
_JOINS = frozenset(("format", "join", "replace", "strip", "rstrip", "lstrip", "indent"))
# What gives pairs of a name or number and an object.
_PAIRED = frozenset(("enumerate", "items", "named_children", "named_modules"))
_DIR = frozenset(("__dir__",))
_LISTS_NAMES = frozenset(("dir", "getmembers", "getmembers_static"))
# What torch.fx, torch.jit and torch.export give to the model that they traced.
_OF_GRAPHS = frozenset(("code", "graph", "graph_module", "inlined_graph", "nodes"))
_SOURCE_FUNCTIONS = frozenset(
    ["Bytecode", "code_info", "dis", "findsource", "get_instructions", "getsource", "getsourcelines"]
)  # fmt: skip
_FILE_READERS = frozenset(("getline", "getlines", "open", "read_bytes", "read_text"))
# Parts of a code object that say no more than the signature.
_SIGNATURE_PARTS = frozenset(
    ["co_argcount", "co_filename", "co_flags", "co_kwonlyargcount", "co_name", "co_posonlyargcount", "co_qualname",
     "co_varnames"]
)  # fmt: skip
_ITERATES = frozenset(("enumerate", "iter", "len", "list", "map", "next", "reversed", "set", "sorted", "tuple", "zip"))
_JOINING = (ast.Add, ast.Mult)  # blocks + others, blocks * 2
# Methods of these that go through the items, or give a new one a name or a place by their number.
_CONTAINER_METHODS = frozenset(
    ["__add__", "__delitem__", "__getitem__", "__iter__", "__len__", "__setitem__", "append", "clear", "extend",
     "insert", "items", "keys", "pop", "popitem", "update", "values"]
)  # fmt: skip
# Functions that look at a function and do not run it.
_LOOKS = frozenset(
    ["from_callable", "get_type_hints", "getargspec", "getdoc", "getfullargspec", "getsource", "getsourcelines",
     "hasattr", "signature", "wraps"]
)  # fmt: skip
_LINES = frozenset(("f_lineno", "tb_lineno"))
_WATCHERS = frozenset(
    ["gc.get_objects", "sys.setprofile", "sys.settrace", "threading.setprofile", "threading.settrace"]
)  # fmt: skip
_WATCHER_NAMES = frozenset(name.rpartition(".")[2] for name in _WATCHERS)
_OF_EACH_PICKLED = frozenset(("persistent_id", "reducer_override"))
_HANDLERS = frozenset(("__torch_dispatch__", "__torch_function__"))


@dataclass(frozen=True, slots=True)
class Exposure:
    """An object that code sees, the place, and the words for a note."""

    find_targets: Callable[[], References]
    node: ast.expr | ast.stmt
    text: str


# Texts and lists of names


def texts(file: FileScopes, points_to: PointsTo) -> Iterator[Exposure]:
    """Texts of modules that the program uses: each names all modules below.

    Text that is printed, logged or part of an error's message is for people, and left out.
    """
    for node in (*file.index.of(ast.Call), *file.index.of(ast.BinOp), *file.index.of(ast.FormattedValue)):
        described = _described(node)
        if described and (last_name(getattr(node, "func", node)) == "print" or not _is_shown(node, file)):
            for value in described:
                if _is_part_of_tuple(value, file) or _is_part_of_name(node, file.parents):
                    continue
                find = partial(_below_without_own_text, points_to, value, file)
                if (owner := _class_described(file.scope_of(node))) is not None:
                    find = partial(_if_described, points_to, owner, find)
                yield Exposure(find, node, f"uses the text of `{ast.unparse(value)}`")
    for call in file.index.of(ast.Call):
        listed = names_listed(call, file, points_to)
        if listed is not None and not isinstance(file.parents.get(call), ast.Compare):
            yield Exposure(partial(_children, points_to, listed, file), call, f"lists `{ast.unparse(call)}`")


def names_listed(call: ast.Call, file: FileScopes, points_to: PointsTo) -> ast.expr | None:
    """The object whose names a call lists: `dir(x)`, `getmembers(x)`, `x.__dir__()`, `object.__dir__(x)`."""
    if last_name(call.func) in _LISTS_NAMES and call.args:
        return call.args[0]
    scope = file.scope_of(call)
    if scope.name == "__dir__":
        return None  # the class's own way to answer `dir`
    calls = calls_of(_DIR, call, file, lambda node: points_to.of(node, file.scope_of(node)))
    return next((func.value for _, func in calls), None)


def _is_part_of_name(node: ast.expr, parents: dict[ast.AST, ast.AST]) -> bool:
    """True if a text is a part of the name of an attribute: `setattr(self, f"act_{i}", …)`. No module is put there."""
    text = parents.get(node)
    call = parents.get(text) if isinstance(node, ast.FormattedValue) and text is not None else None
    match call:
        case ast.Call(func=ast.Name(id="getattr" | "setattr" | "hasattr" | "delattr"), args=[_, name, *_]):
            return name is text
        case ast.Call(func=ast.Attribute(attr="add_module" | "register_module" | "register_buffer"), args=[name, *_]):
            return name is text
    return False


def _class_described(scope: LexicalScope) -> ClassRef | None:
    """The class whose text a method makes: `__repr__` and its like."""
    return scope.owner if scope.name in _TEXT_METHODS else None


def _if_described(points_to: PointsTo, owner: ClassRef, find: Callable[[], References]) -> References:
    """The objects that the text of a class's instances shows, if any code uses their text."""
    family = points_to.family(owner)
    return NOTHING if family.isdisjoint(_described_classes(points_to)) else find()


_DESCRIBED: WeakKeyDictionary[PointsTo, frozenset[ClassRef]] = WeakKeyDictionary()


def _described_classes(points_to: PointsTo) -> frozenset[ClassRef]:
    """The classes of the project of whose instances code uses the text, other than to show it."""
    if points_to not in _DESCRIBED:
        _DESCRIBED[points_to] = frozenset(_find_described(points_to))
    return _DESCRIBED[points_to]


def _find_described(points_to: PointsTo) -> Iterator[ClassRef]:
    for file in filter(None, map(points_to.file, points_to.modules)):
        for node in (*file.index.of(ast.Call), *file.index.of(ast.BinOp), *file.index.of(ast.FormattedValue)):
            described = _described(node)
            if described and not _is_shown(node, file):
                references = (each for value in described for each in points_to.of(value, file.scope_of(value)))
                yield from (each.base.cls for each in references if isinstance(each.base, Instance))


def _described(node: ast.expr) -> list[ast.expr]:
    """The values that an expression turns into text."""
    match node:
        case ast.FormattedValue(value=value):
            return [value]
        case ast.BinOp(left=ast.Constant(value=str()) | ast.JoinedStr(), op=ast.Mod(), right=right):
            return list(right.elts) if isinstance(right, ast.Tuple) else [right]
        case ast.Call(func=ast.Attribute(value=value, attr=method)) if method in _TEXT_METHODS:
            return [value]
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str()), attr="format"), args=args, keywords=keywords):
            return [*args, *(keyword.value for keyword in keywords)]
        case ast.Call(func=ast.Name(id="map"), args=[ast.Name(id=function), *items]) if function in _TO_TEXT:
            return items
        case ast.Call(func=ast.Name(id="print"), args=args, keywords=keywords):
            return list(args) if any(keyword.arg == "file" for keyword in keywords) else []
        case ast.Call(func=func, args=[value, *_]) if last_name(func) in _TO_TEXT and not _is_method(func):
            return [value]
    return []


def _is_part_of_tuple(value: ast.expr, file: FileScopes) -> bool:
    """True if a name is one part of tuples of unlike things: what is known of those is no evidence of a module.

    The name in a pair of a name and a module is such a part, and the module is not.
    """
    home = file.scope_of(value).binder(value.id) if isinstance(value, ast.Name) else None
    if home is None or not isinstance(value, ast.Name):
        return False
    return all(_unpacks(binding, value.id, file) for binding in home.bindings[value.id])


def _unpacks(binding: Binding, name: str, file: FileScopes) -> bool:
    source = binding.value if isinstance(binding.value, ast.expr) else None
    statement = file.parents.get(source) if source is not None else None
    match statement:
        case ast.For(target=target) | ast.comprehension(target=target) | ast.Assign(targets=[target]):
            parts = target.elts if isinstance(target, ast.Tuple | ast.List) else []
        case _:
            parts = []
    names = [part.id if isinstance(part, ast.Name) else "" for part in parts]
    if name not in names:
        return False
    maker = last_name(source.func) if isinstance(source, ast.Call) else ""
    return maker != "zip" and not (maker in _PAIRED and names.index(name) > 0)


def _is_method(func: ast.expr) -> bool:
    """True if a callee is an attribute of something that is no module: `text.format(…)`."""
    return isinstance(func, ast.Attribute) and func.attr != "pformat"


_Variables = frozenset[tuple["LexicalScope", str]]


def _is_shown(node: ast.AST, file: FileScopes, followed: _Variables = frozenset()) -> bool:
    """True if a text ends in a message for people, or nowhere. `followed`: the variables on the way to it."""
    current = node
    while (parent := file.parents.get(current)) is not None:
        match parent:
            case ast.Call(func=func) if func is not current and _shows(func):
                return not any(keyword.arg == "file" for keyword in parent.keywords)
            case ast.Call(func=func) if last_name(func) in (*_JOINS, *_TO_TEXT):
                pass
            case ast.Call():
                return _is_raised(parent, file.parents)
            case ast.Raise() | ast.Assert() | ast.Expr():
                return True
            case ast.Assign(targets=[ast.Name() as target]) | ast.AugAssign(target=ast.Name() as target):
                return _is_only_shown(target, file, followed)
            case ast.BinOp() | ast.JoinedStr() | ast.FormattedValue() | ast.IfExp() | ast.Attribute() | ast.Subscript():
                pass
            case ast.Tuple() | ast.keyword() | ast.Starred() | ast.ListComp() | ast.GeneratorExp():
                pass
            case _:
                return False
        current = parent
    return False


def _shows(func: ast.expr) -> bool:
    """True for `print`, and for `logger.warning`."""
    return last_name(func) in _SHOWS


def _is_only_shown(target: ast.Name, file: FileScopes, followed: _Variables) -> bool:
    """True if a function has a variable for texts of which each is shown, wherever it is read."""
    home = file.scope_of(target).binder(target.id)
    if home is None or not home.is_function or target.id in home.outer_names:
        return False
    if (home, target.id) in followed:
        return True
    names = [part for part in ast.walk(home.node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load)]
    if any(part.id in _READS_VARIABLES for part in names):
        return False
    reads = [part for part in names if part.id == target.id and file.scope_of(part).binder(part.id) is home]
    return all(_is_shown(read, file, followed | {(home, target.id)}) for read in reads)


def _is_raised(call: ast.Call, parents: dict[ast.AST, ast.AST]) -> bool:
    return isinstance(parents.get(call), ast.Raise)


def _below_without_own_text(points_to: PointsTo, value: ast.expr, file: FileScopes) -> References:
    """The modules below an expression, except for objects whose class defines their text."""
    if (
        isinstance(value, ast.Call)
        and isinstance(value.func, ast.Attribute)
        and not _returns_object(points_to, value.func)
    ):
        return NOTHING
    if _is_item_of_result(points_to, value, file):
        return NOTHING
    found = points_to.of(value, file.scope_of(value))
    # What may be any object is left out: few of all values in texts are modules.
    plain = (each for each in found if isinstance(each.base, Instance) and not _has_own_text(points_to, each.base.cls))
    return points_to.below(frozenset(plain))


def _is_item_of_result(points_to: PointsTo, value: ast.expr, file: FileScopes) -> bool:
    """True for `key` in `for key, _ in x.mapping().items()`: what an unknown method's result holds is no module."""
    home = file.scope_of(value).binder(value.id) if isinstance(value, ast.Name) else None
    if home is None or not isinstance(value, ast.Name):
        return False
    bindings = home.bindings[value.id]
    return bool(bindings) and all(
        binding.kind is BindingKind.ITEM and _is_result(points_to, binding.value) for binding in bindings
    )


def _is_result(points_to: PointsTo, node: ast.AST | None) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(value=inner, attr="items" | "keys" | "values"), args=[]):
            return _is_result(points_to, inner)
        case ast.Call(func=ast.Attribute() as func):
            return func.attr not in CHILDREN and not _returns_object(points_to, func)
    return False


def _returns_object(points_to: PointsTo, func: ast.Attribute) -> bool:
    """True if a method may return a module: one of the project's, or `model.eval()`."""
    return func.attr in RETURNS_SELF or points_to.names.is_method(func.attr)


def _has_own_text(points_to: PointsTo, cls: ClassRef) -> bool:
    bases = (base for base in points_to.project.mro(cls) if isinstance(base, ClassRef))
    return any(not _TEXT_METHODS.isdisjoint(points_to.project.methods(base) or ()) for base in bases)


def _children(points_to: PointsTo, value: ast.expr, file: FileScopes) -> References:
    return points_to.below(points_to.of(value, file.scope_of(value)), is_direct=True)


# Graphs, and what watches every call


def graphs(file: FileScopes, points_to: PointsTo) -> Iterator[Exposure]:
    """Graphs of traced models, which name every module and function that runs."""
    for node in file.index.of(ast.Attribute):
        if node.attr in _OF_GRAPHS and isinstance(node.ctx, ast.Load):
            yield Exposure(partial(_traced, points_to, node, file), node, f"reads `{ast.unparse(node)}`")


def _traced(points_to: PointsTo, node: ast.Attribute, file: FileScopes) -> References:
    """The modules below a model that a tracer was given: its class has no attribute of this name itself."""
    found = points_to.of(node.value, file.scope_of(node))
    traced = (
        each for each in found if isinstance(each.base, Instance) and not _has(points_to, each.base.cls, node.attr)
    )
    return points_to.below(frozenset(traced))


def _has(points_to: PointsTo, cls: ClassRef, attribute: str) -> bool:
    is_method = any(attribute in (points_to.project.methods(base) or ()) for base in _bases(points_to, cls))
    return is_method or any(
        points_to.enclosing_class(scope) in points_to.family(cls)
        for _, scope in points_to.names.stores(points_to, attribute)
    )


def _bases(points_to: PointsTo, cls: ClassRef) -> Iterator[ClassRef]:
    return (base for base in points_to.project.mro(cls) if isinstance(base, ClassRef))


def watchers(file: FileScopes, points_to: PointsTo) -> Iterator[Exposure]:
    """`sys.settrace`, `gc.get_objects`, classes of picklers: code that sees every call or every object."""
    for call in file.index.of(ast.Call):
        if last_name(call.func) not in _WATCHER_NAMES:
            continue
        names = {r.base.name for r in points_to.of(call.func, file.scope_of(call)) if isinstance(r.base, Named)}
        if names & _WATCHERS:
            yield Exposure(lambda: ANY_OBJECT, call, f"calls `{ast.unparse(call.func)}`")
    for node in file.index.of(ast.ClassDef):
        methods = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
        cls = file.class_of(node) if not methods.isdisjoint(_OF_EACH_PICKLED) else None
        bases = points_to.project.mro(cls) if cls is not None else ()
        if any(isinstance(base, External) and base.name.endswith("Pickler") for base in bases):
            yield Exposure(lambda: ANY_OBJECT, node, f"`{node.name}` sees each object that is pickled")


# Sources


def sources(file: FileScopes, points_to: PointsTo) -> Iterator[Exposure]:
    """Uses of the source or the byte code of classes and functions, or of the text of a file."""
    for call in file.index.of(ast.Call):
        name = last_name(call.func)
        if name in _SOURCE_FUNCTIONS and call.args:
            find = partial(points_to.of, call.args[0], file.scope_of(call))
            yield Exposure(find, call, f"calls `{ast.unparse(call.func)}`")
        elif name in _FILE_READERS and any(isinstance(p, ast.Name) and p.id == "__file__" for p in ast.walk(call)):
            yield Exposure(partial(_file, file), call, f"reads its own file by `{ast.unparse(call.func)}`")
    for node in file.index.of(ast.Attribute):
        outer = file.parents.get(node)
        if node.attr == "__code__" and not (isinstance(outer, ast.Attribute) and outer.attr in _SIGNATURE_PARTS):
            find = partial(points_to.of, node.value, file.scope_of(node))
            yield Exposure(find, node, f"reads `{ast.unparse(node)}`")
        elif node.attr in _LINES and not _is_shown(node, file):
            yield Exposure(partial(_file, file), node, f"reads `{ast.unparse(node)}`")


def _file(file: FileScopes) -> References:
    return frozenset((Reference(Named(file.module)),))


# Functions of torch


def handlers(file: FileScopes) -> Iterator[tuple[ClassRef, ast.FunctionDef]]:
    """Classes with a `__torch_function__` or `__torch_dispatch__` that asks which function of torch is called."""
    for node in file.index.of(ast.FunctionDef):
        scope = file.defined(node)
        if node.name in _HANDLERS and scope is not None and scope.owner is not None and _asks_which(node):
            yield scope.owner, node


def _asks_which(handler: ast.FunctionDef) -> bool:
    """True if a handler does more with the function than to call it or to give it to the handler above."""
    parameters = [argument.arg for argument in (*handler.args.posonlyargs, *handler.args.args)]
    function = parameters[1] if len(parameters) > 1 else None
    parents = {child: node for node in ast.walk(handler) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(handler):
        if isinstance(node, ast.Name) and node.id == function and isinstance(node.ctx, ast.Load):
            parent = parents[node]
            is_called = isinstance(parent, ast.Call) and parent.func is node
            if not is_called and not (isinstance(parent, ast.Call) and last_name(parent.func) in _HANDLERS):
                return True
    return False


def handled_objects(cls: ClassRef) -> References:
    """The class of tensors or modes with a handler, and its instances."""
    return frozenset((Reference(ClassObject(cls)), Reference(Instance(cls))))


# Containers and borrowed methods


def container_uses(file: FileScopes, points_to: PointsTo) -> Iterator[Exposure]:
    """Lengths, items and iterations of objects whose class inherits from a container of torch.nn.

    A class's uses of its own `self` are left out: the rewrite of the class takes care of them.
    """
    if not points_to.has_own_containers:
        return
    for node, value in _counted(file):
        if isinstance(value, ast.Name | ast.Attribute) and not _is_self_or_list(value, file, points_to):
            text = f"uses the items of `{ast.unparse(value)}`"
            yield Exposure(partial(_contained, points_to, value, node, file), node, text)


_Counted = Iterator[tuple[ast.expr | ast.stmt, ast.expr]]


def _counted(file: FileScopes) -> _Counted:
    """Expressions whose items or length are used, or may be changed, and where."""
    yield from _counted_by_calls(file)
    yield from _counted_by_syntax(file)


def _counted_by_calls(file: FileScopes) -> _Counted:
    for call in file.index.of(ast.Call):
        if isinstance(call.func, ast.Name) and call.func.id in _ITERATES:
            yield from ((call, argument) for argument in call.args)
        elif isinstance(call.func, ast.Attribute) and call.func.attr == "forward":
            yield from ((call, argument) for argument in call.args[:1])  # nn.Sequential.forward(blocks, x)
        elif isinstance(call.func, ast.Attribute) and call.func.attr in _CONTAINER_METHODS:
            yield call, call.func.value


def _counted_by_syntax(file: FileScopes) -> _Counted:
    for loop in file.index.of(ast.For):
        yield loop, loop.iter
    for generator in file.index.of(ast.comprehension):
        yield generator.iter, generator.iter
    for item in file.index.of(ast.Subscript):
        # A text or a number from the front means the same child whatever is added behind it.
        if isinstance(item.ctx, ast.Del) or not isinstance(item.slice, ast.Constant):
            yield item, item.value
    for star in file.index.of(ast.Starred):
        yield star, star.value
    for operation in file.index.of(ast.BinOp):
        if isinstance(operation.op, _JOINING):
            yield from ((operation, operand) for operand in (operation.left, operation.right))
    for added in file.index.of(ast.AugAssign):
        if isinstance(added.op, _JOINING):
            yield added, added.target


def _is_self_or_list(value: ast.expr, file: FileScopes, points_to: PointsTo) -> bool:
    """True if an expression is `self`, or a variable that is bound to a display or to numbers."""
    if not isinstance(value, ast.Name):
        return False
    scope = file.scope_of(value)
    home = scope.binder(value.id)
    bindings = home.bindings[value.id] if home is not None else ()
    displays = (ast.List, ast.Tuple, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp, ast.Constant)
    is_display = bool(bindings) and all(isinstance(binding.value, displays) for binding in bindings)
    return value.id == points_to.receiver(scope) or is_display


def _contained(points_to: PointsTo, value: ast.expr, node: ast.AST, file: FileScopes) -> References:
    """The children of own containers; of a ModuleList that holds some, the list is what is gone through."""
    found = points_to.of(value, file.scope_of(value))
    is_joined = isinstance(node, ast.BinOp | ast.AugAssign)
    if not is_joined and any(isinstance(each.base, Made) and is_torch_container(each.base.name) for each in found):
        return NOTHING
    containers = (r for r in found if isinstance(r.base, Instance) and points_to.is_container(r.base.cls))
    return points_to.below(frozenset(containers), is_direct=True)


def borrowed_methods(file: FileScopes, points_to: PointsTo) -> Iterator[Exposure]:
    """Methods that are fetched from their class, so that any object may run them: `Net.forward(other, x)`."""
    for node in file.index.of(ast.Attribute):
        if not isinstance(node.ctx, ast.Load) or not points_to.names.is_method(node.attr):
            continue
        if node.attr == "__init__" and is_run_by_subclass(node, file):
            continue
        if isinstance(node.value, ast.Name | ast.Attribute) and not _only_looks(file, points_to, node):
            find = partial(_fetched, points_to, node, file)
            yield Exposure(find, node, f"fetches `{ast.unparse(node)}` for any object")


def _fetched(points_to: PointsTo, node: ast.Attribute, file: FileScopes) -> References:
    """The classes that a method is fetched from, except where its own instance runs it: `Base.forward(self, x)`."""
    scope = file.scope_of(node)
    parent = file.parents.get(node)
    first = parent.args[0] if isinstance(parent, ast.Call) and parent.func is node and parent.args else None
    is_own = isinstance(first, ast.Name) and first.id == points_to.receiver(scope)
    around = points_to.enclosing_class(scope) if is_own else None
    found = [each for each in points_to.of(node.value, scope) if isinstance(each.base, ClassObject)]
    return frozenset(
        each
        for each in found
        if isinstance(each.base, ClassObject)
        and isinstance(each.base.cls, ClassRef)
        and around not in points_to.family(each.base.cls)
        and any(_may_be_borrowed(method, parent, node) for method in points_to.method(each.base.cls, node.attr))
    )


def _may_be_borrowed(method: LexicalScope, parent: ast.AST | None, node: ast.Attribute) -> bool:
    """True if a use of a method of a class may run it on any object.

    A call that gives too few arguments for that is one of an instance: `model.load(path)` where `model` is not known.
    """
    if method.receiver is None or method.arguments is None:
        return False
    if not isinstance(parent, ast.Call) or parent.func is not node:
        return True
    if any(isinstance(argument, ast.Starred) for argument in parent.args) or any(
        k.arg is None for k in parent.keywords
    ):
        return True
    parameters = [*method.arguments.posonlyargs, *method.arguments.args]
    required = {arg.arg for arg in parameters[: len(parameters) - len(method.arguments.defaults)]}
    given = {arg.arg for arg in parameters[: len(parent.args)]} | {keyword.arg for keyword in parent.keywords}
    return required <= given


def _only_looks(file: FileScopes, points_to: PointsTo, node: ast.Attribute) -> bool:
    """True if a method is read and not run, or is one of `self`: `Net.forward.__doc__`, `signature(Net.forward)`."""
    parent = file.parents.get(node)
    match parent:
        case ast.Call(func=func) if func is not node:
            return last_name(func) in _LOOKS
        case ast.Attribute() | ast.Compare():
            return True
    root: ast.expr = node
    while isinstance(root, ast.Attribute):
        root = root.value
    return isinstance(root, ast.Name) and root.id == points_to.receiver(file.scope_of(node))
