"""Dependencies between files, and the partitions that follow from them."""
