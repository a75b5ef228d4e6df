"""Write `fixtures/after`, what `qprep fix` makes of `fixtures/before`; with --check, say what differs instead."""

from __future__ import annotations

import sys
from pathlib import Path

from qprep import fix_source

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"


def main(arguments: list[str]) -> int:
    """Write all files; with --check, 1 where one is not as it would be written."""
    stale = []
    for before in sorted((FIXTURES / "before").glob("*.py")):
        after = FIXTURES / "after" / before.name
        text = fix_source(before.read_text(encoding="utf-8"), str(before))[0]
        if not after.exists() or after.read_text(encoding="utf-8") != text:
            stale.append(after)
            if "--check" not in arguments:
                after.write_text(text, encoding="utf-8")
    for path in stale:
        print(f"{path}: {'differs' if '--check' in arguments else 'written'}")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
