"""Static methods and class methods that run operations: each becomes a module behind its class, as a function does."""

from __future__ import annotations

import ast
from collections import defaultdict
from typing import TYPE_CHECKING

from qprep.analysis.effects.write_records import UNKNOWN_ATTRIBUTE
from qprep.analysis.places import Unit
from qprep.analysis.symbols.ast_utils import is_class_of, last_name, positional_parameters, walk
from qprep.analysis.symbols.definition_names import DefinitionName, variants
from qprep.analysis.values.abstract_values import ClassRef
from qprep.foundation.findings import Rejection, RejectionCode
from qprep.rewriting.safety.external_writes import is_written
from qprep.rewriting.safety.introspection import class_values

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qprep.analysis.symbols.symbol_table import ClassNode, FileIndex
    from qprep.rewriting.fix_scope import Scope
    from qprep.rewriting.fix_session import RewriteContext
    from qprep.rewriting.source_code import Code

CLASS_METHOD = "builtins.classmethod"
DECORATORS = frozenset(("builtins.staticmethod", CLASS_METHOD))
_OF_CLASS = frozenset(("super", "__class__"))


def rejection_of(context: RewriteContext, code: Code, unit: Unit, node: ast.FunctionDef) -> Rejection | None:
    """The reason why a static method or class method cannot become a module; None if it can."""
    own = DefinitionName.parse(unit.name)
    kind = "class method" if is_class_method(context, unit) else "static method"
    owner, method = own.owner, own.key
    entry = code.index.classes.get(owner)
    if entry is None or not isinstance(code.parents.get(entry.node), ast.Module) or _has_others(code.index, owner):
        return Rejection(
            f"`{unit.name}` is a {kind} of a class that is defined conditionally, or in other code",
            RejectionCode.FUNCTION,
        )
    if method == "forward" or method.startswith("__") or len(variants(entry.methods, method)) > 1:
        return Rejection(
            f"`{unit.name}` is a {kind} that Python or torch calls, or that is defined more than once",
            RejectionCode.FUNCTION,
        )
    if (other := next(_others(context, unit, method), None)) is not None:
        return Rejection(f"`{unit.name}` is a {kind}, and `{other}` may replace it", RejectionCode.FUNCTION)
    if code.indent_of(node) != code.indent_unit:
        return Rejection(f"`{unit.name}` is a {kind} with another indentation than its file", RejectionCode.FUNCTION)
    if any(isinstance(part, ast.Name) and part.id in _OF_CLASS for part in walk(node)):
        return Rejection(f"`{unit.name}` is a {kind} that reads its class", RejectionCode.FUNCTION)
    if (name := next(_names_of_class(entry, node), None)) is not None:
        return Rejection(
            f"`{unit.name}` is a {kind} whose parameters are defined with `{name}` of its class",
            RejectionCode.FUNCTION,
        )
    if _calls_itself(code.index, node):
        return Rejection(f"`{unit.name}` calls itself", RejectionCode.FUNCTION)
    if _is_taken(entry, method) or any(_is_taken_from_a_type(context, name, method) for name in context.project.given):
        return Rejection(
            f"`{unit.name}` is a {kind} that is also read as a value, from its class or an instance",
            RejectionCode.FUNCTION,
        )
    return None


def _has_others(index: FileIndex, cls: str) -> bool:
    """True if the name of a class may mean another one: `Net = wrap(Net)`."""
    return cls in index.alternatives or cls in index.values or cls in index.imports


def _calls_itself(index: FileIndex, node: ast.FunctionDef) -> bool:
    """True if a function may run again inside itself, as far as the functions of its file are known by their names."""
    known: dict[str, list[ast.FunctionDef]] = defaultdict(list)
    for function in index.of(ast.FunctionDef):
        known[function.name].append(function)
    waiting, found = [node], set[str]()
    while waiting:
        called = {last_name(part.func) for part in walk(waiting.pop()) if isinstance(part, ast.Call)} - found
        found |= called
        waiting += [function for name in called for function in known[name]] if node.name not in found else []
    return node.name in found


