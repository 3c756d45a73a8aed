"""Checkpoints on disk."""

from pathlib import Path

from cueco_solo.training.checkpoints import latest_checkpoint


def test_the_newest_checkpoint_is_that_of_the_highest_epoch(tmp_path: Path):
    for epoch in (10, 9, 0):
        (tmp_path / f"n-n-seed5-abcdef-ep={epoch}.ckpt").touch()
    newest = latest_checkpoint(tmp_path)
    assert newest is not None
    assert newest.name.endswith("ep=10.ckpt")
