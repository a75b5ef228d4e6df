"""Ranges of tensors: observers, histograms, estimators."""
