# ruff: noqa: ANN401 -- values of any kind
"""The base of all modules for one operation."""

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, overload

from torch import Tensor, nn

Number = int | float  # spelled out, as TorchScript takes no int for a float
if TYPE_CHECKING:
    Operand = Tensor
else:
    Operand = Tensor | Number  # for TorchScript, which asks what `1 - x` gives; the number may come first

# nn.Module's own `training` is another thing: whether this module trains.
_ATTRIBUTES: Final = {"training": "active"}


class Operation(nn.Module):
    """One operation as a module: no parameters, no buffers.

    The constructor takes the operation's configuration with torch's defaults. forward takes the operation's own
    parameters in torch's order; where it takes configuration too, None means: as constructed.
    """

    def __init__(self) -> None:
        super().__init__()

    def extra_repr(self) -> str:
        """Say what was configured unlike the default: "dim=1"."""
        parameters = list(inspect.signature(type(self).__init__).parameters.values())[1:]
        settings = {found: getattr(self, _ATTRIBUTES.get(found.name, found.name), None) for found in parameters}
        return ", ".join(
            f"{found.name}={_shown(value, found.default)}"
            for found, value in settings.items()
            if _differs(value, found.default)
        )


@overload
def sizes(value: int | Sequence[int], dims: int = 1) -> list[int]: ...
@overload
def sizes(value: int | Sequence[int] | None, dims: int = 1) -> list[int] | None: ...
def sizes(value: int | Sequence[int] | None, dims: int = 1) -> list[int] | None:
    """`value` as TorchScript wants it: a list, of `dims` equal numbers where it is one number."""
    if isinstance(value, int):
        return [value] * dims
    return list(value) if isinstance(value, tuple) else value  # type: ignore[return-value]


def _shown(value: Any, default: Any) -> str:
    if isinstance(value, list) and isinstance(default, int) and value.count(value[0]) == len(value):
        return repr(value[0])
    return repr(tuple(value) if isinstance(value, list) else value)


def _differs(value: Any, default: Any) -> bool:
    if not value and isinstance(value, list) and default is None:
        return False
    if isinstance(value, list):
        numbers = [default] * len(value) if isinstance(default, int) else default
        return not isinstance(numbers, (list, tuple)) or value != list(numbers)
    return type(value) is not type(default) or bool(value != default)
