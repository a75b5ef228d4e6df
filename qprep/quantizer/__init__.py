"""Quantizes a prepared model module by module; needs torch."""

from qprep.quantizer.base import Quantizer
from qprep.quantizer.errors import NotPreparedError
from qprep.quantizer.graph import Edge, Graph, Node
from qprep.quantizer.pattern import Pattern
from qprep.quantizer.post_training import DynamicQuantizer, PostTrainingQuantizer, WeightOnlyQuantizer
from qprep.quantizer.registry import register
from qprep.quantizer.settings import Settings
from qprep.quantizer.spec import Granularity, Scheme, Spec
from qprep.quantizer.wrapper import QuantizedModule

__all__ = [
    "DynamicQuantizer",
    "Edge",
    "Granularity",
    "Graph",
    "Node",
    "NotPreparedError",
    "Pattern",
    "PostTrainingQuantizer",
    "QuantizedModule",
    "Quantizer",
    "Scheme",
    "Settings",
    "Spec",
    "WeightOnlyQuantizer",
    "register",
]
