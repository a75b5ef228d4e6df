"""Names: symbol tables, module summaries, resolution of imports."""
