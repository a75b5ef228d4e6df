"""Execution of quantized models: ONNX Runtime and integers in torch."""
