"""Compression: schedules that prune, thin, distil and quantize a model while it trains; needs torch."""

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
from qprep.compression.pruners.base import Context, Pruner
from qprep.compression.pruners.levels import (
    AutomatedGradualPruner,
    MagnitudeParameterPruner,
    SensitivityPruner,
    SparsityLevelParameterPruner,
)
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
from qprep.compression.structure import groups, thin

CompressionScheduler = Scheduler  # Distiller's name

__all__ = [
    "AutomatedGradualPruner",
    "BatchNormSlimming",
    "CompressionError",
    "CompressionReport",
    "CompressionScheduler",
    "Context",
    "GroupLassoRegularizer",
    "GroupVarianceRegularizer",
    "KnowledgeDistillation",
    "L1Regularizer",
    "LRPolicy",
    "MagnitudeParameterPruner",
    "Masks",
    "MultiStepMultiGammaLR",
    "Policy",
    "PolynomialLR",
    "Pruner",
    "PruningPolicy",
    "QuantizationPolicy",
    "RegularizationPolicy",
    "Regularizer",
    "Schedule",
    "ScheduleError",
    "Scheduler",
    "SensitivityPruner",
    "SparsityLevelParameterPruner",
    "ThinningPolicy",
    "file_config",
    "groups",
    "load_schedule",
    "read_log",
    "register",
    "thin",
]
