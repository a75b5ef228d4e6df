"""A class that is to be quantized eagerly gets a `fuse_model` with all that it can fuse."""

from __future__ import annotations

from qprep.analysis.eager.eager_facts import UnfusedModel
from qprep.codemods.base import Outcome
from qprep.foundation.catalogue.torch_ao import STUBS_HOME
from qprep.foundation.findings import Rejection, RejectionCode
from qprep.rewriting.composed_edits import Piece
from qprep.rewriting.fix_scope import Scope
from qprep.rewriting.insertion_points import end_of_class

REWRITES = (
    (
        """\
from torch import nn
from torch.ao.quantization import DeQuantStub, QuantStub


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.quant = QuantStub()
        self.conv = nn.Conv2d(4, 4, 1)
        self.bn = nn.BatchNorm2d(4)
        self.relu = nn.ReLU()
        self.tail = nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU())
        self.dequant = DeQuantStub()

    def forward(self, x):
        x = self.conv(self.quant(x))
        x = self.relu(self.bn(x))
        return self.dequant(self.tail(x))
""",
        """\
from torch import nn
from torch.ao.quantization import DeQuantStub, QuantStub, fuse_modules, fuse_modules_qat


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.quant = QuantStub()
        self.conv = nn.Conv2d(4, 4, 1)
        self.bn = nn.BatchNorm2d(4)
        self.relu = nn.ReLU()
        self.tail = nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU())
        self.dequant = DeQuantStub()

    def forward(self, x):
        x = self.conv(self.quant(x))
        x = self.relu(self.bn(x))
        return self.dequant(self.tail(x))

    def fuse_model(self, is_qat: bool = False) -> None:
        fuse = fuse_modules_qat if is_qat else fuse_modules
        fuse(self, [["conv", "bn", "relu"], ["tail.0", "tail.1"]], inplace=True)
""",
    ),
)


def rewrite(scope: Scope, site: UnfusedModel) -> Outcome:
    """A method at the end of the class, which calls those of the modules inside."""
    if site.waits:
        return Rejection("each of its ReLUs needs its own module first", RejectionCode.CALL_FORM)
    place = end_of_class(scope, site.name)
    if place is None:
        return Rejection("the class shares its lines with other code", RejectionCode.LAYOUT)
    offset, indent, before = place
    step, newline = scope.code.indent_unit, scope.code.newline
    lines = [f"{indent}def fuse_model(self, is_qat: bool = False) -> None:"]
    if site.inner:
        lines += [
            f"{indent}{step}for module in list(self.modules()):",
            f'{indent}{step * 2}if module is not self and hasattr(module, "fuse_model"):',
            f"{indent}{step * 3}module.fuse_model(is_qat)",
        ]
    if site.lists:
        qat, plain = scope.imported(STUBS_HOME, "fuse_modules_qat"), scope.imported(STUBS_HOME, "fuse_modules")
        lists = ", ".join("[" + ", ".join(f'"{name}"' for name in names) + "]" for names in site.lists)
        lines.append(f"{indent}{step}fuse = {qat} if is_qat else {plain}")
        lines.append(f"{indent}{step}fuse(self, [{lists}], inplace=True)")
    scope.message = "add `fuse_model`"
    return (Piece(offset, offset, before + newline + "".join(line + newline for line in lines)),)
