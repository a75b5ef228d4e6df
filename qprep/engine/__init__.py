"""From files to results: discovery, settings, partitions, cache, workers, the loop of fixes."""
