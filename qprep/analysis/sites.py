"""The facts that rules report: one union for the checks, the rewrites and the runs of models."""

from __future__ import annotations

from qprep.analysis.eager.eager_facts import EagerSite
from qprep.analysis.facts import (
    ChildIteration,
    Compound,
    HeldFunction,
    HelperCall,
    ModuleCall,
    OpSite,
    ScriptedCall,
    Sharing,
    TiedParameter,
    UnregisteredLayers,
)

_OfLayers = ModuleCall | Sharing | TiedParameter | UnregisteredLayers | ChildIteration
Site = OpSite | ScriptedCall | HeldFunction | Compound | EagerSite | _OfLayers
PlannedSite = Site | HelperCall  # calls of functions are rewritten, too, and reported by none
