"""Quantizes a prepared model module by module; needs torch."""

from qprep.quantizer.spec import Granularity, Scheme, Spec

__all__ = ["Granularity", "Scheme", "Spec"]
