"""Compression: schedules that prune, thin and distil a model while it trains."""
