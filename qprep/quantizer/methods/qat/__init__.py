"""Quantization-aware training: one method a file."""
