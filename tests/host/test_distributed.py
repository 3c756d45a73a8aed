"""Two processes on one machine: gather, solo-learn's Checkpointer, and what the release refuses."""

from pathlib import Path

import pytest
import torch
from host import two_processes

from cueco_solo import host


def test_gather_joins_all_and_sums_their_gradients(tmp_path: Path) -> None:
    two_processes.in_two_processes(two_processes.gather, tmp_path)
    for dim in (0, 1):
        parts = [torch.load(tmp_path / f"{rank}-{dim}.pt", weights_only=True) for rank in (0, 1)]
        everything = torch.cat([x for x, *_ in parts], dim)
        gradient = sum(weight for _, _, weight, _ in parts).chunk(2, dim)
        for rank, (_, gathered, _, grad) in enumerate(parts):
            assert torch.equal(gathered, everything)
            torch.testing.assert_close(grad, gradient[rank])


def test_checkpoints_and_knn_of_two_processes(tmp_path: Path) -> None:
    two_processes.in_two_processes(two_processes.train_toy, tmp_path)
    (state, metrics), (other, others) = (
        torch.load(tmp_path / f"toy-{rank}.pt", weights_only=True) for rank in (0, 1)
    )
    (path,) = (tmp_path / "logs").rglob("*.ckpt")
    assert path.name.endswith("-ep=1.ckpt")
    assert (path.parent / "args.json").is_file()
    saved = torch.load(path, weights_only=True)["state_dict"]
    assert saved.keys() == state.keys()
    for name, parameter in state.items():
        assert torch.equal(saved[name], parameter), name
        if "running" not in name:  # batch norm's statistics are each process's own
            assert torch.equal(other[name], parameter), name
    assert 0 <= metrics["val_knn_acc1"] <= 100
    assert metrics["val_knn_acc1"] == others["val_knn_acc1"]


def test_stock_methods_refuse_two_processes_on_the_release(tmp_path: Path) -> None:
    if host.FORM != "release":
        pytest.skip("main's methods gather by themselves")
    two_processes.in_two_processes(two_processes.refuse_baseline, tmp_path)
    for rank in (0, 1):
        message = (tmp_path / f"refused-{rank}").read_text()
        assert message.startswith("method='simclr' on 2 processes is computed differently by solo-")
        assert "set devices=[0], or clone solo-learn's Git repository" in message
