"""Builds the module graph: follows tensors by identity between the calls of modules of operations."""

from __future__ import annotations

import contextlib
import inspect
import weakref
from collections.abc import Callable, Iterator, Sequence
from types import MappingProxyType
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from qprep.foundation.catalogue.lookup import load
from qprep.foundation.catalogue.op import Op, OpClass
from qprep.quantizer.config.config_settings import LayerSettings
from qprep.quantizer.graph.computed_parameters import parts
from qprep.quantizer.graph.quantization_graph import Edge, Graph, Node, Weight
from qprep.quantizer.graph.tensor_leaves import holder, tensors_in
from qprep.quantizer.ranges.known_ranges import CLAMPS
from qprep.tracing.module_runs import is_compound
from qprep.tracing.op_lookup import Operations
from qprep.tracing.traced_run import eager


def build_graph(
    model: nn.Module,
    inputs: Sequence[object],
    kwinputs: dict[str, object],
    settings: Callable[[str], LayerSettings],
    units: tuple[type[nn.Module], ...] = (),
) -> Graph:
    """Run `model(*inputs, **kwinputs)` once, without gradients, and return its graph.

    units  classes whose instances are one operation each, whatever is inside
    """
    follower = _Follower(model, units)
    edges = follower.start((inputs, kwinputs))
    with contextlib.ExitStack() as stack:
        for handle in follower.hook():
            stack.callback(handle.remove)
        stack.enter_context(torch.no_grad())
        stack.enter_context(eager())
        stack.enter_context(follower)
        out = model(*inputs, **kwinputs)
    outputs = [edge for edge in map(follower.edge_of, tensors_in(out)) if edge is not None]
    for edge in outputs:
        edge.is_output = True
    return Graph(model, follower.nodes, edges + follower.casts, outputs, follower.weights, settings)


# Products of matrices, and the place of their second factor.
_PRODUCTS: Final = MappingProxyType({"matmul": 1, "mm": 1, "bmm": 1, "addmm": 2, "baddbmm": 2})


