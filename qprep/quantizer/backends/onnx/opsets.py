"""The file in an older or newer opset."""

from __future__ import annotations

import onnx
import onnx.inliner
from onnx import version_converter

from qprep.foundation.errors import QprepError
from qprep.quantizer.backends.onnx.builder import OPSET
from qprep.quantizer.backends.onnx.runtime_check import loads


def brought_to(made: onnx.ModelProto, opset: int, *, is_run: bool) -> onnx.ModelProto:
    """`made` in the operators of `opset`: by onnx's converter, which has no way back for many, or as it is written.

    A file whose nodes all fit the older operators is taken as it is only where it `is_run` by ONNX Runtime and compared
    afterwards: some operators mean other things in older opsets. Raises QprepError for one that it cannot be brought
    to.
    """
    if type(opset) is not int:
        raise QprepError(f"expected the number of an opset, found {opset!r}")
    small = _composed(without_identities(made), opset)
    try:
        return version_converter.convert_version(small, opset)
    except Exception as error:  # the converter raises what it happens on
        found = _relabelled(small, opset) if is_run else None
        if found is not None:
            return found
        reason = _reason(made, opset) or str(error).strip().splitlines()[-1]
        raise QprepError(
            f"expected an opset that the file can be brought to from {OPSET}, found {opset}: {reason}"
        ) from error


def _composed(made: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    """`made` with the operators that came after `opset` written in others, where ONNX defines them so: GELU, Mish …"""
    found, before = made, None
    while (newer := _newer(found, opset)) and newer != before:
        before = newer
        try:
            functions = [("", name) for name in newer]
            found = onnx.inliner.inline_selected_functions(_typed(found), functions, inline_schema_functions=True)
        except (TypeError, RuntimeError):  # an onnx package that does not know this, or a definition that needs more
            return found
    return found if found is made else without_identities(found)


def _typed(made: onnx.ModelProto) -> onnx.ModelProto:
    """A copy that states the type of each tensor, which definitions may depend on."""
    found = onnx.shape_inference.infer_shapes(made)
    for each in found.graph.initializer:
        found.graph.value_info.append(onnx.helper.make_tensor_value_info(each.name, each.data_type, list(each.dims)))
    return found


def _newer(made: onnx.ModelProto, opset: int) -> list[str]:
    """The operators of a file that no version of `opset` or before has."""
    used = {node.op_type for node in made.graph.node if not node.domain}
    first: dict[str, int] = {}
    for each in onnx.defs.get_all_schemas_with_history():
        if not each.domain and each.name in used:
            first[each.name] = min(each.since_version, first.get(each.name, each.since_version))
    return sorted(name for name, version in first.items() if version > opset)


def _reason(made: onnx.ModelProto, opset: int) -> str:
    """The reason why a file cannot be in an opset; empty if it is unknown."""
    newest = onnx.defs.onnx_opset_version()
    if opset > newest:
        return f"the onnx package knows opsets up to {newest}"
    newer = _newer(made, opset)
    return f"there is no {', '.join(newer)} in it" if newer else ""


def _relabelled(made: onnx.ModelProto, opset: int) -> onnx.ModelProto | None:
    """`made` under the number of another opset; None if a node does not fit the operators of that one."""
    found = onnx.ModelProto()
    found.CopyFrom(made)
    for each in found.opset_import:
        if not each.domain:
            each.version = opset
    try:
        onnx.checker.check_model(found, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError):
        return None
    return found if loads(bytes(found.SerializeToString())) else None


def without_identities(made: onnx.ModelProto) -> onnx.ModelProto:
    """A copy without the Identity nodes of the main graph, where what they read can take the name of what they give.

    One that reads an input or an initializer of the graph, or a tensor that is an output itself, stays.
    """
    found = onnx.ModelProto()
    found.CopyFrom(made)
    graph = found.graph
    makers = {name: node for node in graph.node for name in node.output}
    kept = {info.name for info in graph.output}
    names: dict[str, str] = {}
    for node in [each for each in graph.node if each.op_type == "Identity"]:
        read, given = node.input[0], node.output[0]
        if given not in kept or read not in makers or read in kept or read in names:
            continue
        names[read] = given
        graph.node.remove(node)
    for node in graph.node:
        _rename(node, names)
    return found


def _rename(node: onnx.NodeProto, names: dict[str, str]) -> None:
    """In place, in subgraphs too: what they read of the graph around them."""
    for each in (node.input, node.output):
        for place, name in enumerate(each):
            each[place] = names.get(name, name)
    for attribute in node.attribute:
        for graph in ([attribute.g] if attribute.HasField("g") else []) + list(attribute.graphs):
            for inner in graph.node:
                _rename(inner, names)
            for info in graph.output:
                info.name = names.get(info.name, info.name)
