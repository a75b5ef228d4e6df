"""The result of `groups`: channels of a model that can be removed, and those that must stay, with the reason."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from qprep.compression.structure.labels import Layers, unique
from qprep.compression.structure.structure_errors import StructureError

Removal = Mapping[str, Iterable[int]]  # by the name of a family, the numbers of its groups that go


@dataclass(frozen=True, slots=True, eq=False)
class Slot:
    """The part that one dimension of a parameter or buffer has in a family.

    tensor  its name, as in state_dict
    dim     the dimension that thinning cuts
    index   positions along it, shape (groups, positions per group)
    masked  whether a structure mask sets these positions to 0: a weight that computes the channel, its bias, the
            BatchNorm behind it. Weights that read the channel and buffers are cut, never masked.
    makes   whether it is a weight that computes the channel: what norms of a channel are taken of
    carries whether it computes the channel out of that channel alone, as depthwise weights do: 0 where that is 0
    reads   whether it is a weight that reads the channel
    multiplies  whether it is the weight of a norm, by which the channel is multiplied
    """

    tensor: str
    dim: int
    index: Tensor
    masked: bool
    makes: bool
    carries: bool = False
    reads: bool = False
    multiplies: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Width:
    """An attribute of a module that holds a number of channels: `out_channels`, `groups`; `index` as Slot's."""

    module: str
    attribute: str
    index: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """Groups that touch the same dimensions of the same tensors: the width of one part of a network.

    name   the first weight that computes its channels
    size   the number of groups
    slots  every member of every group
    widths attributes of modules that follow
    """

    name: str
    size: int
    slots: tuple[Slot, ...]
    widths: tuple[Width, ...] = ()

    def members(self, group: int) -> Iterator[tuple[str, int, tuple[int, ...]]]:
        """(tensor, dim, positions) of one group."""
        for slot in self.slots:
            yield slot.tensor, slot.dim, tuple(slot.index[group].tolist())


@dataclass(frozen=True, slots=True)
class Frozen:
    """Channels that cannot be removed.

    weight  the weight that computes them
    count   how many of its channels
    reason  one clause
    module  the path of the module in which the reason arose, "" for the model itself
    place   "file:line" of the code that ran there, "" where it is not known
    """

    weight: str
    count: int
    reason: str
    module: str
    place: str

    @property
    def explanation(self) -> str:
        """The reason and where it arose."""
        where = f" in {self.module}" if self.module else ""
        place = f" ({self.place})" if self.place else ""
        return f"{self.reason}{where}{place}"

    def __str__(self) -> str:
        return f"{self.weight}: {self.count} channels stay: {self.explanation}"


@dataclass(frozen=True, slots=True)
class Product:
    """One call of a layer, and its multiply-accumulates: `unit` for each of the `size` elements of its weight.

    tensor  the weight's name, "" where it is not a parameter
    module  the path of the module that ran
    input, output  the shapes of what it read and returned
    """

    tensor: str
    module: str
    unit: float
    size: int
    input: tuple[int, ...]
    output: tuple[int, ...]

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return round(self.unit * self.size)


