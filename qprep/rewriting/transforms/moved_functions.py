"""A function outside classes that runs operations becomes a module, so that each call site owns its operations."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from qprep.analysis.symbols.ast_utils import is_async, positional_parameters
from qprep.analysis.symbols.definition_names import DefinitionName
from qprep.analysis.symbols.local_classes import LOCALS
from qprep.analysis.values.abstract_values import External, FunctionRef, Partial, options
from qprep.foundation.findings import Rejection, RejectionCode
from qprep.rewriting import imports
from qprep.rewriting.composed_edits import Piece, apply
from qprep.rewriting.safety import stable_binding
from qprep.rewriting.transforms import recursion, static_methods
from qprep.rewriting.transforms.wrapping_decorators import wraps_alone

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qprep.analysis.places import Unit
    from qprep.analysis.symbols.symbol_table import FileIndex
    from qprep.rewriting.fix_scope import Scope
    from qprep.rewriting.fix_session import RewriteContext
    from qprep.rewriting.rewrite_result import Declaration, Import
    from qprep.rewriting.source_code import Code

# Decorators that say nothing about what the function computes, and those that a method can carry as well.
_DROPPED = frozenset(("torch.fx.wrap", "torch.jit.ignore", "torch.jit.unused", "torch.fx._symbolic_trace.wrap"))
_SAME_EACH_TIME = (
    "builtins.float",
    "builtins.int",
    "builtins.tuple",
    "math.",
    "torch.device",
    "torch.finfo",
    "torch.Size",
)
_OPEN_ENDED = ('"""', "'''", "\\\n", "\\\r")  # texts with these in them go over the end of a line
_KEPT = frozenset(
    (
        "torch.no_grad",
        "torch.enable_grad",
        "torch.inference_mode",
        "torch.autocast",
        "torch.amp.autocast",
        "torch.amp.autocast_mode.autocast",
        "torch.cuda.amp.autocast",
        "torch.cpu.amp.autocast",
    )
)


def rejection_of(context: RewriteContext, unit: Unit) -> Rejection | None:
    """The reason why a function cannot become a module; None if it can."""
    code = context.code(unit.module)
    if unit.name.endswith(f".{LOCALS}"):
        return Rejection(
            f"it is nested in `{unit.name.partition('.')[0]}`, next to the class that calls it", RejectionCode.FUNCTION
        )
    node = definition(code.index, unit) if code is not None else None
    if node is None or code is None:
        return Rejection(f"`{unit.name}` is defined in {unit.module}, outside the paths given", RejectionCode.FUNCTION)
    is_static = "." in unit.name
    if (reason := _place_rejection(context, code, unit, node)) is not None:
        return reason
    for decorator, name in zip(node.decorator_list, context.analysis.decorators(unit.module, node), strict=True):
        if is_static and name in static_methods.DECORATORS:
            continue
        if _of(context, name) in _DROPPED or _is_kept(context, decorator, name):
            continue
        if not _may_return_argument(context, decorator, name):
            return Rejection(
                f"`{unit.name}` is decorated with `{name.removeprefix('builtins.')}`", RejectionCode.FUNCTION
            )
    if is_replaceable(context, unit) and kept_decorators(context, unit.module, node):
        return Rejection(
            f"`{unit.name}` has a decorator that is unknown before the code runs, and another that must stay",
            RejectionCode.FUNCTION,
        )
    if any(_is_made(context, unit.module, part) for default in _defaults(node) for part in ast.walk(default)):
        return Rejection(
            f"`{unit.name}` has a default value that is created once, with the function", RejectionCode.FUNCTION
        )
    if (reason := _unusual_body(code, node, unit)) is not None:
        return reason
    if is_static or is_conditional(code, node):  # a Dispatch runs whatever function the name means
        return stable_binding.body_rejection(node)
    return stable_binding.rejection_of(context, code.index, node)


def _place_rejection(context: RewriteContext, code: Code, unit: Unit, node: ast.FunctionDef) -> Rejection | None:
    """The reason in the place of its definition why a function cannot become a module."""
    if "." in unit.name:
        return static_methods.rejection_of(context, code, unit, node)
    if not _is_at_top(code, node) or (is_conditional(code, node) and recursion.own_calls(node)):
        return Rejection(f"`{node.name}` is defined conditionally", RejectionCode.FUNCTION)
    return None


