"""Hand-over to runtimes by name: one file for each exporter."""
