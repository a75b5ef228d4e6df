"""Static analysis of source: classes, attributes of self, the call graph and abstract values, without running it."""
