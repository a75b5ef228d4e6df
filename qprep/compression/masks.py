"""Masks: what is kept of each parameter, held outside of the model and applied in place."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import compress
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import Parameter

from qprep.compression.errors import CompressionError
from qprep.compression.names import ParameterNames


@dataclass(slots=True)
class Share:
    """One policy's mask of one parameter.

    keep       booleans of the parameter's shape; False is 0
    forward    only while the model runs: the optimizer may change what is masked
    copies     with `forward`: the values from before come back before the optimizer's step
    gradients  with `forward`: gradients are masked too
    scale      what kept values are multiplied by while the model runs; 1 without
    """

    keep: Tensor
    forward: bool = False
    copies: bool = False
    gradients: bool = False
    scale: float = 1.0


class Masks:
    """Masks of parameters by object, so that they survive wrappers and new names.

    Policies have shares of their own; a value is kept where all of them keep it. `masks["conv.weight"]` is the mask as
    booleans, None if that parameter has none.
    """

    def __init__(self, names: ParameterNames) -> None:
        self.names = names
        self._shares: dict[Parameter, dict[str, Share]] = {}
        self._kept: tuple[list[Tensor], list[Tensor]] | None = None
        self._copies: dict[Parameter, Tensor] = {}

    def __getitem__(self, name: str) -> Tensor | None:
        return self.of(self.names.named(name))

    def __iter__(self) -> Iterator[tuple[str, Tensor]]:
        """Names, without wrappers, and masks."""
        for parameter in self._shares:
            mask = self.of(parameter)
            if mask is not None:
                yield self.names.of(parameter), mask

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @property
    def parameters(self) -> list[Parameter]:
        """Those that have a mask."""
        return [each for each, shares in self._shares.items() if shares]

    def of(self, parameter: Parameter) -> Tensor | None:
        """The mask of a parameter: booleans of its shape, or None."""
        return _joined(self._shares.get(parameter, {}).values())

    def always(self, parameter: Parameter) -> Tensor | None:
        """The part of it that holds between steps too."""
        return _joined(each for each in self._shares.get(parameter, {}).values() if not each.forward)

    def share(self, parameter: Parameter, owner: str) -> Share | None:
        """The mask that `owner` keeps of a parameter."""
        return self._shares.get(parameter, {}).get(owner)

    def shares(self, parameter: Parameter) -> tuple[Share, ...]:
        """The masks that policies keep of a parameter."""
        return tuple(self._shares.get(parameter, {}).values())

    def set(self, parameter: Parameter, owner: str, share: Share) -> None:
        """Replace the share of `owner`; CompressionError for a mask of another shape."""
        if share.keep.shape != parameter.shape:
            raise CompressionError(
                f"expected a mask of shape {tuple(parameter.shape)} for {self.names.of(parameter)}, "
                f"found {tuple(share.keep.shape)}"
            )
        share.keep = share.keep.to(device=parameter.device, dtype=torch.bool)
        self._shares.setdefault(parameter, {})[owner] = share
        self._kept = None

    def drop(self, owner: str) -> None:
        """Forget all shares of `owner`; values stay as they are."""
        for shares in self._shares.values():
            shares.pop(owner, None)
        self._shares = {each: shares for each, shares in self._shares.items() if shares}
        self._kept = None

    def drop_parameter(self, parameter: Parameter) -> None:
        """Forget all masks of a parameter."""
        self._shares.pop(parameter, None)
        self._kept = None

    def cut(self, parameter: Parameter, kept: Sequence[tuple[int, Tensor]]) -> None:
        """After a parameter has lost channels: of all its masks only these positions stay, (dimension, positions)."""
        for share in self._shares.get(parameter, {}).values():
            for dim, positions in kept:
                share.keep = share.keep.index_select(dim, positions.to(share.keep.device))
        self._copies.pop(parameter, None)
        self._kept = None

    def use(self, names: ParameterNames) -> None:
        """Names of the model as it is now."""
        self.names = names

    @torch.no_grad()
    def apply(self, only: Collection[Tensor] | None = None) -> None:
        """Set what is masked to 0, in place, at once for all or for `only` these; masks in forward only are left."""
        parameters, kept = self._prepared()
        if only is not None:
            chosen = [each in only for each in parameters]
            parameters, kept = list(compress(parameters, chosen)), list(compress(kept, chosen))
        if parameters:
            torch._foreach_mul_(parameters, kept)

    @torch.no_grad()
    def enter_forward(self) -> None:
        """Mask what is masked while the model runs, and keep copies if a policy requires them."""
        for parameter, shares in self._shares.items():
            used = [each for each in shares.values() if each.forward]
            if not used:
                continue
            if any(each.copies for each in used) and parameter not in self._copies:
                self._copies[parameter] = parameter.detach().clone()
            mask = _joined(used)
            assert mask is not None  # noqa: S101  (there are shares)
            parameter.mul_(mask.to(parameter.dtype))
            for each in used:
                if each.scale != 1.0 and each.copies:
                    parameter.mul_(each.scale)

    @torch.no_grad()
    def leave_forward(self, only: Collection[Tensor] | None = None) -> None:
        """The copies come back, all or of `only` these parameters; nothing happens if there are none."""
        for parameter in [each for each in self._copies if only is None or each in only]:
            parameter.copy_(self._copies.pop(parameter))

    @contextmanager
    def left(self) -> Iterator[None]:
        """With the copies back, for the time of a look at the values that the optimizer changes."""
        entered = bool(self._copies)
        self.leave_forward()
        try:
            yield
        finally:
            if entered:
                self.enter_forward()

    @torch.no_grad()
    def mask_gradients(self) -> None:
        """Set gradients of what is masked to 0, if a policy requires it."""
        for parameter, shares in self._shares.items():
            mask = _joined(each for each in shares.values() if each.gradients)
            if mask is None or parameter.grad is None:
                continue
            if parameter.grad.is_sparse:  # of an embedding; torch multiplies it by dense masks into a new tensor
                parameter.grad = parameter.grad * mask.to(parameter.grad.dtype)
            else:
                parameter.grad.mul_(mask.to(parameter.grad.dtype))

    def apply_to(self, model: nn.Module) -> None:
        """Mask a model of the same names, such as an average of the weights of this one."""
        others = ParameterNames(model)
        with torch.no_grad():
            for name, mask in self:
                each = others.named(name)
                each.mul_(mask.to(device=each.device, dtype=each.dtype))

    def state_dict(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Tensors and plain data, by name and policy."""
        return {
            self.names.of(parameter): {
                owner: {
                    "keep": each.keep.detach().cpu(),
                    **{name: getattr(each, name) for name in ("forward", "copies", "gradients", "scale")},
                }
                for owner, each in shares.items()
            }
            for parameter, shares in self._shares.items()
        }

    def load_state_dict(self, state: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
        """Take the result of `state_dict`; CompressionError for another model, and nothing is changed then."""
        found = []
        for name, shares in state.items():
            parameter = self.names.named(name)
            for owner, each in shares.items():
                if each["keep"].shape != parameter.shape:
                    raise CompressionError(
                        f"expected a mask of shape {tuple(parameter.shape)} for {name}, "
                        f"found {tuple(each['keep'].shape)} in the saved state"
                    )
                found.append((parameter, owner, Share(**{**each, "keep": each["keep"].clone()})))
        self._shares, self._kept, self._copies = {}, None, {}
        for parameter, owner, share in found:
            self.set(parameter, owner, share)

    def _prepared(self) -> tuple[list[Tensor], list[Tensor]]:
        if self._kept is None or any(
            mask.device != each.device or mask.dtype != each.dtype for each, mask in zip(*self._kept, strict=True)
        ):
            made = [(each, self.always(each)) for each in self._shares]
            held = [(each, mask.to(device=each.device, dtype=each.dtype)) for each, mask in made if mask is not None]
            self._kept = [each for each, _ in held], [mask for _, mask in held]
        return self._kept


def _joined(shares: Any) -> Tensor | None:  # noqa: ANN401  (an iterable of Share)
    found: Tensor | None = None
    for each in shares:
        found = each.keep if found is None else found & each.keep
    return found
