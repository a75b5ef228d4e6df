# ruff: noqa: ANN401 -- values of any kind
"""A dict of parameters or buffers that belongs to another module: found by name, never listed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class Borrowed(dict[str, Any]):
    """`lender`, which can be read and written by name, but looks empty to whoever lists it.

    nn.Module finds attributes by name and collects state_dict, parameters() and `.to()` by listing: so a module that
    borrows works with the lender's tensors, and only the lender keeps them. The dict below holds what was read last,
    for torch.compile, whose guards look there.
    """

    def __init__(self, lender: dict[str, Any]) -> None:
        super().__init__(lender)
        self.lender = lender

    @classmethod
    def of(cls, lender: dict[str, Any]) -> dict[str, Any]:
        """A view of `lender`, or of whom `lender` borrows from; an empty dict of nothing."""
        if isinstance(lender, Borrowed):
            return cls(lender.lender)
        return cls(lender) if lender else {}

    def __contains__(self, name: object) -> bool:
        return name in self.lender

    def __getitem__(self, name: str) -> Any:
        value = self.lender[name]
        super().__setitem__(name, value)
        return value

    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(name, value)
        self.lender[name] = value

    def __delitem__(self, name: str) -> None:
        super().pop(name, None)
        del self.lender[name]

    def get(self, name: str, default: Any = None) -> Any:
        """The module of the lender under `name`."""
        return self.lender.get(name, default)

    def __len__(self) -> int:
        return 0

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def keys(self) -> Any:
        """No names."""
        return {}.keys()

    def values(self) -> Any:
        """No tensors."""
        return {}.values()

    def items(self) -> Any:
        """No names, no tensors."""
        return {}.items()

    def __reduce__(self) -> tuple[type[Borrowed], tuple[dict[str, Any]]]:
        return Borrowed, (self.lender,)