class _Follower(TorchFunctionMode):
    def __init__(self, model: nn.Module, units: tuple[type[nn.Module], ...]) -> None:
        super().__init__()
        self.nodes: list[Node] = []
        self.casts: list[Edge] = []
        self.weights, self._by_parameter = _weights(model)
        self._classes = units
        self._units = {module: path for path, module in model.named_modules() if _is_unit(module, units)}
        self._node_of: dict[nn.Module, Node] = {}
        self._open: list[_OpenUnit] = []
        self._edges: dict[int, tuple[weakref.ref[Tensor], Edge]] = {}
        self._operations = Operations(load().ops)
        self._rows = {op.name: op for op in load().ops}

    def start(self, value: object) -> list[Edge]:
        edges = []
        for index, tensor in enumerate(tensors_in(value)):
            edges.append(_edge(None, index, tensor))
            self._mark(tensor, edges[-1])
        return edges

    def hook(self) -> Iterator[Any]:
        for module in self._units:
            yield module.register_forward_pre_hook(self._enter, with_kwargs=True)
            yield module.register_forward_hook(self._leave, with_kwargs=True)

    def edge_of(self, tensor: Tensor) -> Edge | None:
        found = self._edges.get(id(tensor))
        return found[1] if found is not None and found[0]() is tensor else None

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401  (whatever the function returns)
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        self._note_columns(func, args)
        sources = self._sources((args, kwargs))
        if not sources:
            if self._open:
                self._note_inside(func, (args, kwargs), out)
            return out
        operation = self._operations.of(func)
        row = self._rows.get(operation.name)
        if self._open:
            self._open[-1].note(row, operation.compute)
            self._open[-1].keep(out)
        if func is Tensor.__iter__:
            out = tuple(out)
        if self._is_made_of_masks((args, kwargs), row):
            return iter(out) if func is Tensor.__iter__ else out
        if operation.compute and not self._open:
            self._unowned(row, sources, out)
        elif not operation.compute:
            self._pass_on(sources, out)
        return iter(out) if func is Tensor.__iter__ else out

    def _note_columns(self, func: Callable[..., Any], args: tuple[Any, ...]) -> None:
        """Note a parameter that is the second factor of a product of matrices."""
        for place, given in enumerate(args[1:3], 1):
            weight = self._by_parameter.get(given) if isinstance(given, Tensor) else None
            if weight is not None and given.dim() > 1 and _PRODUCTS.get(self._operations.of(func).name) == place:
                weight.columns = True

    def _note_inside(self, func: Callable[..., Any], given: object, out: object) -> None:
        """Note an operation on what an open unit has computed, or on parameters alone."""
        unit, computes = self._open[-1], self._operations.of(func).compute
        if unit.reads(given):
            if computes:
                unit.rows.append(self._rows.get(self._operations.of(func).name))
            unit.keep(out)
        elif computes and any(each in self._by_parameter for each in tensors_in(given)):
            unit.changes_weights = True

    def _enter(self, module: nn.Module, args: object, kwargs: object) -> None:
        given = (args, kwargs)
        parameters = [each for each in holder(module)._parameters.values() if each is not None]  # noqa: SLF001
        weights = [self._by_parameter[each] for each in (*parameters, *tensors_in(given)) if each in self._by_parameter]
        call = _OpenUnit(self._sources(given), weights)
        for index, tensor in enumerate(tensors_in(given)):
            edge = self.edge_of(tensor)
            if edge is not None:
                call.places[index] = edge
            elif tensor in self._by_parameter:
                call.given[index] = self._by_parameter[tensor]
        call.settings = self._settings(module, args, kwargs)
        self._open.append(call)

    def _settings(self, module: nn.Module, args: Any, kwargs: Any) -> dict[str, object]:  # noqa: ANN401
        """The arguments of a call other than its first one and activations, by names of parameters."""
        try:
            bound = inspect.signature(module.forward).bind(*args, **kwargs).arguments
        except (TypeError, ValueError):
            return {}
        rest = list(bound.items())[1:]
        return {name: each for name, each in rest if not (isinstance(each, Tensor) and self.edge_of(each) is not None)}

    def _leave(self, module: nn.Module, _args: object, _kwargs: object, out: object) -> None:
        call = self._open.pop()
        if self._open:
            self._open[-1].absorb(call)
            self._open[-1].keep(out)
            return
        if not (call.sources or call.weights):
            return
        asked_for = isinstance(module, self._classes)
        if not asked_for and not call.computes and not call.weights:
            self._pass_on(call.sources, out)
            return
        node = self._node_of.get(module)
        row = None if asked_for and call.number > 1 else call.row
        if node is None:
            node = self._node_of[module] = Node(
                self._units[module], module, row, weights=call.weights, places=call.places, given=call.given
            )
            node.settings, node.alone = call.settings, call.is_alone
            self.nodes.append(node)
        elif node.op is None:  # its first call read no activation: a first state of zeros
            node.op = row
        self._finish(node, call.sources, out)

    def _finish(self, node: Node, sources: list[Edge], out: object) -> None:
        node.calls += 1
        for edge in sources:
            if node not in edge.consumers:
                edge.consumers.append(node)
            if edge not in node.inputs:
                node.inputs.append(edge)
        for index, tensor in enumerate(tensors_in(out)):
            if index >= len(node.outputs):
                node.outputs.append(_edge(node, index, tensor))
            self._mark(tensor, node.outputs[index])

    def _is_made_of_masks(self, given: object, row: Op | None) -> bool:
        """True if a call has nothing of an activation: new numbers in a mask's shape, arithmetic of masks alone."""
        from_masks = all(tensor.dtype is torch.bool for tensor in tensors_in(given) if self.edge_of(tensor) is not None)
        return from_masks and row is not None and row.cls is not OpClass.TRANSPARENT

    def _unowned(self, row: Op | None, sources: list[Edge], out: object) -> None:
        if any(each.is_floating_point() for each in tensors_in(out)):
            node = Node("", nn.Identity(), row, owned=False)
            self.nodes.append(node)
            self._finish(node, sources, out)

    def _pass_on(self, sources: list[Edge], out: object) -> None:
        source = next((edge for edge in sources if edge.floating), sources[0]) if sources else None
        for tensor in tensors_in(out):
            if source is None or (source.floating and not tensor.is_floating_point()):
                continue
            edge = source
            if tensor.is_floating_point() and not source.floating:
                edge = Edge(None, source.index, device=tensor.device)
                self.casts.append(edge)
            edge.viewed |= self.edge_of(tensor) is not edge
            self._mark(tensor, edge)

    def _sources(self, value: object) -> list[Edge]:
        found = [edge for edge in map(self.edge_of, tensors_in(value)) if edge is not None]
        return list(dict.fromkeys(found))

    def _mark(self, tensor: Tensor, edge: Edge) -> None:
        self._edges[id(tensor)] = (weakref.ref(tensor), edge)


