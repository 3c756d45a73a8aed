"""The release's schedule is main's; where main is installed, step by step."""

import pytest
import torch

from cueco_solo import host
from cueco_solo.host.release.optim import warmup_cosine

RATES, STEPS, LOWEST = (3.2, 0.3, 0.4), 100, 0.032


def optimizer() -> torch.optim.Optimizer:
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in RATES]
    return torch.optim.SGD(groups, lr=RATES[0])


def rates(scheduler: torch.optim.lr_scheduler.LRScheduler) -> list[list[float]]:
    """Of all groups after each step."""
    found = [scheduler.get_last_lr()]
    for _ in range(STEPS - 1):
        scheduler.optimizer.step()
        scheduler.step()
        found.append(scheduler.get_last_lr())
    return found


def ours(warmup: int, start: float) -> list[list[float]]:
    return rates(warmup_cosine(optimizer(), warmup, STEPS, start, LOWEST, {}))


def test_without_warm_up_all_groups_start_alike_and_go_on_from_there():
    found = ours(0, RATES[0])
    assert found[0] == pytest.approx([3.2] * 3)
    assert found[50] == pytest.approx([(3.2 + LOWEST) / 2] * 3)


def test_with_warm_up_each_group_has_its_own_peak():
    found = ours(10, 0.1)
    assert found[0] == pytest.approx([0.1] * 3)
    assert found[9] == pytest.approx(RATES) and found[10] == pytest.approx(RATES)


@pytest.mark.skipif(host.FORM != "main", reason="the class is main's")
@pytest.mark.parametrize(("warmup", "start"), [(0, RATES[0]), (10, 0.1)])
def test_is_mains(warmup: int, start: float):
    from solo.utils.lr_scheduler import LinearWarmupCosineAnnealingLR

    theirs = LinearWarmupCosineAnnealingLR(optimizer(), warmup, STEPS, start, LOWEST)
    for step, expected in zip(ours(warmup, start), rates(theirs), strict=True):
        assert step == pytest.approx(expected)
