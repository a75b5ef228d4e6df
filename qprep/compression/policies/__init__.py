"""Policies: what a schedule runs at its times."""