def _edge(producer: Node | None, index: int, tensor: Tensor) -> Edge:
    floating = tensor.is_floating_point()
    seen = None
    if floating and tensor.numel():
        with torch._C.DisableTorchFunction():  # noqa: SLF001  (no operation of the model's)
            low, high = torch.aminmax(tensor.detach())
            seen = float(low), float(high)
    origin = "" if producer is None else producer.path
    return Edge(producer, index, floating=floating, device=tensor.device, seen=seen, dims=tensor.dim(), origin=origin)


class _OpenUnit:
    """An open call of a unit: what flows in, its first operation that changes values, and how many there are."""

    def __init__(self, sources: list[Edge], weights: list[Weight]) -> None:
        self.sources = sources
        self.weights = list(dict.fromkeys(weights))
        self.places: dict[int, Edge] = {}
        self.given: dict[int, Weight] = {}
        self.settings: dict[str, object] = {}
        self.rows: list[Op | None] = []
        self.number = 0
        self.changes_weights = False  # before they are used
        self._has_units = False
        self._inside: dict[int, weakref.ref[Tensor]] = {}

    @property
    def computes(self) -> bool:
        """True if any operation changes values."""
        return self.number > 0

    @property
    def row(self) -> Op | None:
        """The row of what the unit computes: of its first operation, but one that gives out what it is given.

        None where that only limits the values, and more operations follow: its limits are not those of the result.
        """
        if not self.rows:
            return None
        changing = [row for row in self.rows if not _gives_what_it_takes(row)]
        first = changing[0] if changing else self.rows[0]
        return None if len(set(map(id, changing))) > 1 and _limits(first) else first

    @property
    def is_alone(self) -> bool:
        """True if the result is that of one operation; one that gives out what it is given may come before."""
        changing = [row for row in self.rows if not _gives_what_it_takes(row)]
        return not (self._has_units or self.changes_weights) and changing in ([], self.rows[-1:])

    def keep(self, value: object) -> None:
        """Remember what was computed inside."""
        self._inside |= {id(each): weakref.ref(each) for each in tensors_in(value)}

    def reads(self, value: object) -> bool:
        """True if a call reads what was computed inside."""
        return any((found := self._inside.get(id(each))) is not None and found() is each for each in tensors_in(value))

    def note(self, row: Op | None, compute: bool) -> None:
        if compute:
            self.rows.append(row)
            self.number += 1

    def absorb(self, inner: _OpenUnit) -> None:
        """Count the operations of a unit inside, more than one in any case: they are not the outer's own."""
        self.number += 2 * inner.number
        self._has_units = self._has_units or inner.number > 0


def _gives_what_it_takes(row: Op | None) -> bool:
    return row is not None and row.quantizer == "same-scale"


def _limits(row: Op | None) -> bool:
    return row is not None and (row.quantizer == "fixed-range" or row.name in CLAMPS)


def _is_unit(module: nn.Module, units: tuple[type[nn.Module], ...]) -> bool:
    leaf = not any(True for _ in module.children())
    return isinstance(module, units) or is_compound(module) or leaf


def _weights(model: nn.Module) -> tuple[list[Weight], dict[Tensor, Weight]]:
    found: dict[Tensor, Weight] = {}
    computed = parts(model)
    for path, module in model.named_modules():
        for name, parameter in module._parameters.items():  # noqa: SLF001
            if parameter is None or not parameter.is_floating_point():
                continue
            weight = found.setdefault(parameter, Weight(parameter, [], path, part_of=computed.get(parameter)))
            weight.owners.append((module, name))
    return list(found.values()), found
