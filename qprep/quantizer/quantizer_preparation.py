"""The preparation that all quantizers share: settings, tracing, passes, slots in the model, ranges from data.

The design is Distiller's (Zmora et al., arXiv:1910.12232): a factory of replacements by type, bits with overrides by
regular expressions, a function that quantizes parameters, and new parameters in the optimizer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, Final, Self

import torch
from torch import Tensor, nn
from torch.nn import Parameter
from torch.optim import Optimizer

from qprep.foundation.errors import QprepError
from qprep.quantizer.backends.onnx.export_report import Island
from qprep.quantizer.batches import batches_of, caller, check_inputs, running
from qprep.quantizer.checkpoint import given_names
from qprep.quantizer.config.backend_presets import IN_PARTS, preset
from qprep.quantizer.config.config_settings import Bits, LayerSettings, Overrides, names_of, with_values
from qprep.quantizer.config.short_forms import selected, type_names, values_of, with_bits
from qprep.quantizer.example_runs import floating_type, in_type
from qprep.quantizer.formats.spec import Spec
from qprep.quantizer.formats.tensor_quantizers import (
    ActivationQuantizer,
    FunctionQuantizer,
    QuantizerMode,
    TensorQuantizer,
    WeightQuantizer,
)
from qprep.quantizer.graph import bias_rounding
from qprep.quantizer.graph.activation_parts import split_activations
from qprep.quantizer.graph.forward_methods import decorated, method_of
from qprep.quantizer.graph.graph_passes import Passes, default_passes
from qprep.quantizer.graph.graph_tracing import build_graph
from qprep.quantizer.graph.insertion import insert_quantizers
from qprep.quantizer.graph.module_registry import ReplacementFactory, registered
from qprep.quantizer.graph.pass_registry import add_registered
from qprep.quantizer.graph.planning_notes import planning_notes
from qprep.quantizer.graph.quantization_graph import Edge, Graph, Weight
from qprep.quantizer.graph.reused_calls import separable, separate, separated, without
from qprep.quantizer.layers.layer_formats import formats_of
from qprep.quantizer.quantizer_errors import NotPreparedError, unprepared, without_insides
from qprep.tracing import TraceReport, trace
from qprep.tracing.traced_run import check_model

_LATE_SCHEDULER: Final = (
    "the optimizer has a learning rate scheduler, which was made for fewer groups: make it after prepare_model, which "
    "adds a group for what the quantizers learn"
)


class PreparingQuantizer:
    """`prepare_model(*example_inputs)` puts quantizers into `model`, in place.

    overrides           regular expressions on module names, which must match in full (a container's name means
                        all inside) or parameters' names, to settings; the first that matches wins; see `LayerSettings`
    train_with_fp_copy  whether parameters stay in float and are quantized in each forward, or are overwritten by
                        `quantize_params`
    backend             whose kernels' formats are the defaults, see `BACKENDS`
    **defaults          any other setting of `LayerSettings`, and: `types`, the only classes of modules to quantize (the
                        rest stays in float and need not be prepared); `bits_overrides`, patterns to bits in short
                        form; `target`, whose registered passes are run, see `register_pass`; `passes`, functions of
                        your own

    A method is a subclass: what it overrides is `make_weight_quantizer`, `make_activation_quantizer`,
    `param_quantization_fn`, `default_passes`, or entries of `replacement_factory`. Raises QprepError for a model on
    the meta device, unknown settings, and what is not an nn.Module.
    """

    defaults: ClassVar[Mapping[str, Any]] = {}
    quantizes_vectors: bool = True  # parameters of one dimension that are no bias: those of norms
    is_trained: bool = False  # whether what the simulation gives was trained
    unread: ClassVar[tuple[str, ...]] = ()  # settings that the method has no use for

    given: frozenset[str]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """As of any class; it notes which arguments were given, which a file repeats when it is loaded."""
        made = super().__new__(cls)
        made.given = given_names(cls, args, kwargs)
        return made

    def __init__(  # noqa: PLR0917  (Distiller's order)
        self,
        model: nn.Module,
        optimizer: Optimizer | None = None,
        bits_activations: Bits = None,
        bits_weights: Bits = None,
        bits_bias: Bits = None,
        overrides: Mapping[str, Mapping[str, Any]] | None = None,
        train_with_fp_copy: bool = False,
        *,
        backend: str | None = None,
        **defaults: Any,
    ) -> None:
        _check_model(model)
        if optimizer is not None and not isinstance(optimizer, Optimizer):
            raise QprepError(f"expected an optimizer of torch.optim, found {type(optimizer).__name__}")
        overrides = with_bits(overrides, defaults.pop("bits_overrides", None))
        formats, types = preset(backend), type_names(defaults.pop("types", None), model)
        target, own = defaults.pop("target", None), defaults.pop("passes", ())
        bits = {"bits_activations": bits_activations, "bits_weights": bits_weights, "bits_bias": bits_bias}
        self._asked = tuple(defaults)
        given = {**self.defaults, **formats, **bits, **defaults}
        base = with_values(LayerSettings(), given, f"given to {type(self).__name__}")
        aliases = names_of(model)
        self.settings = Overrides(base, overrides, aliases, aliases, formats_of(model))
        self.settings.types = types
        self.model = model
        self.optimizer = optimizer
        self.train_with_fp_copy = train_with_fp_copy
        self.backend = backend
        self.replacement_factory = ReplacementFactory(registered())
        self.passes = self.default_passes()
        self.passes.append("insert-observers", self._insert)
        self.passes.append("quantize", self._quantize)
        self.notes: list[str] = add_registered(self.passes, target, own)
        self.float_values: dict[Parameter, Tensor] = {}  # of parameters that were overwritten, which reports compare
        self._graph: Graph | None = None
        self._islands: tuple[Island, ...] = ()  # of the ONNX file, once one was written or tried
        self._example: tuple[tuple[object, ...], dict[str, object]] = ((), {})
        self._example_type: torch.dtype | None = None

    @property
    def example(self) -> tuple[tuple[object, ...], dict[str, object]]:
        """The example inputs, in the floating type of the model where that has changed (`model.bfloat16()`)."""
        now = floating_type(self.model)
        return self._example if now in (None, self._example_type) else in_type(self._example, self._example_type, now)

    def prepare_model(
        self, *example_inputs: object, allow_unprepared: bool = False, **example_kwinputs: object
    ) -> None:
        """Trace the model on example inputs, run the passes, insert the quantizers, extend the optimizer.

        Raises NotPreparedError for operations without a module. With `allow_unprepared` they stay in float, and `notes`
        lists them. Raises QprepError if it is called twice, and if the model does not run on the example inputs.
        """
        if self._graph is not None:
            raise QprepError("expected one prepare_model for each quantizer, found a second")
        self.replacement_factory.check()
        check_inputs(self.model, example_inputs, example_kwinputs)
        training = {module: module.training for module in self.model.modules()}
        self.model.eval()
        try:
            self._split_activations()
            units = (*self.replacement_factory.units, *decorated(self.model))
            with running((example_inputs, example_kwinputs)):
                traced = trace(self.model, *example_inputs, **example_kwinputs)
            found = without_insides(traced, self.model, units)
            reused = separable(self.model, found)
            report = without(found, reused)
            if not (report.is_prepared or allow_unprepared or self.settings.types):
                raise NotPreparedError(found)
            separate(self.model, reused)
            self.notes += separated(reused)
            if not self.settings.types:
                self.notes += [f"{line}: it stays in float" for line in dict.fromkeys(unprepared(report))]
            graph = build_graph(self.model, example_inputs, example_kwinputs, self.settings, units)
        finally:
            for module, mode in training.items():
                module.training = mode
        _leave_in_float(graph, report, self.settings.types)
        self.notes += _leave_to_their_methods(graph)
        self._caller = caller(self.model, example_inputs)
        for _, function in self.passes:
            function(graph)
        self.model, self._graph = graph.model, graph
        self._example = (example_inputs, example_kwinputs)
        self._example_type = floating_type(self.model)
        self.notes += planning_notes(graph, self.settings)
        self.notes += [
            f"{type(self).__name__} does not read {name}" for name in self.settings.changed(self.unread, self._asked)
        ]
        self._finish_preparing()
        self._update_optimizer()

    def _split_activations(self) -> None:
        if self.backend in IN_PARTS and not self.settings.types:
            skipped = tuple(self.replacement_factory)
            split = split_activations(self.model, self.settings, skipped)
            self.notes += [f"{path}: a sigmoid and a product, as {self.backend} has integer kernels" for path in split]

    def _finish_preparing(self) -> None:
        """Steps after the quantizers are in the model."""
        bias_rounding.install(bias_rounding.biased_layers(self.graph), self.model)

    def __setitem__(self, name: str, values: object) -> None:
        """Before `prepare_model`: `q["conv1"] = None` leaves a module in float, bits or a mapping of settings say more.

        Raises QprepError for a name that the model does not have, and afterwards.
        """
        if self._graph is not None:
            raise QprepError(f"expected settings of {name!r} before prepare_model, found a prepared model")
        self.settings.put_first(name, values_of(values, f"for {name!r}"))

    def __getitem__(self, name: str) -> LayerSettings:
        """The settings of the module at this path."""
        return self.settings(name)

    @property
    def graph(self) -> Graph:
        """The module graph as planned; QprepError before prepare_model."""
        if self._graph is None:
            raise QprepError("expected prepare_model before, found a quantizer that has not traced its model")
        return self._graph

    @property
    def quantizers(self) -> Iterator[TensorQuantizer]:
        """Every tensor quantizer in the model, once."""
        return (each for each in self.model.modules() if isinstance(each, TensorQuantizer))

    def default_passes(self) -> Passes:
        """The passes of a new quantizer; `passes` are those of this one."""
        return default_passes()

    def make_activation_quantizer(self, edge: Edge, spec: Spec, name: str) -> TensorQuantizer:
        """Return the quantizer of the tensor of `edge`."""
        return ActivationQuantizer(name, spec, edge.fixed, edge.bounds)

    def make_weight_quantizer(self, weight: Weight, spec: Spec, name: str) -> TensorQuantizer:  # noqa: ARG002
        """Return the quantizer of a parameter; with float copies, `param_quantization_fn` runs in each forward."""
        changed = getattr(self.param_quantization_fn, "__func__", None) is not PreparingQuantizer.param_quantization_fn
        if changed and self.train_with_fp_copy:
            return FunctionQuantizer(name, spec, self.param_quantization_fn)
        return WeightQuantizer(name, spec)

    def param_quantization_fn(self, parameter: Tensor, quantizer: TensorQuantizer) -> Tensor:
        """Return the quantized values of `parameter`."""
        if isinstance(quantizer, WeightQuantizer):
            quantizer.fit(parameter)
        return quantizer.quantize(parameter)

    def quantize_params(self) -> None:
        """Overwrite every parameter by its quantized values, once, unless float copies are trained."""
        if self.train_with_fp_copy:
            return
        with torch.no_grad():
            for parameter, quantizer in self.parameters_with_quantizers():
                self.float_values[parameter] = parameter.detach().clone()
                parameter.copy_(self.param_quantization_fn(parameter, quantizer))

    def parameters_with_quantizers(self) -> Iterable[tuple[Parameter, TensorQuantizer]]:
        """Each quantized parameter with its quantizer; a tied parameter once."""
        return [(weight.parameter, weight.quantizer) for weight in self.graph.weights if weight.quantizer is not None]

    def calibrate(self, loader: Iterable[object]) -> None:
        """Observe all ranges on `loader` in evaluation mode, and fix them. A second call starts again.

        A layer that did not run stays in float, and `notes` names it. Raises QprepError for a loader without data and
        for activations that are NaN or infinite, with the name of the layer.
        """
        self.graph.model.eval()
        observers = [each for each in self.quantizers if isinstance(each, ActivationQuantizer)]
        modes = [(each, each.mode) for each in self.quantizers]
        for each, _ in modes:
            each.mode = QuantizerMode.QUANTIZE if each.spec.is_float else QuantizerMode.OFF
        for observer in observers:
            observer.start_observing()
        self._observe(loader, observers)
        for each, mode in modes:
            each.mode = mode
        for observer in observers:
            if not observer.freeze():
                self.notes.append(f"{observer.name}: did not run in calibration; it stays in float")

    def check_calibrated(self, before: str) -> None:
        """Raise QprepError if ranges are missing that the step called `before` needs."""
        observers = [each for each in self.quantizers if isinstance(each, ActivationQuantizer)]
        if any(each.needs_data for each in observers) and not any(each.is_active for each in observers):
            raise QprepError(f"expected calibrate before {before}, found no range observed")

    def values_of(self, parameter: Tensor) -> Tensor:
        """Return the input of the parameter's quantizer: the parameter, or scaled values if the method scales it."""
        return parameter

    def call(self, batch: object) -> Any:  # noqa: ANN401  (whatever the model returns)
        """Run the model on a batch: a tensor, a tuple or list (labels and other extra items are not used), or a dict.

        Raises QprepError for anything else.
        """
        return self._caller.call(self.model, batch)

    def _note(self, found: Iterable[str]) -> None:
        self.notes += [note for note in found if note not in self.notes]

    def _get_updated_optimizer_params_groups(self) -> list[dict[str, Any]]:
        """The optimizer's groups to be: what quantizers learn, without weight decay.

        Parameters that the optimizer has stay in their groups, whether they are listed or not.
        """
        learned = [each for quantizer in self.quantizers for each in quantizer.parameters()]
        return [{"params": learned, "weight_decay": 0.0}] if learned else []

    def _update_optimizer(self) -> None:
        if self.optimizer is None:
            return
        known = {each for group in self.optimizer.param_groups for each in group["params"]}
        scheduled = _scheduled(self.optimizer)
        for group in self._get_updated_optimizer_params_groups():
            new = [each for each in group["params"] if each not in known]
            if new:
                self.optimizer.add_param_group({**scheduled, **group, "params": new})
                self._note([_LATE_SCHEDULER] if scheduled else [])

    def _insert(self, graph: Graph) -> None:
        insert_quantizers(graph, self)

    def _quantize(self, graph: Graph) -> None:
        self.model, self._graph = graph.model, graph
        self.quantize_params()

    def _observe(self, loader: object, observers: list[ActivationQuantizer]) -> None:
        batches = 0
        with torch.no_grad():
            for batch in batches_of(loader):
                with running(batch, batches):
                    self.call(batch)
                batches += 1
        waiting = [each for each in observers if each.needs_data]
        if batches == 0 or (waiting and not any(each.estimator and each.estimator.count for each in waiting)):
            raise QprepError(f"expected data to calibrate with, found {batches} batches without a value")


