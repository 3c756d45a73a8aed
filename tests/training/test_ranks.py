"""One process of a training dies: the others go, and one line says which and why."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import signalled
import tiny
from support import python

from cueco_solo.training.history import read_history

WORDS = (
    *(*tiny.CUECO, "data.val_path=null", "optimizer.batch_size=2", "limit_train_batches=2"),
    *("max_epochs=2", "strategy=ddp", "num_sanity_val_steps=0"),
)
# what happens at the third step, in which rank of how many; what the line says, and the exit code
CASES: dict[str, tuple[str, int, int, str, int]] = {
    "a killed one of four": ("SIGKILL", 2, 4, "rank 2 of 4 .* was killed by SIGKILL", 1),
    "the first one killed": ("SIGKILL", 0, 2, "rank 0 of 2 .* is lost", -signal.SIGKILL),
    "an exception": ("raise", 1, 2, "rank 1 of 2 failed .* RuntimeError: no such thing", 1),
}


@pytest.mark.parametrize("name", CASES)
def test_the_others_go(name: str, folder: Path):
    act, rank, processes, says, code = CASES[name]
    command = ["pretrain", "--config-path", folder, "--config-name", "tiny", *WORDS]
    # returns once no process holds its streams any more
    done = python(signalled.__file__, act, 3, rank, *command, f"devices={processes}")
    acted = re.search(r"^acts at (.*)$", done.stderr, re.M)
    assert acted and time.time() - float(acted[1]) < 60, done.stderr
    assert done.returncode == code
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("cueco-solo:")]
    (run,) = tiny.run_folders(folder, "cueco")
    (checkpoint,) = run.glob("*-ep=0.ckpt")
    assert re.search(f"{says}.*; the last checkpoint is {checkpoint}$", line), line
    assert done.stderr.count("Traceback") == (act == "raise"), done.stderr
    if rank:
        assert re.search(says, read_history(run)[-1]["by"])
        assert not (run / ".failed").exists()


def test_a_folder_that_is_removed_is_told_once(folder: Path):
    command = ["pretrain", "--config-path", folder, "--config-name", "tiny", *WORDS, "devices=2"]
    done = python(signalled.__file__, "remove", 3, 0, *command)
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("cueco-solo:")]
    assert re.match(r"cueco-solo: error: RUN='.*' has gone: ", line), done.stderr
    assert done.returncode == 2 and "Traceback" not in done.stderr


HANGING = """
import subprocess, sys, threading
from pathlib import Path
from types import SimpleNamespace
from cueco_solo.training import ranks
from lightning.pytorch.strategies.launchers import subprocess_script
ranks._GRACE = 0.2
kind = SimpleNamespace(cluster_environment=None)
trainer = SimpleNamespace(
    _accelerator_connector=kind, local_rank=0, global_rank=0, global_step=7, current_epoch=1
)
with ranks.together(Path(sys.argv[1]), trainer, 2):
    child = subprocess.Popen([sys.executable, "-c", sys.argv[2]])
    subprocess_script._launch_process_observer([child])
    threading.Event().wait(60)
"""


@pytest.mark.parametrize("child", ["import sys; sys.exit(3)", "import os; os.kill(os.getpid(), 9)"])
def test_a_process_that_waits_for_ever_is_ended(tmp_path: Path, child: str):
    """As one does on GPUs whose collective call has lost another process."""
    start = time.monotonic()
    done: Any = subprocess.run(
        [sys.executable, "-c", HANGING, tmp_path, child],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert time.monotonic() - start < 55
    assert done.returncode == 1
    how = "ended with code 3" if "exit" in child else "was killed by SIGKILL"
    says = rf"cueco-solo: error: rank 1 of 2 \(process \d+\) {how} after step 7 \(epoch 1\)"
    assert re.fullmatch(rf"{says}.*; no checkpoint was written yet\n", done.stderr), done.stderr


OTHERS = """
import os, sys
from cueco_solo.data import reading
from cueco_solo.cli import main
stock = reading.unreadable_images
def unreadable(*args):
    found, lines = stock(*args)
    return found + ["red/1.png"] * int(os.environ["RANK"]), lines
reading.unreadable_images = unreadable
sys.exit(main(sys.argv[1:]))
"""


def test_other_images_on_another_rank_are_refused(folder: Path):
    """Where torchrun starts the processes, and a file can't be read by the second one alone."""
    (script := folder / "others.py").write_text(OTHERS)
    words = (*WORDS, "data.no_labels=True", "data.skip_unreadable=True", "devices=2")
    command = ["pretrain", "--config-path", folder, "--config-name", "tiny", *words]
    done = python("-m", "torch.distributed.run", "--nproc-per-node=2", script, *command)
    assert done.returncode != 0
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("cueco-solo:")]
    says = "data.skip_unreadable=True gives rank 1 of 2 other images than rank 0: 17, digest "
    assert says in line and "instead of 18, digest" in line and "remove those" in line
    assert not [*folder.rglob("*.ckpt")]