@dataclass(frozen=True, slots=True)
class LabelledCall:
    """The labels of the tensors that a module returned in one call, in order."""

    path: str
    outputs: tuple[Layers, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """All that `groups` found in a model.

    families  what can be removed
    frozen    what cannot, and why; `notes` are its sentences
    products  the multiply-accumulates of the run, call by call
    calls     what each module returned, in order
    root      by label, the label of its group
    labels    by the name of a family, the labels of its groups, shape (size,)
    shapes    of the parameters when the model ran, by name
    more_in_training  whether layers run in training mode that do not in evaluation mode
    """

    model: nn.Module
    families: tuple[Family, ...]
    frozen: tuple[Frozen, ...]
    products: tuple[Product, ...]
    calls: tuple[LabelledCall, ...]
    root: Tensor
    labels: Mapping[str, Tensor]
    shapes: Mapping[str, tuple[int, ...]]
    more_in_training: bool = False

    @property
    def notes(self) -> tuple[str, ...]:
        """One sentence for each part of the model that stays as it is."""
        return tuple(map(str, self.frozen))

    def family(self, name: str) -> Family:
        """The family called `name`; StructureError if there is none."""
        found = next((each for each in self.families if each.name == name), None)
        if found is None:
            raise StructureError(f"expected the name of a family of channels, found {name!r}")
        return found

    def rows_of(self, tensor: str, dim: int = 0) -> list[tuple[Family, Tensor]]:
        """Families that a dimension of a tensor is in, each with the position of its groups along it, shape as Slot's.

        Empty where the dimension is frozen.
        """
        return [
            (family, slot.index)
            for family in self.families
            for slot in family.slots
            if (slot.tensor, slot.dim) == (tensor, dim)
        ]

    def widths(self, removal: Removal) -> dict[str, dict[str, int]]:
        """By module and attribute, the numbers of channels that remain without `removal`."""
        found: dict[str, dict[str, int]] = {}
        for name, numbers in removal.items():
            rows = torch.tensor(sorted(numbers), dtype=torch.int64)
            for width in self.family(name).widths:
                values = found.setdefault(width.module, {})
                before = values.get(width.attribute, getattr(self.model.get_submodule(width.module), width.attribute))
                values[width.attribute] = before - width.index[rows].numel()
        return found

    def macs(self, removal: Removal | None = None) -> int:
        """Multiply-accumulates of the run, without what `removal` takes out of the weights.

        Products of two activations (attention) count as they ran.
        """
        sizes = self._sizes(removal or {})
        return round(sum(each.unit * sizes.get(each.tensor, each.size) for each in self.products))

    def parameters(self, removal: Removal | None = None) -> int:
        """Elements of the parameters, without what `removal` takes out."""
        return sum(self._sizes(removal or {}).values())

    def _sizes(self, removal: Removal) -> dict[str, int]:
        shapes = {name: list(shape) for name, shape in self.shapes.items()}
        for (name, dim), gone in self.cuts(removal).items():
            if name in shapes:
                shapes[name][dim] -= len(gone)
        return {name: math.prod(shape) for name, shape in shapes.items()}

    def cuts(self, removal: Removal) -> dict[tuple[str, int], Tensor]:
        """By (tensor, dim), the sorted positions that go with the groups of `removal`."""
        return self._positions(removal, masked=False)

    def masks(self, removal: Removal) -> dict[str, Tensor]:
        """By name, a boolean mask of each parameter's shape: False where `removal` sets it to 0."""
        parameters = dict(self.model.named_parameters())
        masks: dict[str, Tensor] = {}
        for (name, dim), gone in self._positions(removal, masked=True).items():
            parameter = parameters[name]
            if tuple(parameter.shape) != self.shapes[name]:
                raise StructureError(f"expected {name} as it was when its channels were found, found another shape")
            mask = masks.setdefault(name, torch.ones_like(parameter, dtype=torch.bool))
            mask.index_fill_(dim, gone.to(mask.device), value=False)
        return masks

    def _positions(self, removal: Removal, *, masked: bool) -> dict[tuple[str, int], Tensor]:
        found: dict[tuple[str, int], list[Tensor]] = {}
        for name, numbers in removal.items():
            family = self.family(name)
            rows = torch.tensor(sorted(numbers), dtype=torch.int64)
            if len(rows) and not (rows[0] >= 0 and rows[-1] < family.size):
                raise StructureError(f"expected groups of {name} from 0 to {family.size - 1}, found {rows.tolist()}")
            for slot in family.slots:
                if len(rows) and (slot.masked or not masked):
                    found.setdefault((slot.tensor, slot.dim), []).append(slot.index[rows].flatten())
        return {key: unique(torch.cat(parts)) for key, parts in found.items()}