def _is_at_top(code: Code, node: ast.AST) -> bool:
    """True if a function is one of the file: conditions, and attempts to import something, may be around it."""
    around = code.parents.get(node)
    while isinstance(around, ast.If | ast.Try | ast.ExceptHandler):
        around = code.parents.get(around)
    return isinstance(around, ast.Module)


def is_conditional(code: Code, node: ast.FunctionDef) -> bool:
    """True if the name of a function may mean another one: it is defined under a condition, or in several ways."""
    return not isinstance(code.parents.get(node), ast.Module | ast.ClassDef) or node.name in code.index.alternatives


def definition(index: FileIndex, unit: Unit) -> ast.FunctionDef | None:
    """The function, or the static method, that a unit is."""
    name = DefinitionName.parse(unit.name)
    if not name.owner:
        return index.functions.get(name.key)
    return index.classes[name.owner].methods.get(name.key) if name.owner in index.classes else None


def _defaults(node: ast.FunctionDef) -> list[ast.expr]:
    return [*node.args.defaults, *(default for default in node.args.kw_defaults if default is not None)]


def _is_made(context: RewriteContext, module: str, node: ast.AST) -> bool:
    """True if an expression calls something that may give another object each time: `nn.ReLU()`, `torch.rand(2)`."""
    if not isinstance(node, ast.Call):
        return False
    index = context.project.index(module)
    name = context.project.expression_name(index, node.func) if index is not None else None
    return name is None or not name.startswith(_SAME_EACH_TIME)


def kept_decorators(context: RewriteContext, module: str, node: ast.FunctionDef) -> list[ast.expr]:
    """Those that the module's forward carries as well."""
    pairs = zip(node.decorator_list, context.analysis.decorators(module, node), strict=True)
    return [decorator for decorator, name in pairs if _is_kept(context, decorator, name)]


def _is_kept(context: RewriteContext, decorator: ast.expr, name: str) -> bool:
    """True for a decorator of torch's that a method may carry, and for one of the project that does not notice self."""
    if _of(context, name) in _KEPT:
        return True
    found = _definitions(context, name)
    if len(found) != 1 or not found[0].is_certain:
        return False
    (ref,) = [option for option in options(context.project.resolve(name)) if isinstance(option, FunctionRef)]
    index = context.project.index(ref.module)
    return index is not None and wraps_alone(context.project, index, decorator, found[0].node)


def _of(context: RewriteContext, name: str) -> str:
    """The decorator that a name is bound to by a partial: `partial(autocast, "cuda", enabled=False)`."""
    kind = context.analysis.resolved(name)
    function = kind.function if isinstance(kind, Partial) else None
    return function.name if isinstance(function, External) else name


def is_replaceable(context: RewriteContext, unit: Unit) -> bool:
    """True if it is unknown before the run whether a decorator leaves the function as it is."""
    index = context.project.index(unit.module)
    node = index.functions.get(unit.name) if index is not None else None
    if node is None:
        return False
    code = context.code(unit.module)
    if code is not None and is_conditional(code, node):
        return True
    decorators = zip(node.decorator_list, context.analysis.decorators(unit.module, node), strict=True)
    return any(
        not (_of(context, name) in _DROPPED or _is_kept(context, d, name) or _returns_argument(context, d, name))
        for d, name in decorators
    )


def _returns_argument(context: RewriteContext, decorator: ast.expr, dotted: str) -> bool:
    """True if a decorator of the project gives back the function that it is given, whatever happens."""
    definitions = _definitions(context, dotted)
    if len(definitions) != 1 or not definitions[0].is_certain or isinstance(decorator, ast.Call):
        return False
    node = definitions[0].node
    name = positional_parameters(node)[0].arg if len(positional_parameters(node)) == 1 else None
    returned = _returned(node)
    return bool(returned) and all(isinstance(value, ast.Name) and value.id == name for value in returned)


def _may_return_argument(context: RewriteContext, decorator: ast.expr, dotted: str) -> bool:
    """True if a decorator of the project, or what a factory of decorators makes, has a way to do so."""
    return any(_has_way(decorator, found.node) for found in _definitions(context, dotted))


def _has_way(decorator: ast.expr, node: ast.FunctionDef | ast.Lambda | None) -> bool:
    if isinstance(decorator, ast.Call) and isinstance(node, ast.FunctionDef):
        inner = {part.name: part for part in node.body if isinstance(part, ast.FunctionDef)}
        made = [inner.get(value.id) if isinstance(value, ast.Name) else value for value in _returned(node)]
        node = next((value for value in made if isinstance(value, ast.FunctionDef | ast.Lambda)), None)
    if node is None or not positional_parameters(node):
        return False
    name = positional_parameters(node)[0].arg
    return any(isinstance(value, ast.Name) and value.id == name for value in _returned(node))


