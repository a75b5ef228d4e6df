"""The operator catalogue: all that any part of qprep knows of torch's operations. It needs no torch."""
