"""Construction and call of the module of an operation, for any target library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qprep.foundation.catalogue.call_signature import parse_constructor
from qprep.foundation.catalogue.torch_ao import QUANTIZED_KERNELS
from qprep.foundation.findings import Rejection, RejectionCode

_ISLAND = ": it has no quantized kernel; call a DeQuantStub before it and a QuantStub after it"

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from qprep.foundation.catalogue.op import Op
    from qprep.rewriting.fix_scope import Scope


def missing(scope: Scope, op: Op) -> Rejection:
    """The reason where an operation has no module."""
    of = "" if scope.target.is_own else f" in {scope.target.name}"
    advice = ""
    if scope.target.is_eager:
        runs = op.name in QUANTIZED_KERNELS
        advice = ": torch has a quantized kernel for it, so it can stay" if runs else _ISLAND
    return Rejection(f"there is no module for `{op.name}`{of}{advice}", RejectionCode.NO_MODULE)


def construct(scope: Scope, op: Op, settings: Mapping[str, str]) -> str:
    """`Concat(dim=1)`, imported: the class of `op.module` with settings by canonical name, in its own order."""
    assert op.module is not None
    constructor, other = parse_constructor(op.module), op.dedicated
    names = dict(other.keywords) if other is not None else {}
    given = [f"{names.get(name, name)}={settings[name]}" for name in constructor.parameters if name in settings]
    if other is not None and other.fixed:
        given.append(other.fixed)
    written = scope.runtime(constructor.name) if other is None else scope.imported(other.home, constructor.name)
    return f"{written}({', '.join(given)})"


def declare(scope: Scope, op: Op, constructor: str, *, many: bool) -> str | Rejection:
    """A new attribute for the operation, and how it is called: `self.add`, or `self.add.add`."""
    method = op.dedicated.method if op.dedicated is not None else ""
    if many and method and scope.target.is_eager:
        return f"{scope.declare(op.name, constructor, many=True)}.next().{method}"
    if many and method:
        made = constructor.partition("(")[0]
        return Rejection(
            f"it runs more than once in one forward, with one {made} for all: keep one for each iteration in an "
            "nn.ModuleList, and iterate over it in the loop",
            RejectionCode.CALL_FORM,
        )
    name = scope.declare(op.name, constructor, many=many)
    return f"{name}.{method}" if method else name


def taken_names(op: Op) -> tuple[str, ...] | None:
    """The parameters that the call of another library's module takes; None: all."""
    takes = op.dedicated.takes if op.dedicated is not None else None
    return tuple(name.rstrip("=") for name in takes) if takes is not None else None


def reject_arguments(op: Op, names: Iterable[str]) -> Rejection | None:
    """The reason where the module's call does not take one of the arguments left for it."""
    takes = taken_names(op)
    lost = [name for name in names if takes is not None and name not in takes]
    if not lost:
        return None
    return Rejection(f"`{parse_constructor(op.module or '').name}` takes no `{lost[0]}`", RejectionCode.CALL_FORM)
