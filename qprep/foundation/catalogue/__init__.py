"""The operator catalogue: everything that qprep knows about torch's operations. It needs no torch."""
