"""The scheduler in trainers of other packages, which need not be installed."""
