"""What the source means: classes, attributes of self, the call graph and the kinds of values, without running it."""
