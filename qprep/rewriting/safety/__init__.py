"""Checks of what a rewrite could change for other code."""
