"""What code does to objects that are not its own: writes, escapes, aliases, iteration over children."""
