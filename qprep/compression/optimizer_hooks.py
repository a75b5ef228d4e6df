"""Hooks of the optimizer: policies before and after its step, masks applied behind it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import wraps
from typing import Any, Final

from torch import Tensor
from torch.optim import Optimizer

from qprep.compression.errors import CompressionError
from qprep.compression.optimizers import joined, members_of, parameters_of
from qprep.compression.scheduled_policy import ScheduledPolicy
from qprep.compression.training import Training

_CLOSURE: Final = "closure"
Call = tuple[tuple[Any, ...], dict[str, Any]]  # positional and keyword arguments


class OptimizerHooks:
    """Holds the masks of a training, also where a callback is missing.

    A step with a closure (L-BFGS, Lightning) computes the gradients within the step. Its closure then does what
    happens before other steps, once the gradients are there.
    """

    def __init__(self, training: Training, entries: Sequence[ScheduledPolicy]) -> None:
        self._training, self._entries = training, entries
        self._handles: list[Any] = []

    def adopt(self, optimizer: Optimizer | Sequence[Optimizer] | None) -> None:
        """Hold the masks by the steps of these optimizers; CompressionError for others than before."""
        known = self._training.optimizer
        if optimizer is None or optimizer is known:
            return
        given = joined(optimizer)
        if known is not None:
            if set(members_of(given)) <= set(members_of(known)):
                return
            raise CompressionError(
                f"expected the optimizer that the scheduler was given ({type(known).__name__}), found another "
                f"({type(given).__name__})"
            )
        self._training.optimizer = given
        for each in members_of(given):
            self._handles.append(each.register_step_pre_hook(self._before_step))
            self._handles.append(each.register_step_post_hook(self._after_step))

    def remove(self) -> None:
        """Take all hooks off."""
        for each in self._handles:
            each.remove()
        self._handles = []

    def _before_step(self, stepping: Optimizer, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Call | None:
        self._training.stepping = stepping
        call = _with_closure(self._around, args, kwargs)
        if call is None:
            self._before_update(once=True)
        return call

    def _before_update(self, *, once: bool) -> None:
        """With the gradients of this step; `once`, of several times in a step, what policies do."""
        self._training.masks.leave_forward(self._stepped())
        for each in self._entries if once else ():
            with each.blamed():
                each.policy.before_step(self._training, each.window)
        self._training.masks.mask_gradients()

    def _around(self, closure: Callable[[], Any]) -> Callable[[], Any]:
        """`closure`, on the model as it is masked in forward, and then what happens before an update."""
        first = True

        @wraps(closure)
        def closed() -> Any:  # noqa: ANN401  (the loss, of any kind)
            nonlocal first
            if not first:
                self._training.masks.enter_forward()
            found = closure()
            self._before_update(once=first)
            first = False
            return found

        return closed

    def _after_step(self, stepping: Optimizer, *_: object) -> None:
        self._training.stepping = stepping
        for each in self._entries:
            with each.blamed():
                each.policy.after_step(self._training, each.window)
        self._training.masks.apply(self._stepped())

    def _stepped(self) -> Collection[Tensor] | None:
        """The parameters of the optimizer that takes a step; None for all where there is one optimizer.

        Other optimizers may step while the gradients of theirs are still computed.
        """
        stepping = self._training.stepping
        return None if stepping is None or stepping is self._training.optimizer else parameters_of(stepping)


def _with_closure(
    around: Callable[[Callable[[], Any]], Callable[[], Any]], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Call | None:
    """The arguments of `Optimizer.step`, itself the first, with another closure; None for a step without one."""
    if callable(kwargs.get(_CLOSURE)):
        return args, {**kwargs, _CLOSURE: around(kwargs[_CLOSURE])}
    if len(args) > 1 and callable(args[1]):
        return (args[0], around(args[1]), *args[2:]), dict(kwargs)
    return None
