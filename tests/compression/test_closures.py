"""Steps with a closure, which computes the gradients within the step, as L-BFGS and Lightning have it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from qprep.compression import PruningPolicy, Scheduler, SparsityLevelParameterPruner
from qprep.compression.pruners.ranked import GradientRankedFilterPruner
from tests.compression.nets import assert_equal, batches, plain_net, seeded

Step = Callable[[torch.optim.Optimizer, Callable[[], float]], object]


def plain(optimizer: torch.optim.Optimizer, closure: Callable[[], float]) -> None:
    closure()
    optimizer.step()


STEPS: dict[str, Step] = {
    "positional": lambda optimizer, closure: optimizer.step(closure),
    "keyword": lambda optimizer, closure: optimizer.step(closure=closure),
}
POLICIES: dict[str, Callable[[], PruningPolicy]] = {
    "gradients": lambda: PruningPolicy(GradientRankedFilterPruner("Filters", 0.5, ["0.weight", "3.weight"])),
    "forward-only": lambda: PruningPolicy(
        SparsityLevelParameterPruner({"3.weight": 0.5}),
        mask_on_forward_only=True,
        mask_gradients=True,
        mini_batch_pruning_frequency=1,
    ),
    "copies": lambda: PruningPolicy(
        SparsityLevelParameterPruner({"3.weight": 0.5}),
        mask_on_forward_only=True,
        mask_gradients=True,
        use_double_copies=True,
    ),
    "rewind": lambda: PruningPolicy(SparsityLevelParameterPruner({"3.weight": 0.5}), rewind=1),
}


def trained(step: Step, policy: PruningPolicy) -> tuple[nn.Module, Scheduler]:
    model = seeded(plain_net)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    scheduler = Scheduler(model, optimizer)
    scheduler.add_policy(policy, epochs=[1, 2])
    for epoch in range(4):
        scheduler.on_epoch_begin(epoch)
        for images, labels in batches():
            scheduler.on_minibatch_begin(epoch)

            def closure(images: Tensor = images, labels: Tensor = labels, epoch: int = epoch) -> float:
                loss: Tensor = scheduler.before_backward_pass(
                    epoch, loss=nn.functional.cross_entropy(model(images), labels)
                )
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                return float(loss.detach())

            step(optimizer, closure)
            scheduler.on_minibatch_end(epoch)
        scheduler.on_epoch_end(epoch)
    return model, scheduler


@pytest.mark.parametrize("how", STEPS)
@pytest.mark.parametrize("kind", POLICIES)
def test_a_step_with_a_closure_is_the_step_of_the_plain_loop(kind: str, how: str) -> None:
    model, scheduler = trained(plain, POLICIES[kind]())
    other, second = trained(STEPS[how], POLICIES[kind]())
    assert_equal(dict(scheduler.masks), dict(second.masks))
    assert_equal(dict(model.state_dict()), dict(other.state_dict()))


def test_masks_in_forward_hold_in_every_run_of_a_closure() -> None:
    model = seeded(plain_net)
    weight: Tensor = model[3].weight
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=4)
    scheduler = Scheduler(model, optimizer)
    scheduler.add_policy(POLICIES["copies"](), epochs=[0])
    scheduler.on_epoch_begin(0)
    scheduler.on_minibatch_begin(0)
    images, labels = batches(1)[0]
    seen: list[float] = []

    def closure() -> Tensor:
        seen.append(float((weight == 0).float().mean()))
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images), labels)
        torch.autograd.backward(loss)
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    assert len(seen) > 2
    assert set(seen) == {0.5}
    assert bool(weight.all())
    scheduler.on_minibatch_end(0)
