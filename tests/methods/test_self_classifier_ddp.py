"""Two real processes compute what one does on the joint batch."""

from pathlib import Path
from typing import Any

import pytest
import torch
from methods import self_classifier_worker
from methods.ddp_worker import two_processes


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What both processes have in the end, by case."""
    worker = Path(self_classifier_worker.__file__)
    return two_processes(tmp_path_factory.mktemp("ddp"), "self_classifier", worker=worker)


@pytest.mark.parametrize("case", self_classifier_worker.CASES)
def test_two_processes_are_one(found: list[dict[str, Any]], case: str):
    """Gradients of every step, weights, queue, running losses, and the labels' scores."""
    ranks = [results[case] for results in found]
    for name, value in ranks[0]["state"].items():
        assert torch.equal(value, ranks[1]["state"][name]), name
    alone = self_classifier_worker.train(case, rank=0, processes=1)

    close = {"rtol": 1e-5, "atol": 1e-7}
    assert len(alone["gradients"]) == 3
    for rank in ranks:
        for step, expected in zip(rank["gradients"], alone["gradients"], strict=True):
            torch.testing.assert_close(step, expected, **close)
        torch.testing.assert_close(rank["state"], alone["state"], **close)
        assert int(rank["best_head"]) == int(alone["best_head"])
        logged, expected = rank["logged"], alone["logged"]
        assert {n for n in expected if "_head_" in n} > {"val_first_head_nmi", "val_best_head_acc"}
        for name in ("train_self_classifier_loss_epoch", *(n for n in expected if "_head_" in n)):
            torch.testing.assert_close(logged[name], expected[name], **close)
    names = set(alone["gradients"][0])
    assert ("classifiers.weight" in names) == (case == "v2")
    assert {"backbone.conv1.weight", "projector.0.weight"} < names
    # the processes saw different images, or nothing would have been joined
    own = [rank["steps"][0]["train_class_loss_step"] for rank in ranks]
    assert alone["steps"][0]["train_class_loss_step"] == pytest.approx(sum(own) / 2)
    if case == "v2":  # where the third batch found the queue full, and replaced the first
        assert int(alone["state"]["queue.count"]) == 48
        assert alone["state"]["queue.index"].tolist() == [*range(24, 48)]


def test_shares_of_different_size_are_joined(found: list[dict[str, Any]]):
    for results in found:
        assert results["columns"].tolist() == [[0, 0, 0, 1, 1]] * 2
