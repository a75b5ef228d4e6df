"""Several files rewritten as one: all of them, or none, also where the process is killed between two of them."""
