"""The settings file of `qprep quantize`."""
