"""Models of installed packages, prepared without a change to the package: import hook, one call, and vendored files."""
