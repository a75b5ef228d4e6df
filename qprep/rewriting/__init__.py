"""From facts to edits: where new attributes go, what they are called, and which characters change."""