class _Definition(NamedTuple):
    """A function that a name means in some run; `is_certain`: in every one."""

    node: ast.FunctionDef
    is_certain: bool


def _definitions(context: RewriteContext, dotted: str) -> list[_Definition]:
    refs = [option for option in options(context.project.resolve(dotted)) if isinstance(option, FunctionRef)]
    found: list[_Definition] = []
    for ref in refs:
        node, index = context.project.function_node(ref), context.project.index(ref.module)
        if node is not None and index is not None:
            found.append(_Definition(node, len(refs) == 1 and node in index.tree.body))
    return found


def _returned(node: ast.FunctionDef | ast.Lambda) -> list[ast.expr | None]:
    """The return values of a function, without those of functions inside it."""
    if isinstance(node, ast.Lambda):
        return [node.body]
    found: list[ast.expr | None] = []
    stack: list[ast.AST] = list(node.body)
    while stack:
        part = stack.pop()
        if isinstance(part, ast.Return):
            found.append(part.value)
        elif not isinstance(part, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            stack.extend(ast.iter_child_nodes(part))
    return found


def _unusual_body(code: Code, node: ast.FunctionDef, unit: Unit) -> Rejection | None:
    if is_async(node):
        return Rejection(f"`{unit.name}` is a coroutine", RejectionCode.FUNCTION)
    for part in ast.walk(node):
        if (isinstance(part, ast.Name) and part.id == "self") or (isinstance(part, ast.arg) and part.arg == "self"):
            return Rejection(f"`{unit.name}` has a variable called self", RejectionCode.FUNCTION)
        if isinstance(part, ast.Constant | ast.JoinedStr) and not _is_docstring(code, part) and _runs_on(code, part):
            return Rejection(
                f"`{unit.name}` contains a multi-line string, which would change when it is moved",
                RejectionCode.FUNCTION,
            )
    if (reason := recursion.rejection_of(code.index, node)) is not None:
        return reason
    if not code.is_alone_on_line(node):
        return Rejection(f"`{unit.name}` shares its lines with other code", RejectionCode.FUNCTION)
    return None


def _runs_on(code: Code, node: ast.Constant | ast.JoinedStr) -> bool:
    """True if a text itself goes over the end of a line; several texts in a row may stand on several lines."""
    if node.end_lineno == node.lineno:
        return False
    text = code.slice(node)
    inner = [part.value for part in ast.walk(node) if isinstance(part, ast.FormattedValue)]
    return any(mark in text for mark in _OPEN_ENDED) or any(part.lineno != part.end_lineno for part in inner)


def _is_docstring(code: Code, node: ast.AST) -> bool:
    parent = code.parents.get(node)
    return isinstance(parent, ast.Expr)


def class_name(unit: Unit, taken: Iterable[str]) -> str:
    """The module's name: `drop_path` → `DropPath`, `DropPathModule` where that is taken."""
    own = DefinitionName.parse(unit.name).name
    lead = "_" if own.startswith("_") else ""
    camel = "".join(part[:1].upper() + part[1:] for part in own.split("_") if part)
    used = set(taken)
    names = [f"{lead}{camel}", f"{lead}{camel}Module", *(f"{lead}{camel}Module{n}" for n in range(2, 1000))]
    return next(name for name in names if name not in used and name != own)


def attribute_name(unit: Unit) -> str:
    """The attribute that a call site gives the module."""
    own = DefinitionName.parse(unit.name).name
    return own.lstrip("_") or own


def as_class(
    code: Code,
    node: ast.FunctionDef,
    name: str,
    base: str,
    declarations: Iterable[Declaration],
    pieces: Iterable[Piece],
    above: str = "",
    kept: Iterable[ast.expr] = (),
) -> str:
    """The source of the module: the function's own text as forward, its new attributes in __init__.

    `above` is a decorator of the class, `kept` are those of the function that forward carries too.
    """
    unit, newline = code.indent_unit, code.newline
    start = code.source.starts[node.lineno - 1]
    end = code.span(node)[1]
    paren = code.text.index("(", code.text.index(node.name, start))
    first = code.skip_blank(paren + 1)
    gap = code.text[paren + 1 : first]
    separator = "" if code.text[first] == ")" else f",{gap}" if gap else ", "
    header = [
        Piece(start, paren + 1, f"{code.indent_of(node)}def forward("),
        Piece(first, first, f"self{separator}"),
        *(piece for piece in pieces if piece.start > paren),
        *(Piece(*code.span(call.func), "self.forward") for call in recursion.own_calls(node)),
    ]
    body = apply(code.text, header, start, end)
    is_static = isinstance(code.parents.get(node), ast.ClassDef)  # indented as the method that it becomes
    more, indent = ("", "") if is_static else (unit, code.indent_of(node))
    lines = body.splitlines(keepends=True)
    indented = "".join(line if not line.strip() else more + line for line in lines)
    inner = indent + unit
    made = "".join(f"{inner}{unit}self.{d.name} = {d.expression}{newline}" for d in declarations)
    decorators = "".join(f"{inner}@{code.slice(decorator)}{newline}" for decorator in kept)
    return (
        f"{newline}{newline}{indent}{above}{indent if above else ''}class {name}({base}):{newline}"
        f'{inner}"""`{node.name}` as a module, so that each caller has its own operations."""{newline}{newline}'
        f"{inner}def __init__(self) -> None:{newline}{inner}{unit}super().__init__(){newline}{made}{newline}"
        f"{decorators}{indented}{newline}"
    )


def place_for_class(code: Code, node: ast.FunctionDef) -> int:
    """Behind the function, or behind the class of a static method."""
    around = code.parents.get(node)
    last = around if isinstance(around, ast.ClassDef) else node
    return code.next_line(last.end_lineno or last.lineno)


def import_of(
    context: RewriteContext, caller: Code, func: ast.expr, unit: Unit, name: str, planned: frozenset[str]
) -> tuple[str, frozenset[Import]]:
    """The name of the module made of a function, in a file that calls the function as `func`.

    It is reached as the function is: a new import at another place might meet a file that is not complete yet.
    """
    index = context.project.index(caller.module)
    assert index is not None
    if caller.module == unit.module:
        return name, frozenset()
    holder = context.project.expression_name(index, func.value) if isinstance(func, ast.Attribute) else None
    if isinstance(func, ast.Attribute) and holder is not None and context.project.canonical(holder) == unit.module:
        return f"{ast.unparse(func.value)}.{name}", frozenset()
    module = _module_path(index.name, index.is_package, unit.module, _is_relative(index, unit))
    text, needed = imports.imported(index, module, name, planned)
    root = func.value if "." in unit.name and isinstance(func, ast.Attribute) else func
    beside = root.id if isinstance(root, ast.Name) else None
    return text, frozenset(replace(entry, home=unit.module, beside=beside) for entry in needed)


def _is_relative(index: FileIndex, unit: Unit) -> bool:
    """Files that import relatively get a relative import."""
    top = unit.module.partition(".")[0]
    if index.name.partition(".")[0] != top:
        return False
    return any(node.level for node in index.of(ast.ImportFrom))


def _module_path(name: str, is_package: bool, target: str, relative: bool) -> str:
    """`timm.layers.drop` as seen from `timm.models.resnet`: itself, or `..layers.drop`."""
    if not relative:
        return target
    here = name.split(".") if is_package else name.split(".")[:-1]
    there = target.split(".")
    common = 0
    while common < min(len(here), len(there)) and here[common] == there[common]:
        common += 1
    return "." * (len(here) - common + 1) + ".".join(there[common:])


def share_with_holders(scope: Scope, unit: Unit, name: str) -> bool:
    """Import the module made of a function into the other files that hold what a mixin declares; or whether it cannot.

    These files import the mixin already, so its own file is complete where they do.
    """
    others = {holder.module for holder in scope.holders} - {scope.index.name}
    for file in sorted(others):
        index = scope.context.project.index(file)
        if index is None or unit.module != scope.index.name or not name.isidentifier():
            return False
        beside = next((bound for bound, entry in index.imports.items() if entry.target == _mixin(scope)), None)
        module = _module_path(index.name, index.is_package, unit.module, _is_relative(index, unit))
        text, needed = imports.imported(index, module, name, scope.context.starred(file))
        scope.imports |= {(file, replace(entry, home=unit.module, beside=beside)) for entry in needed}
        scope.texts[file, name] = text
    return True


def _mixin(scope: Scope) -> str:
    return f"{scope.unit.module}.{scope.unit.name}"