def _check_model(model: object) -> None:
    if not isinstance(model, nn.Module):
        raise QprepError(f"expected an nn.Module to quantize, found {type(model).__name__}")
    check_model(model)
    if any(isinstance(each, TensorQuantizer) for each in model.modules()):
        raise QprepError(f"expected a model in float, found {type(model).__name__} quantized already")
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if tensor.is_meta:
            raise QprepError(f"expected a model with data, found {name} on the meta device")


def _scheduled(optimizer: Optimizer) -> dict[str, Any]:
    """The values of the first group if a scheduler uses the groups, which keeps values of its own there; else none."""
    first = optimizer.param_groups[0] if optimizer.param_groups else {}
    return {name: value for name, value in first.items() if name != "params"} if "initial_lr" in first else {}


def _leave_in_float(graph: Graph, report: TraceReport, types: tuple[str, ...]) -> None:
    barred = {each.module_path for each in report.reused} | {event.module_path for event in report.unowned}
    chosen = selected(graph.model, types)
    for node in graph.nodes:
        if node.path in barred or (types and node.path not in chosen):
            node.owned = False


def _leave_to_their_methods(graph: Graph) -> list[str]:
    """Put no slots around modules whose forward quantizes by itself; returns a note for each."""
    notes = []
    for node in graph.nodes:
        method = method_of(node.module)
        if method is not None:
            node.owned = False
            notes.append(f"{node.path}: quantized by its own forward ({method})")
    return notes
