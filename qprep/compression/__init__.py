"""Compression: schedules that prune, thin, distil and quantize a model while it trains; needs torch."""

from typing import Any

from qprep.compression.channel_lasso import ChannelLasso
from qprep.compression.distillation import KnowledgeDistillation
from qprep.compression.errors import CompressionError, ScheduleError
from qprep.compression.logs.read import read_log
from qprep.compression.lr import MultiStepMultiGammaLR, PolynomialLR
from qprep.compression.masks import Masks
from qprep.compression.policies.lr import LRPolicy
from qprep.compression.policies.pruning import PruningPolicy
from qprep.compression.policies.quantization import QuantizationPolicy
from qprep.compression.policies.regularization import RegularizationPolicy
from qprep.compression.policies.thinning import ThinningPolicy
from qprep.compression.policy import Policy
from qprep.compression.pruners.baidu import BaiduRNNPruner
from qprep.compression.pruners.channels import StructurePruner
from qprep.compression.pruners.levels import (
    AutomatedGradualPruner,
    MagnitudeParameterPruner,
    SensitivityPruner,
    SparsityLevelParameterPruner,
)
from qprep.compression.pruners.nm import NMPruner
from qprep.compression.pruners.one_shot import SparseGPTPruner, WandaPruner
from qprep.compression.pruners.pruner import Context, Pruner
from qprep.compression.pruners.ranked import (
    ActivationAPoZRankedFilterPruner,
    ActivationMeanAGP,
    ActivationMeanRankedFilterPruner,
    APoZAGP,
    BernoulliAGP,
    BernoulliFilterPruner,
    GradientAGP,
    GradientRankedFilterPruner,
    L1RankedAGP,
    L1RankedStructureParameterPruner,
    L2RankedAGP,
    L2RankedStructureParameterPruner,
    RandomAGP,
    RandomLevelStructureParameterPruner,
    RandomRankedFilterPruner,
    TaylorAGP,
    TaylorRankedStructurePruner,
)
from qprep.compression.pruners.reconstruction import FMReconstructionChannelPruner
from qprep.compression.pruners.splicing import SplicingPruner
from qprep.compression.pruners.thresholds import StructureParameterPruner
from qprep.compression.registry import register
from qprep.compression.regularizers import (
    BatchNormSlimming,
    GroupLassoRegularizer,
    GroupVarianceRegularizer,
    L1Regularizer,
    Regularizer,
)
from qprep.compression.report import CompressionReport
from qprep.compression.schedule_file import Schedule, load_schedule
from qprep.compression.scheduler import Scheduler, file_config
from qprep.compression.semi_structured import to_semi_structured
from qprep.compression.sensitivity import sensitivity
from qprep.compression.structure import groups, thin

CompressionScheduler = Scheduler  # Distiller's name
ActivationAPoZRankedFilterPruner_AGP = APoZAGP  # these as a schedule names them
ActivationMeanRankedFilterPruner_AGP = ActivationMeanAGP
BernoulliFilterPruner_AGP = BernoulliAGP
GradientRankedFilterPruner_AGP = GradientAGP
L1RankedStructureParameterPruner_AGP = L1RankedAGP
L2RankedStructureParameterPruner_AGP = L2RankedAGP
RandomRankedFilterPruner_AGP = RandomAGP
TaylorRankedStructurePruner_AGP = TaylorAGP


def __getattr__(name: str) -> Any:  # noqa: ANN401  (classes of other packages)
    """Lightning and HuggingFace, whose packages are imported with them alone."""
    if name == "Lightning":
        from qprep.compression.adapters.lightning import Lightning

        return Lightning
    if name == "HuggingFace":
        from qprep.compression.adapters.transformers import HuggingFace

        return HuggingFace
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "ActivationAPoZRankedFilterPruner",
    "ActivationAPoZRankedFilterPruner_AGP",
    "ActivationMeanRankedFilterPruner",
    "ActivationMeanRankedFilterPruner_AGP",
    "AutomatedGradualPruner",
    "BaiduRNNPruner",
    "BatchNormSlimming",
    "BernoulliFilterPruner",
    "BernoulliFilterPruner_AGP",
    "ChannelLasso",
    "CompressionError",
    "CompressionReport",
    "CompressionScheduler",
    "Context",
    "FMReconstructionChannelPruner",
    "GradientRankedFilterPruner",
    "GradientRankedFilterPruner_AGP",
    "GroupLassoRegularizer",
    "GroupVarianceRegularizer",
    "KnowledgeDistillation",
    "L1RankedStructureParameterPruner",
    "L1RankedStructureParameterPruner_AGP",
    "L1Regularizer",
    "L2RankedStructureParameterPruner",
    "L2RankedStructureParameterPruner_AGP",
    "LRPolicy",
    "MagnitudeParameterPruner",
    "Masks",
    "MultiStepMultiGammaLR",
    "NMPruner",
    "Policy",
    "PolynomialLR",
    "Pruner",
    "PruningPolicy",
    "QuantizationPolicy",
    "RandomLevelStructureParameterPruner",
    "RandomRankedFilterPruner",
    "RandomRankedFilterPruner_AGP",
    "RegularizationPolicy",
    "Regularizer",
    "Schedule",
    "ScheduleError",
    "Scheduler",
    "SensitivityPruner",
    "SparseGPTPruner",
    "SparsityLevelParameterPruner",
    "SplicingPruner",
    "StructureParameterPruner",
    "StructurePruner",
    "TaylorRankedStructurePruner",
    "TaylorRankedStructurePruner_AGP",
    "ThinningPolicy",
    "WandaPruner",
    "file_config",
    "groups",
    "load_schedule",
    "read_log",
    "register",
    "sensitivity",
    "thin",
    "to_semi_structured",
]
