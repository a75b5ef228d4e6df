"""Expressions: the kind of each value, and the events on the way."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.effects import aliasing, child_positions
from qprep.analysis.interpreter import (
    attributes,
    call_evaluation,
    container_methods,
    instances,
    module_methods,
    narrowing,
    tensor_arithmetic,
)
from qprep.analysis.interpreter.conditions import branch
from qprep.analysis.interpreter.environment import Counts, rooted
from qprep.analysis.interpreter.items import iterate, selected
from qprep.analysis.values.abstract_values import (
    CONSTANT_INTEGER,
    FLOWING_INTEGER,
    INT,
    NONE,
    OTHER,
    PART,
    REAL,
    SHAPE,
    TEXT,
    UNKNOWN,
    ClassRef,
    External,
    InputPart,
    Kind,
    Mapping,
    Module,
    Number,
    Object,
    Partial,
    Property,
    Sequence,
    Super,
    Tensor,
    Union,
    Word,
    flows,
    join_all,
    options,
    sequence_of,
    tensor_of,
)
from qprep.analysis.values.closure_values import Closure, NameScope

if TYPE_CHECKING:
    from collections.abc import Callable

    from qprep.analysis.interpreter.environment import Frame
    from qprep.analysis.interpreter.protocol import Analysis

_SAME_TENSOR = frozenset(("T", "mT", "H", "mH", "real", "imag", "data", "grad"))
_TENSOR_FACTS = frozenset(("dtype", "device", "layout", "names", "grad_fn"))


def evaluate(analysis: Analysis, frame: Frame, node: ast.expr) -> Kind:
    """The kind of an expression."""
    run = _EVALUATORS.get(type(node))
    return run(analysis, frame, node) if run is not None else OTHER


def _constant(analysis: Analysis, frame: Frame, node: ast.Constant) -> Kind:
    value = node.value
    if isinstance(value, bool | int):
        return INT
    if isinstance(value, float | complex):
        return REAL
    if isinstance(value, str):
        return Word(value) if analysis.catalogue.names(value) else TEXT
    return NONE if value is None else OTHER


def _name(analysis: Analysis, frame: Frame, node: ast.Name) -> Kind:
    local = frame.scope.lookup(node.id)
    return local if local is not None else analysis.global_kind(frame.index, node.id)


def _attribute(analysis: Analysis, frame: Frame, node: ast.Attribute) -> Kind:
    value = evaluate(analysis, frame, node.value)
    if type(value) is Union:
        known = [option for option in value.options if option != NONE]
        return join_all(attribute_of(analysis, frame, option, node.attr, node) for option in known)
    return attribute_of(analysis, frame, value, node.attr, node)


def attribute_of(analysis: Analysis, frame: Frame, value: Kind, name: str, node: ast.Attribute | None = None) -> Kind:
    """The value of `value.name`, read at `node`."""
    found = _looked_up(analysis, frame, value, name)
    if not any(isinstance(option, Property) for option in options(found)):
        return found
    return join_all(
        analysis.read_property(frame, option.getter, node) if isinstance(option, Property) else option
        for option in options(found)
    )


def _looked_up(analysis: Analysis, frame: Frame, value: Kind, name: str) -> Kind:
    if isinstance(value, Tensor):
        return _tensor_attribute(analysis, value, name)
    if isinstance(value, InputPart):
        return SHAPE if name == "shape" else PART
    if name == "__class__" and isinstance(value, Module | Object) and isinstance(value.cls, ClassRef):
        return value.cls
    if isinstance(value, External):
        return analysis.resolved(f"{value.name}.{name}")
    if isinstance(value, Module) and name == "_modules":
        return Mapping(module_methods.child_of(analysis, value))
    if isinstance(value, Module):
        return attributes.module_attribute(analysis, frame, value, name)
    if isinstance(value, ClassRef):
        return attributes.class_attribute(analysis, value, value, name)
    if isinstance(value, Object):
        return attributes.class_attribute(analysis, value.cls, value, name)
    if isinstance(value, Super):
        return attributes.super_attribute(analysis, value, name)
    if isinstance(value, Sequence) and name in value.names and value.items:
        return value.items[value.names.index(name)]
    if isinstance(value, Sequence) and name in ("values", "indices") and value.items:
        return value.items[0] if name == "values" else value.items[-1]
    return UNKNOWN


def _tensor_attribute(analysis: Analysis, value: Tensor, name: str) -> Kind:
    if name == "shape":
        return SHAPE
    if name in ("ndim", "itemsize", "nbytes", "is_cuda", "requires_grad"):
        return INT
    if name in _SAME_TENSOR:
        return value
    if analysis.catalogue.method(name):
        return Partial(External(f"torch.Tensor.{name}"), (value,), ())
    return PART if value.is_open and not name.startswith("is_") and name not in _TENSOR_FACTS else OTHER


def _subscript(analysis: Analysis, frame: Frame, node: ast.Subscript) -> Kind:
    value = evaluate(analysis, frame, node.value)
    index = evaluate(analysis, frame, node.slice)
    return join_all(_item(analysis, frame, option, node.slice, index) for option in options(value))


def _item(analysis: Analysis, frame: Frame, value: Kind, node: ast.expr, index: Kind) -> Kind:
    is_slice = isinstance(node, ast.Slice)
    if isinstance(value, Tensor):
        return Tensor(value.flow or flows(index), value.dtype, value.is_open)
    if isinstance(value, InputPart):
        return PART
    if value == SHAPE:
        return SHAPE if is_slice else INT
    if isinstance(value, Sequence):
        return Sequence(value.item) if is_slice else _sequence_item(value, node, frame)
    if isinstance(value, Mapping):
        return selected(value.value, node, frame)
    if isinstance(value, Module):
        return _module_item(analysis, frame, value, node)
    if isinstance(value, Object):
        item = container_methods.item_of_object(analysis, frame, value, index)
        field = instances.fields(analysis, value) if item is None or item == UNKNOWN else item
        return UNKNOWN if field is None else Sequence(field) if is_slice and field is not item else field
    return TEXT if value == TEXT or isinstance(value, Word) else UNKNOWN


def _sequence_item(value: Sequence, node: ast.expr, frame: Frame) -> Kind:
    try:
        position = ast.literal_eval(node)
    except (ValueError, TypeError):
        return selected(value.item, node, frame)
    if value.items is not None and isinstance(position, int) and -len(value.items) <= position < len(value.items):
        return value.items[position]
    return selected(value.item, node, frame)


def _module_item(analysis: Analysis, frame: Frame, value: Module, node: ast.expr) -> Kind:
    item = attributes.item_of(analysis, value)
    if not child_positions.is_keyed(analysis, value):
        child_positions.note_taken(analysis, frame, value)
    if value.path is None:
        return aliasing.item_of_common(value, item, ast.unparse(node))
    if isinstance(node, ast.Slice):
        path = value.path.item(ast.unparse(node))
        return Module(External("torch.nn.Sequential"), path, None, rooted(item, path.any_item), value.loops)
    return selected(rooted(item, value.path.any_item), node, frame, value.loops)


def _call(analysis: Analysis, frame: Frame, node: ast.Call) -> Kind:
    return call_evaluation.call(analysis, frame, node)


def _bin_op(analysis: Analysis, frame: Frame, node: ast.BinOp) -> Kind:
    return tensor_arithmetic.binary(analysis, frame, node)


def _unary_op(analysis: Analysis, frame: Frame, node: ast.UnaryOp) -> Kind:
    return tensor_arithmetic.unary(analysis, frame, node)


def _compare(analysis: Analysis, frame: Frame, node: ast.Compare) -> Kind:
    kinds = [evaluate(analysis, frame, part) for part in (node.left, *node.comparators)]
    if any(isinstance(op, ast.Is | ast.IsNot | ast.In | ast.NotIn) for op in node.ops):
        return INT
    tensors = [tensor for kind in kinds if (tensor := tensor_of(kind)) is not None]
    if not tensors:
        return PART if any(map(flows, kinds)) else INT
    return FLOWING_INTEGER if any(t.flow for t in tensors) else CONSTANT_INTEGER


def _bool_op(analysis: Analysis, frame: Frame, node: ast.BoolOp) -> Kind:
    return join_all([evaluate(analysis, frame, value) for value in node.values])


def _if_exp(analysis: Analysis, frame: Frame, node: ast.IfExp) -> Kind:
    evaluate(analysis, frame, node.test)
    truth = narrowing.static_truth(analysis, frame, node.test)
    start = frame.save()
    results: list[Kind] = []
    ends = []
    for taken, part in ((True, node.body), (False, node.orelse)):
        if truth is not None and truth != taken:
            continue
        frame.load(start)
        narrowing.narrow(analysis, frame, node.test, taken)
        with branch(analysis, frame, node.test, taken):
            results.append(evaluate(analysis, frame, part))
        ends.append(frame.save())
    for end in ends:
        end.names = start.names
    frame.meet(ends)
    return join_all(results)


def _display(analysis: Analysis, frame: Frame, node: ast.Tuple | ast.List | ast.Set) -> Kind:
    items: list[Kind] = []
    exact = True
    for element in node.elts:
        if isinstance(element, ast.Starred):
            inner = evaluate(analysis, frame, element.value)
            child_positions.note_taken(analysis, frame, inner)
            exact = exact and isinstance(inner, Sequence) and inner.items is not None
            items.extend(inner.items if isinstance(inner, Sequence) and inner.items is not None else [iterate(inner)])
        else:
            items.append(evaluate(analysis, frame, element))
            if isinstance(node, ast.List):
                aliasing.listed(analysis, frame, items[-1], element)
    if isinstance(node, ast.Tuple) and items and all(isinstance(i, Number) for i in items):
        return SHAPE
    return sequence_of(items) if exact else Sequence(join_all(items))


def _dict(analysis: Analysis, frame: Frame, node: ast.Dict) -> Kind:
    for key in node.keys:
        if key is not None:
            evaluate(analysis, frame, key)
    values = [evaluate(analysis, frame, value) for value in node.values]
    for value, expr in zip(values, node.values, strict=True):
        aliasing.named(analysis, frame, value, expr)
    return Mapping(join_all(values))


def _comprehension(
    analysis: Analysis, frame: Frame, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp
) -> Kind:
    """A comprehension is a loop with a scope of its own; its first iterable is evaluated once, outside."""
    first = evaluate(analysis, frame, node.generators[0].iter)
    outer_scope, outer_counts = frame.scope, frame.counts
    frame.scope, frame.counts = NameScope({}, outer_scope), Counts()
    frame.earlier.append(outer_counts)
    opened: list[int] = []
    for generator in node.generators:
        iterable = first if generator is node.generators[0] else evaluate(analysis, frame, generator.iter)
        child_positions.note_taken(analysis, frame, iterable)
        loop = analysis.next_loop()
        frame.loops.append(loop)
        opened.append(loop)
        for name in ast.walk(generator.target):
            if isinstance(name, ast.Name):
                frame.loop_names[name.id] = loop
        analysis.assign(frame, generator.target, iterate(iterable, loop), None)
        for test in generator.ifs:
            evaluate(analysis, frame, test)
    if isinstance(node, ast.DictComp):
        evaluate(analysis, frame, node.key)
    element = node.value if isinstance(node, ast.DictComp) else node.elt
    value = evaluate(analysis, frame, element)
    aliasing.collected(analysis, frame, value, element, [generator.target for generator in node.generators])
    result: Kind = Mapping(value) if isinstance(node, ast.DictComp) else Sequence(value)
    counts = frame.counts
    for loop in reversed(opened):
        frame.loops.pop()
        counts = counts.repeated(loop)
    frame.earlier.pop()
    frame.scope, frame.counts = outer_scope, outer_counts
    frame.counts.add_all(counts)
    return result


def _lambda(analysis: Analysis, frame: Frame, node: ast.Lambda) -> Kind:
    return Closure(node, frame.scope, frame.home)


def _named(analysis: Analysis, frame: Frame, node: ast.NamedExpr) -> Kind:
    value = evaluate(analysis, frame, node.value)
    analysis.assign(frame, node.target, value, node.value)
    return value


def _await(analysis: Analysis, frame: Frame, node: ast.Await) -> Kind:
    return evaluate(analysis, frame, node.value)


def _starred(analysis: Analysis, frame: Frame, node: ast.Starred) -> Kind:
    value = evaluate(analysis, frame, node.value)
    child_positions.note_taken(analysis, frame, value)
    return iterate(value)


def _yield(analysis: Analysis, frame: Frame, node: ast.Yield) -> Kind:
    if node.value is not None:
        frame.returns.append(Sequence(evaluate(analysis, frame, node.value)))
    return UNKNOWN


def _yield_from(analysis: Analysis, frame: Frame, node: ast.YieldFrom) -> Kind:
    frame.returns.append(Sequence(iterate(evaluate(analysis, frame, node.value))))
    return UNKNOWN


def _slice(analysis: Analysis, frame: Frame, node: ast.Slice) -> Kind:
    for part in (node.lower, node.upper, node.step):
        if part is not None:
            evaluate(analysis, frame, part)
    return OTHER


def _joined(analysis: Analysis, frame: Frame, node: ast.JoinedStr) -> Kind:
    for part in node.values:
        if isinstance(part, ast.FormattedValue):
            evaluate(analysis, frame, part.value)
            if part.format_spec is not None:
                evaluate(analysis, frame, part.format_spec)
    return TEXT


_EVALUATORS: dict[type[ast.expr], Callable[..., Kind]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.Subscript: _subscript,
    ast.Call: _call,
    ast.BinOp: _bin_op,
    ast.UnaryOp: _unary_op,
    ast.Compare: _compare,
    ast.BoolOp: _bool_op,
    ast.IfExp: _if_exp,
    ast.Tuple: _display,
    ast.List: _display,
    ast.Set: _display,
    ast.Dict: _dict,
    ast.ListComp: _comprehension,
    ast.SetComp: _comprehension,
    ast.GeneratorExp: _comprehension,
    ast.DictComp: _comprehension,
    ast.Lambda: _lambda,
    ast.NamedExpr: _named,
    ast.Await: _await,
    ast.Starred: _starred,
    ast.Yield: _yield,
    ast.YieldFrom: _yield_from,
    ast.Slice: _slice,
    ast.JoinedStr: _joined,
}
