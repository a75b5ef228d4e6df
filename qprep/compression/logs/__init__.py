"""Logs of a training: JSON lines, CSV, TensorBoard events, each written without a package."""
