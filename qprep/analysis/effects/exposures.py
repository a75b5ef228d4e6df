"""Code that sees modules without a loop over them: by their graph, their source, or the calls that run."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from qprep.analysis.effects.abstract_objects import (
    ANY_OBJECT,
    ClassObject,
    Instance,
    Named,
    Reference,
    References,
)
from qprep.analysis.effects.argument_reads import reads_arguments
from qprep.analysis.effects.made_subclasses import is_run_by_subclass
from qprep.analysis.effects.text_sinks import is_shown
from qprep.analysis.symbols.ast_utils import dotted_root, last_name
from qprep.analysis.values.abstract_values import ClassRef, External

if TYPE_CHECKING:
    from qprep.analysis.effects.lexical_scopes import FileScopes, LexicalScope
    from qprep.analysis.effects.points_to import PointsTo

# What torch.fx, torch.jit and torch.export give to the model that they traced.
_OF_GRAPHS = frozenset(("code", "graph", "graph_module", "inlined_graph", "nodes"))
# What a FlopCounterMode tells of each module that runs.
_BY_MODULE = frozenset(("flop_counts", "get_flop_counts"))
_SOURCE_FUNCTIONS = frozenset(
    ["Bytecode", "code_info", "dis", "findsource", "get_instructions", "getsource", "getsourcelines"]
)  # fmt: skip
_FILE_READERS = frozenset(("getline", "getlines", "open", "read_bytes", "read_text"))
# Parts of a code object that say no more than the signature.
_SIGNATURE_PARTS = frozenset(
    ["co_argcount", "co_filename", "co_flags", "co_kwonlyargcount", "co_name", "co_posonlyargcount", "co_qualname",
     "co_varnames"]
)  # fmt: skip
# Functions that look at a function and do not run it.
_LOOKS = frozenset(
    ["from_callable", "get_type_hints", "getargspec", "getdoc", "getfullargspec", "getsource", "getsourcelines",
     "hasattr", "signature", "wraps"]
)  # fmt: skip
_BINDS = frozenset(("__call__", "__func__", "__get__", "__wrapped__"))  # of a method, by which it may run
_LINES = frozenset(("f_lineno", "tb_lineno"))
_WATCHERS = frozenset(
    ["gc.get_objects", "sys.monitoring.register_callback", "sys.setprofile",
     "sys.settrace", "threading.setprofile", "threading.setprofile_all_threads", "threading.settrace",
     "threading.settrace_all_threads", "torch.utils.module_tracker.ModuleTracker"]
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


# Graphs, and what watches every call


def graphs(file: FileScopes, points_to: PointsTo) -> Iterator[Exposure]:
    """Graphs of traced models, which name every module and function that runs."""
    for node in file.index.of(ast.Attribute):
        if node.attr in _OF_GRAPHS and isinstance(node.ctx, ast.Load):
            yield Exposure(partial(_traced, points_to, node, file), node, f"reads `{ast.unparse(node)}`")


def traced_models(file: FileScopes, points_to: PointsTo) -> Iterator[Exposure]:
    """Models that code gives to its own tracer or interpreter of torch.fx, which sees each module and function."""
    names = {cls.name.rpartition(".")[2] for cls in points_to.own_tracers}
    for call in file.index.of(ast.Call) if names else ():
        if (call.args or call.keywords) and (last_name(call.func) == "trace" or _may_name(call.func, names, file)):
            find = partial(_given_to_tracer, points_to, call, file)
            yield Exposure(find, call, f"calls `{ast.unparse(call.func)}`")


def _may_name(func: ast.expr, names: set[str], file: FileScopes) -> bool:
    """True if a call may be of a class by its own name, or by another one that the file has for it."""
    home = file.scope_of(func).binder(func.id) if isinstance(func, ast.Name) else None
    if home is None or not isinstance(func, ast.Name):
        return last_name(func) in names
    bindings = home.bindings[func.id]
    return func.id in names or any(
        binding.target.rpartition(".")[2] in names or isinstance(binding.value, ast.Name | ast.Attribute)
        for binding in bindings
    )


def _given_to_tracer(points_to: PointsTo, call: ast.Call, file: FileScopes) -> References:
    """The modules below the models that a call gives to a tracer or an interpreter of the project."""
    scope = file.scope_of(call)
    callees = set(points_to.of(call.func, scope))
    if isinstance(call.func, ast.Attribute):
        callees |= points_to.of(call.func.value, scope)
    if not any(isinstance(c.base, ClassObject | Instance) and c.base.cls in points_to.own_tracers for c in callees):
        return frozenset()
    values = (*call.args, *(keyword.value for keyword in call.keywords))
    return points_to.below(frozenset().union(*(points_to.of(value, scope) for value in values)))


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
    """`sys.settrace`, `gc.get_objects`, classes of picklers, in any spelling: they see each call or object."""
    nodes: list[ast.Name | ast.Attribute | ast.Call] = [*file.index.of(ast.Name), *file.index.of(ast.Attribute)]
    for node in (*nodes, *file.index.of(ast.Call)):
        if _may_be_watcher(node, file):
            names = {r.base.name for r in points_to.of(node, file.scope_of(node)) if isinstance(r.base, Named)}
            if names & _WATCHERS:
                yield Exposure(lambda: ANY_OBJECT, node, f"uses `{ast.unparse(node)}`")
    for attribute in file.index.of(ast.Attribute):
        if attribute.attr in _BY_MODULE and not points_to.has_method(attribute.attr):
            yield Exposure(lambda: ANY_OBJECT, attribute, f"reads `{ast.unparse(attribute)}`")
    for definition in file.index.of(ast.ClassDef):
        methods = {item.name for item in definition.body if isinstance(item, ast.FunctionDef)}
        cls = file.class_of(definition) if not methods.isdisjoint(_OF_EACH_PICKLED) else None
        bases = points_to.project.mro(cls) if cls is not None else ()
        if any(isinstance(base, External) and base.name.endswith("Pickler") for base in bases):
            yield Exposure(lambda: ANY_OBJECT, definition, f"`{definition.name}` sees each object that is pickled")


def _may_be_watcher(node: ast.Name | ast.Attribute | ast.Call, file: FileScopes) -> bool:
    """True if an expression names one of the watchers: by an import, as an attribute, or by a text for `getattr`."""
    match node:
        case ast.Name(id=name, ctx=ast.Load()):
            home = file.scope_of(node).binder(name)
            return home is not None and any(binding.target in _WATCHERS for binding in home.bindings[name])
        case ast.Attribute(attr=name, ctx=ast.Load()):
            return name in _WATCHER_NAMES
        case ast.Call(func=ast.Name(id="getattr"), args=[_, ast.Constant(value=name), *_]):
            return name in _WATCHER_NAMES
    return False


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
        elif node.attr in _LINES and not is_shown(node, file, points_to):
            yield Exposure(partial(_file, file), node, f"reads `{ast.unparse(node)}`")


def _file(file: FileScopes) -> References:
    return frozenset((Reference(Named(file.module)),))


# Functions of torch


def handlers(file: FileScopes) -> Iterator[tuple[ClassRef, ast.FunctionDef]]:
    """Classes with a `__torch_function__` or `__torch_dispatch__` that asks which function is called, or how."""
    for node in file.index.of(ast.FunctionDef):
        scope = file.defined(node)
        if node.name not in _HANDLERS or scope is None or scope.owner is None:
            continue
        if _asks_which(node) or reads_arguments(node):
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


# Borrowed methods


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
        case ast.Attribute(attr=name):
            return name not in _BINDS
        case ast.Compare():
            return True
    root = dotted_root(node)
    return isinstance(root, ast.Name) and root.id == points_to.receiver(file.scope_of(node))
