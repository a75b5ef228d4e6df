"""Values and tools that every other room uses: findings, sources, edits, the operator catalogue, atomic writes."""
