"""Which files depend on which, and the partitions that follow."""
