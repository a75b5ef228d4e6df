"""The table of torch.nn's bases agrees with torch."""

from __future__ import annotations

from torch import nn

from qprep.foundation.catalogue.torch_bases import TORCH_BASES


def test_bases_are_those_of_torch() -> None:
    classes = {name: cls for name, cls in vars(nn).items() if isinstance(cls, type) and issubclass(cls, nn.Module)}
    found = {
        name: tuple(base.__name__ for base in cls.__mro__[1:] if issubclass(base, nn.Module) and base is not nn.Module)
        for name, cls in classes.items()
        if cls is not nn.Module
    }
    assert {name: bases for name, bases in found.items() if bases} == dict(TORCH_BASES)
