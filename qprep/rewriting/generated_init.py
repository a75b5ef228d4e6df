"""The constructor that a class without one gets: the parameters of the one that it inherits."""

from __future__ import annotations

import ast
import builtins
from typing import TYPE_CHECKING, Final

from qprep.analysis.symbols.ast_utils import positional_parameters
from qprep.analysis.values.abstract_values import ClassRef, External
from qprep.foundation.findings import Rejection, RejectionCode
from qprep.rewriting.safety.introspection import is_compared, is_watched, may_be_asked

if TYPE_CHECKING:
    from qprep.analysis.places import Unit
    from qprep.analysis.symbols.symbol_table import ClassNode
    from qprep.analysis.values.abstract_values import Kind
    from qprep.rewriting.fix_session import RewriteContext

# Defaults made anew each time that a constructor is defined: two constructors would not have the same one.
_COMPUTED: Final = (ast.Call, ast.List, ast.Dict, ast.Set, ast.Lambda, ast.ListComp, ast.DictComp, ast.SetComp)


def entry_of(context: RewriteContext, base: Kind) -> ClassNode | None:
    """The definition of a base, where it is a class of the project."""
    return context.project.class_node(base) if isinstance(base, ClassRef) else None


def rejection_of(context: RewriteContext, unit: Unit) -> Rejection | None:
    """The reason why a class gets no constructor: some code reads the parameters of constructors."""
    ref = ClassRef(unit.module, unit.name)
    own = context.project.class_node(ref)
    if own is not None and "__init__" not in own.methods and is_compared(context, ref):
        return Rejection(
            f"`{unit.name}` would get a constructor, and code here asks which classes have one of their own",
            RejectionCode.CLASS_SHAPE,
        )
    if _is_seen(context, unit) and _shows_another(context, unit):
        return Rejection(
            f"`{unit.name}` would get a constructor, and code here inspects the parameters of constructors",
            RejectionCode.CLASS_SHAPE,
        )
    return None


def _is_seen(context: RewriteContext, unit: Unit) -> bool:
    """True if some code may ask for the parameters of a class's constructor, or look at what they are given."""
    ref = ClassRef(unit.module, unit.name)
    return may_be_asked(context, ref) or is_watched(context, ref)


def _shows_another(context: RewriteContext, unit: Unit) -> bool:
    ref = ClassRef(unit.module, unit.name)
    own = context.project.class_node(ref)
    if own is None or "__init__" in own.methods:
        return False
    base = _next_constructor(context, ref, ref)
    entry = entry_of(context, base) if base is not None else None
    init = entry.methods["__init__"] if entry is not None else None
    if init is None:
        return base != External("torch.nn.Module")
    if base is not None and _full_signature(context, unit, base, init.args) == signature(context, unit):
        return bool(positional_parameters(init)[1:]) and is_watched(context, ref)
    args = [*positional_parameters(init)[1:], *init.args.kwonlyargs]
    is_exact = signature(context, unit) == _copied_signature(init.args)
    is_seen = any(arg.annotation is not None for arg in args) or (bool(args) and is_watched(context, ref))
    return not is_exact or is_seen


def signature(context: RewriteContext, unit: Unit) -> tuple[str, str]:
    """Parameters of the inherited constructor, and how to pass them on."""
    ref = ClassRef(unit.module, unit.name)
    following = {_next_constructor(context, cls, ref) for cls in (ref, *context.project.subclasses(ref))}
    if len(following) > 1 or context.analysis.defines(ref, "call_super_init"):
        return "self, *args, **kwargs", "*args, **kwargs"
    for base in context.project.mro(ref)[1:]:
        if isinstance(base, External):
            plain = base.name == "torch.nn.Module"
            return ("self", "") if plain else ("self, *args, **kwargs", "*args, **kwargs")
        entry = context.project.class_node(base) if isinstance(base, ClassRef) else None
        init = entry.methods.get("__init__") if entry is not None else None
        if init is not None:
            full = _full_signature(context, unit, base, init.args)
            return full or _copied_signature(init.args) or ("self, *args, **kwargs", "*args, **kwargs")
    return "self, *args, **kwargs", "*args, **kwargs"


def _next_constructor(context: RewriteContext, cls: ClassRef, ref: ClassRef) -> Kind | None:
    """The class whose constructor follows that of `ref` for an instance of `cls`."""
    chain = context.project.mro(cls)
    for base in chain[chain.index(ref) + 1 :] if ref in chain else ():
        methods = context.project.methods(base) if isinstance(base, ClassRef) else None
        if methods is None or "__init__" in methods:
            return base
    return None


def new_names(context: RewriteContext, unit: Unit) -> frozenset[str]:
    """Names of the parameters of the constructor that a class without one would get."""
    text = f"def __init__({signature(context, unit)[0]}): ..."
    return frozenset(node.arg for node in ast.walk(ast.parse(text)) if isinstance(node, ast.arg))


def _full_signature(context: RewriteContext, unit: Unit, base: Kind, args: ast.arguments) -> tuple[str, str] | None:
    """The same parameters, defaults and annotations, if code reads them and they mean the same for the class."""
    index = context.project.index(unit.module)
    same_file = isinstance(base, ClassRef) and base.module == unit.module and "." not in base.name
    if not _is_seen(context, unit) or not same_file or index is None or args.posonlyargs or not args.args:
        return None
    defaults = [*args.defaults, *(d for d in args.kw_defaults if d is not None)]
    noted = [arg for arg in (*args.args, args.vararg, *args.kwonlyargs, args.kwarg) if arg is not None]
    parts = [*defaults, *(arg.annotation for arg in noted if arg.annotation is not None)]
    names = {node.id for part in parts for node in ast.walk(part) if isinstance(node, ast.Name)}
    known = {*index.imports, *index.classes, *index.functions, *index.values}.difference(index.rebound)
    is_plain = not any(isinstance(node, _COMPUTED) for part in defaults for node in ast.walk(part))
    if not is_plain or not all(name in known or hasattr(builtins, name) for name in names):
        return None
    return ast.unparse(args), _passed(args)


def _copied_signature(args: ast.arguments) -> tuple[str, str] | None:
    """The same parameters with the same defaults, where those mean the same in any file."""
    defaults = [*args.defaults, *(d for d in args.kw_defaults if d is not None)]
    if args.posonlyargs or not args.args or not all(isinstance(d, ast.Constant) for d in defaults):
        return None
    bare = ast.arguments(
        posonlyargs=[],
        args=[ast.arg(a.arg) for a in args.args],
        vararg=ast.arg(args.vararg.arg) if args.vararg else None,
        kwonlyargs=[ast.arg(a.arg) for a in args.kwonlyargs],
        kw_defaults=args.kw_defaults,
        kwarg=ast.arg(args.kwarg.arg) if args.kwarg else None,
        defaults=args.defaults,
    )
    return ast.unparse(bare), _passed(args)


def _passed(args: ast.arguments) -> str:
    """The text that passes the parameters of a constructor on."""
    passed = [a.arg for a in args.args[1:]]
    passed += [f"*{args.vararg.arg}"] if args.vararg else []
    passed += [f"{a.arg}={a.arg}" for a in args.kwonlyargs]
    passed += [f"**{args.kwarg.arg}"] if args.kwarg else []
    return ", ".join(passed)
