"""Quantization methods: after training and in training."""
