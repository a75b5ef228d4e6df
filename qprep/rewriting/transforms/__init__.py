"""The transformations that codemods are made of."""
