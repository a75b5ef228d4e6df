"""The interface for packages that add rules, rewrites and operators."""
