"""Writes quantized models for runtimes that compute on integers."""
