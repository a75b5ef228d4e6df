"""Collectors of facts that need no evaluation of forward."""
