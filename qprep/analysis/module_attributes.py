"""Attributes that every nn.Module has: no new attribute may take their names."""

from __future__ import annotations

from qprep.foundation.catalogue.module_attributes import NN_MODULE_ATTRIBUTES

__all__ = ["NN_MODULE_ATTRIBUTES"]
