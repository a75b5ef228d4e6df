"""Hand-written eager quantization: fuse lists, stubs, FloatFunctional, and what is wrong with them."""
