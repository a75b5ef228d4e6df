"""The abstract interpreter that evaluates constructors and forward methods."""
