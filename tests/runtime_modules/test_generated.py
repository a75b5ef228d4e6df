"""The generated files of qprep.runtime_modules are what their rows say."""

from __future__ import annotations

import ast

from scripts import runtime_modules


def test_the_files_are_as_their_rows_say() -> None:
    found = runtime_modules.files()
    stale = [path.name for path, text in found.items() if path.read_text(encoding="utf-8") != text]
    assert stale == [], "run scripts/runtime_modules.py"
    assert len(found) > 30


def test_a_row_becomes_a_class() -> None:
    row = {
        "classes": {"Shift": "roll"},
        "doc": "`torch.$` as a module.",
        "settings": "shifts: int = 1, dims: int | None = None",
        "stored": {"dims": "dims or 0"},
        "forward": "input: Tensor, shifts, dims: list[int] | None = None",
        "says": "Move\n\nin a circle.",
        "body": ["if not shifts:\n    return input"],
        "result": "torch.$(input, shifts, dims)",
        "typed": True,
    }
    source = runtime_modules.klass("Shift", "roll", row)
    expected = '''
class Shift(Operation):
    """`torch.roll` as a module."""

    def __init__(self, shifts: int = 1, dims: int | None = None) -> None:
        super().__init__()
        self.shifts = shifts
        self.dims = dims or 0

    def forward(self, input: Tensor, shifts: int | None = None, dims: list[int] | None = None) -> Tensor:
        """Move

        in a circle."""
        shifts = self.shifts if shifts is None else shifts
        dims = self.dims if dims is None else dims
        if not shifts:
            return input
        result: Tensor = torch.roll(input, shifts, dims)
        return result
'''
    assert ast.dump(ast.parse(source)) == ast.dump(ast.parse(expected))
