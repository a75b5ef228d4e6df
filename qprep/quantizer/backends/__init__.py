"""What executes a quantized model: ONNX Runtime and integers in torch."""