def _is_taken(entry: ClassNode, method: str) -> bool:
    """True if the body of a class takes its method as a value: `TABLE = {"mix": mix}`."""
    lines = [line for line in entry.node.body if not isinstance(line, ast.FunctionDef | ast.ClassDef)]
    return any(isinstance(part, ast.Name) and part.id == method for line in lines for part in walk(line))


def _is_taken_from_a_type(context: RewriteContext, module: str, method: str) -> bool:
    """`type(self).mix`, `self.__class__.mix`: nobody follows these."""
    if f".{method}" not in (context.project.text(module) or ""):
        return False
    index = context.project.index(module)
    found = index.of(ast.Attribute) if index is not None else ()
    return any(node.attr == method and is_class_of(node.value) for node in found)


def _others(context: RewriteContext, unit: Unit, method: str) -> Iterator[str]:
    """Another meaning of the name on instances: a definition of a relative, an attribute, or a value set elsewhere."""
    owner = ClassRef(unit.module, DefinitionName.parse(unit.name).owner)
    holder = Unit(owner.module, owner.name, True)
    for member in context.family(holder):
        entry = context.project.class_node(member)
        names = {*context.analysis.attributes_of(member).names, *(entry.values if entry is not None else ())}
        inherited = entry.methods if entry is not None and member != owner else ()
        if entry is None or method in names or method in inherited:
            yield f"{member.name}.{method}"
    is_set = UNKNOWN_ATTRIBUTE in context.writes and not class_values(context).isdisjoint(context.family(holder))
    if is_set or is_written(context, holder, method):
        yield f"{owner.name}.{method}"


def _names_of_class(entry: ClassNode, node: ast.FunctionDef) -> Iterator[str]:
    """Names of the class's body that defaults and annotations mean: behind the class they mean something else."""
    known = {*entry.methods, *entry.values, *entry.annotations}
    known |= {line.name for line in entry.node.body if isinstance(line, ast.ClassDef)}
    parts = [part for part in (node.args, node.returns) if part is not None]
    yield from (n.id for part in parts for n in walk(part) if isinstance(n, ast.Name) and n.id in known)


def is_named(scope: Scope, func: ast.expr, callee: Unit) -> bool:
    """True if a call names a static or class method on self or on the class, in a class that has it."""
    name = DefinitionName.parse(callee.name)
    if not (name.owner and isinstance(func, ast.Attribute) and func.attr == name.key):
        return False
    around = scope.unit.name if scope.unit.is_class else DefinitionName.parse(scope.unit.name).owner
    receiver = scope.owner if scope.unit.is_class else _class_parameter(scope)
    is_own = isinstance(func.value, ast.Name) and func.value.id == receiver and callee.module == scope.index.name
    return is_own and ClassRef(callee.module, name.owner) in scope.context.project.mro(
        ClassRef(scope.unit.module, around)
    )


def _class_parameter(scope: Scope) -> str | None:
    """The name of the class inside a class method that becomes a module; None in any other function."""
    function = scope.code.function(scope.node)
    if function is None or not is_class_method(scope.context, scope.unit) or not positional_parameters(function):
        return None
    name = positional_parameters(function)[0].arg
    return None if name in scope.code.bound_in(function) or scope.code.functions_inside(scope.node) else name


def is_class_method(context: RewriteContext, callee: Unit) -> bool:
    """True if a function is a class method: it gets the class as well."""
    index, name = context.project.index(callee.module), DefinitionName.parse(callee.name)
    entry = index.classes.get(name.owner) if index is not None else None
    method = entry.methods.get(name.key) if entry is not None else None
    return method is not None and CLASS_METHOD in context.analysis.decorators(callee.module, method)


def given_class(scope: Scope, func: ast.expr) -> str | None:
    """The class that a class method gets where it is called as `func`; None where that is not plain."""
    if not (isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name)):
        return None
    name = func.value.id
    if name != scope.owner:
        return name
    return None if "type" in scope.index.names - _read_only(scope.index) else f"type({name})"


def _read_only(index: FileIndex) -> frozenset[str]:
    """The names that a file reads and never binds."""
    bound = {node.id for node in index.of(ast.Name) if not isinstance(node.ctx, ast.Load)}
    bound |= {node.arg for node in index.of(ast.arg)} | {*index.imports, *index.functions, *index.classes}
    return index.names - bound
