"""Effects of code on objects: writes, escapes, aliases, iteration over children."""
