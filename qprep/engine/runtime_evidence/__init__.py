"""Joins what the static analysis found with what runs of the user's models showed."""
