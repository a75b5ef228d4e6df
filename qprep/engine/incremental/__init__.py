"""The cache of results of earlier runs."""
