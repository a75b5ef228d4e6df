"""The channels of a model: which can be removed together, which to remove, and removing them.

found = groups(model, images)                            # families of channels, notes on what is frozen and why
removal = choose(scores(found, "l1"), 0.5)               # which go, by family
masks = found.masks(removal)                             # by parameter name, False where a channel goes
record = thin(model, (images,), optimizer=optimizer)     # really removes channels whose weights are all 0
"""

from qprep.compression.structure.api import Inputs, groups, macs, products, thin
from qprep.compression.structure.model import Family, Frozen, Groups, Product, Removal, Slot, Width
from qprep.compression.structure.ranking import ChannelNorm, RankingScope, choose, choose_cost, scores
from qprep.compression.structure.record import Record, composed, is_record
from qprep.compression.structure.structure_errors import StructureError, ThinningError

__all__ = [
    "ChannelNorm",
    "Family",
    "Frozen",
    "Groups",
    "Inputs",
    "Product",
    "RankingScope",
    "Record",
    "Removal",
    "Slot",
    "StructureError",
    "ThinningError",
    "Width",
    "choose",
    "choose_cost",
    "composed",
    "groups",
    "is_record",
    "macs",
    "products",
    "scores",
    "thin",
]
