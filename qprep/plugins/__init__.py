"""The interface for packages that add rules, rewrites and operators; nothing else in qprep imports it."""

from __future__ import annotations

from qprep.analysis.facts import Facts, ModuleCall, OpSite
from qprep.checks.base import Hit, Invalid, unowned
from qprep.cli.reporters.report_data import Report
from qprep.codemods.base import Outcome
from qprep.engine.plugin_loading import Plugin
from qprep.foundation.catalogue.op import Dedicated
from qprep.foundation.catalogue.targets import Target
from qprep.foundation.errors import PluginError
from qprep.foundation.findings import Applicability, Rejection, RejectionCode, Rule, Severity
from qprep.rewriting.composed_edits import Piece
from qprep.rewriting.fix_scope import Scope
from qprep.rewriting.transforms.call_sites import invocation

__all__ = [
    "Applicability",
    "Dedicated",
    "Facts",
    "Hit",
    "Invalid",
    "ModuleCall",
    "OpSite",
    "Outcome",
    "Piece",
    "Plugin",
    "PluginError",
    "Rejection",
    "RejectionCode",
    "Report",
    "Rule",
    "Scope",
    "Severity",
    "Target",
    "invocation",
    "unowned",
]  # fmt: skip
