"""Stops tiny trainings by faults, lets them go on, and compares with one that nothing stopped.

    python scripts/checks/faults.py [METHOD ...] [--faults 40] [--seed 5]

METHOD: cueco, cueco-offline, rcl, rcl-dbscan, self_classifier, mocov2plus or simclr; default:
all. Each fault is drawn from --seed: a signal, or two, at a random moment; a kill; a disk that is
full or becomes read-only; a newest checkpoint that is cut off or has a bit flipped; a torn row of
metrics.csv. Then the same command runs again, without a fault. What must come out is one of

- equal: weights, optimiser, schedule, counters and logged losses are those of the training that
  nothing stopped, to the last bit, but for a row of metrics.csv that the fault has torn;
- refused: one line, exit code 2, and once the file that it names is removed, equal.

Anything else is a failure, with which the script ends with 1. It prints a line for each fault.
Trainings are forks of this process, so that torch is imported once. Linux, CPU; as root the disks
are a small tmpfs, otherwise a limit on the size of files stands for a full disk and none becomes
read-only. --keep DIR keeps the folders of failures.
"""

import argparse
import contextlib
import csv
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from cueco_solo.cli import main as cueco_solo
from cueco_solo.training.checkpoints import Stage, latest_checkpoint, stage
from cueco_solo.training.trainer import make_trainer  # imports Lightning before the first fork

assert make_trainer

EPOCHS = 4
CONFIG = """
defaults:
  - _self_
  - augmentations: asymmetric-32
  - wandb: disabled
name: faults
method: mocov2plus
backbone: {name: resnet18}
method_kwargs: {proj_hidden_dim: 16, proj_output_dim: 8, temperature: 0.2}
momentum: {base_tau: 0.9, final_tau: 1.0}
data:
  {dataset: custom, train_path: IMAGES, val_path: null, format: image_folder, num_workers: 0}
optimizer: {name: sgd, batch_size: 4, lr: 0.1, classifier_lr: 0.1, weight_decay: 1e-4}
scheduler: {name: warmup_cosine}
checkpoint: {enabled: True, dir: RUNS}
auto_resume: {enabled: True}
max_epochs: EPOCHS
log_every_n_steps: 1
devices: 1
accelerator: cpu
enable_progress_bar: False
enable_model_summary: False
"""
_CUECO = ("method=cueco", "+method_kwargs.queue_size=16", "+method_kwargs.pred_hidden_dim=16")
_CUECO += ("+method_kwargs.num_clusters=4", "+method_kwargs.cluster_warmup_steps=3")
_CUECO += ("+method_kwargs.cluster_reset_steps=4",)
_RCL = ("method=rcl", "+method_kwargs.queue_size=16", "+method_kwargs.pred_hidden_dim=16")
_RCL += ("+method_kwargs.hierarchy_warmup_epochs=1",)
METHODS = {
    "cueco": _CUECO,
    "cueco-offline": (*_CUECO, "+method_kwargs.clustering=offline"),
    "rcl": _RCL,
    "rcl-dbscan": (
        *_RCL,
        "+method_kwargs.hierarchy=dbscan",
        "+method_kwargs.dbscan_min_samples=2",
        "+method_kwargs.dbscan_eps=[1.3,1.0]",
    ),
    "self_classifier": (
        "method=self_classifier",
        "~momentum",
        "~method_kwargs",
        "+method_kwargs={mlp_dims: [16, 8], num_classes: [4, 6]}",
    ),
    "mocov2plus": ("+method_kwargs.queue_size=16",),
    "simclr": ("method=simclr", "~momentum"),
}
GOOD = ("equal", "refused, then equal")
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


class Training:
    """The command of one method in one folder.

    Attributes:
        folder: where its runs lie.
        log: what the last start printed.
    """

    def __init__(self, method: str, config: Path, folder: Path) -> None:
        self.folder, self.log = folder, config.with_name(f"{folder.name}.log")
        self.words = ["pretrain", "--config-path", str(config.parent), "--config-name", config.stem]
        self.words += [f"checkpoint.dir={folder}", *METHODS[method]]

    def start(self, limit: int | None = None) -> int:
        """Fork a process that runs the command; its number."""
        sys.stdout.flush()
        number = os.fork()
        if number:
            return number
        code = 1
        try:
            output = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(output, 1)
            os.dup2(output, 2)
            if limit is not None:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            code = cueco_solo(self.words)
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def run(self, limit: int | None = None) -> int:
        """Run to the end; the exit code, negative after a signal that killed it."""
        return os.waitstatus_to_exitcode(os.waitpid(self.start(limit), 0)[1])

    def run_folder(self) -> Path | None:
        """The newest run."""
        found = sorted(self.folder.glob("*/*/"), key=lambda path: path.stat().st_mtime)
        return found[-1] if found else None

    def checkpoint(self) -> Path | None:
        """The newest whole checkpoint."""
        run = self.run_folder()
        return latest_checkpoint(run) if run else None


def state(run: Path) -> dict[str, Any]:
    """All that must be equal in the end."""
    path = latest_checkpoint(run)
    assert path is not None
    content = torch.load(path, weights_only=True)
    kept = ("state_dict", "optimizer_states", "lr_schedulers", "loops", "epoch", "global_step")
    with (run / "metrics.csv").open(newline="") as file:
        rows = [
            {key: value for key, value in row.items() if value and "time" not in key}
            for row in csv.DictReader(file)
        ]
    return {**{key: content.get(key) for key in kept}, "rows": rows}


def difference(a: Any, b: Any, place: str = "") -> str | None:
    """Where two states differ first."""
    if isinstance(a, torch.Tensor):
        same = isinstance(b, torch.Tensor) and a.shape == b.shape
        equal = same and torch.equal(a.nan_to_num(7.0), b.nan_to_num(7.0))
        return None if equal else place
    if isinstance(a, dict):
        if not isinstance(b, dict) or a.keys() != b.keys():
            return f"{place} keys"
        return next((d for k in a if (d := difference(a[k], b[k], f"{place}/{k}"))), None)
    if isinstance(a, list | tuple):
        if len(a) != len(b):
            return f"{place} length {len(a)} and {len(b)}"
        return next(
            (d for i in range(len(a)) if (d := difference(a[i], b[i], f"{place}/{i}"))), None
        )
    return None if a == b else f"{place}: {a!r} and {b!r}"


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """A file system of its own."""
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def write_images(folder: Path) -> None:
    """Twelve images of three colours."""
    noise = np.random.default_rng(0)
    for channel, name in enumerate(("red", "green", "blue")):
        (folder / name).mkdir(parents=True)
        for number in range(4):
            pixels = noise.integers(0, 120, (32, 32, 3), dtype=np.uint8)
            pixels[..., channel] += 60
            Image.fromarray(pixels).save(folder / name / f"{number}.png")


class Faults:
    """Faults of one method; each leaves a training that was stopped, or not even begun.

    Args:
        seconds: that a training takes.
        size: of its folder at the end, in bytes.
    """

    def __init__(self, chance: random.Random, seconds: float, size: int, root: bool) -> None:
        self.chance, self.seconds, self.size = chance, seconds, size
        self.kinds: dict[str, Callable[[Training], str]] = {
            "kill": self._kill,
            "signal": self._signal,
            "two signals": self._two_signals,
            "cut-off checkpoint": self._cut_off,
            "flipped bit": self._flipped,
            "torn metrics.csv": self._torn,
            "full disk": self._full,
        }
        if root:
            self.kinds["read-only disk"] = self._read_only

    def _after(self, training: Training, *signals: int) -> str:
        """Send signals, 0.6 s apart, at a random moment."""
        number, moment = training.start(), self.chance.uniform(0, self.seconds)
        time.sleep(moment)
        for sent, each in enumerate(signals):
            time.sleep(0.6 if sent else 0)
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, each)
        code = os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])
        return f"{'+'.join(signal.Signals(s).name for s in signals)} at {moment:.2f} s, {code}"

    def _kill(self, training: Training) -> str:
        return self._after(training, signal.SIGKILL)

    def _signal(self, training: Training) -> str:
        return self._after(training, self.chance.choice(SIGNALS))

    def _two_signals(self, training: Training) -> str:
        return self._after(training, *self.chance.choices(SIGNALS, k=2))

    def _stopped_with_checkpoint(self, training: Training) -> Path | None:
        for _ in range(5):
            self._after(training, self.chance.choice((signal.SIGTERM, signal.SIGKILL)))
            if (run := training.run_folder()) and list(run.glob("*.ckpt")):
                return run
        return None

    def _cut_off(self, training: Training) -> str:
        if not (run := self._stopped_with_checkpoint(training)):
            return "no checkpoint"
        path = max(run.glob("*.ckpt"), key=lambda path: path.stat().st_mtime)
        at = self.chance.randrange(path.stat().st_size)
        os.truncate(path, at)
        return f"{path.name} cut off at {at}"

    def _flipped(self, training: Training) -> str:
        if not (run := self._stopped_with_checkpoint(training)):
            return "no checkpoint"
        path = max(run.glob("*.ckpt"), key=lambda path: path.stat().st_mtime)
        content = bytearray(path.read_bytes())
        at, bit = self.chance.randrange(len(content)), self.chance.randrange(8)
        content[at] ^= 1 << bit
        path.write_bytes(content)
        return f"bit {bit} of byte {at} of {path.name}"

    def _torn(self, training: Training) -> str:
        if not (run := self._stopped_with_checkpoint(training)):
            return "no checkpoint"
        path, last = run / "metrics.csv", latest_checkpoint(run)
        if not path.is_file() or last is None or (stage(last) or Stage(0)).epochs == EPOCHS:
            return "no metrics.csv that is gone on with"
        # in the rows behind the checkpoint, or the last one: those before it can't be had again
        content = path.read_bytes()
        last = content.rstrip(b"\n").rfind(b"\n") + 1
        at = self.chance.randrange(last, len(content))
        path.write_bytes(content[:at] + self.chance.choice((b"", b"\xff\x00,,,,\n")))
        return f"metrics.csv torn at {at}"

    def _full(self, training: Training) -> str:
        if os.geteuid():
            limit = self.chance.randrange(self.size // 3)
            return f"files of at most {limit} bytes, {training.run(limit)}"
        size = self.chance.randrange(2**16, 2 * self.size)
        with small_disk(training.folder, size) as disk:
            code = training.run()
            shutil.copytree(disk, disk.with_name("rescued"))
        shutil.rmtree(disk)
        shutil.move(disk.with_name("rescued"), disk)
        return f"a disk of {size} bytes, {code}"

    def _read_only(self, training: Training) -> str:
        with small_disk(training.folder, 10 * self.size) as disk:
            number, moment = training.start(), self.chance.uniform(0, self.seconds)
            time.sleep(moment)
            subprocess.run(["mount", "-o", "remount,ro", str(disk)], capture_output=True)
            code = os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])
            shutil.copytree(disk, disk.with_name("rescued"))
        shutil.rmtree(disk)
        shutil.move(disk.with_name("rescued"), disk)
        return f"read-only from {moment:.2f} s, {code}"


def outcome(training: Training, expected: dict[str, Any], kind: str) -> str:
    """``equal``, ``refused``, or what went wrong when the command ran again."""
    code, refused = training.run(), False
    if code == 2:
        lines = training.log.read_text().strip().splitlines()
        errors = [line for line in lines if line.startswith("cueco-solo: error: ")]
        if len(errors) != 1 or errors[0] != lines[-1]:
            return f"no one line: {lines[-1] if lines else ''}"
        refused, run = True, training.run_folder()
        newest = max(run.glob("*.ckpt"), key=lambda path: path.stat().st_mtime) if run else None
        if newest is None or str(newest) not in errors[0]:
            return f"names no file to remove: {errors[0]}"
        newest.unlink()
        code = training.run()
    if code:
        return f"exit code {code}: {training.log.read_text().strip().splitlines()[-1:]}"
    run = training.run_folder()
    assert run is not None
    if leftovers := [path.name for path in run.glob(".*.part")]:
        return f"leftovers {leftovers}"
    if len(checkpoints := list(run.glob("*.ckpt"))) != 1:
        return f"{len(checkpoints)} checkpoints stay"
    if not refused and len(runs := list(training.folder.glob("*/*/"))) != 1:
        return f"{len(runs)} run folders"
    found = state(run)
    if kind == "torn metrics.csv":  # the row that was torn, and no other, may be lost
        rows = expected["rows"]
        lost = [row for row in rows if row not in found["rows"]]
        expected = {**expected, "rows": [row for row in rows if row not in lost[:1]]}
    where = difference(expected, found)
    return f"other state: {where}" if where else "refused, then equal" if refused else "equal"


def check(method: str, faults: int, seed: int, keep: Path | None) -> list[tuple[str, str, str]]:
    """Kind, fault and outcome of some faults of one method."""
    chance, found = random.Random(f"{method} {seed}"), []
    root = os.geteuid() == 0
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        write_images(base / "images")
        config = base / "faults.yaml"
        text = CONFIG.replace("IMAGES", str(base / "images")).replace("EPOCHS", str(EPOCHS))
        config.write_text(text)
        whole = Training(method, config, base / "whole")
        begin = time.monotonic()
        if code := whole.run():
            raise SystemExit(f"{method}: exit code {code}\n{whole.log.read_text()}")
        run = whole.run_folder()
        assert run is not None
        expected, seconds = state(run), time.monotonic() - begin
        size = sum(path.stat().st_size for path in run.iterdir())
        kinds = Faults(chance, seconds, size, root).kinds
        for number in range(faults):
            kind = list(kinds)[number % len(kinds)]
            training = Training(method, config, base / f"fault{number}")
            fault = kinds[kind](training)
            result = outcome(training, expected, kind)
            found.append((kind, fault, result))
            print(f"{method} {number}: {kind}: {fault}: {result}", flush=True)
            if keep and result not in GOOD:
                shutil.copytree(training.folder, keep / f"{method}-{number}", dirs_exist_ok=True)
                shutil.copy(training.log, keep / f"{method}-{number}.log")
            shutil.rmtree(training.folder, ignore_errors=True)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("methods", nargs="*", default=list(METHODS), metavar="METHOD")
    parser.add_argument("--faults", type=int, default=40, help="for each method (40)")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--keep", type=Path, metavar="DIR")
    args = parser.parse_args()
    if unknown := [name for name in args.methods if name not in METHODS]:
        parser.error(f"METHOD={unknown[0]} must be one of {', '.join(METHODS)}")
    torch.set_num_threads(1)  # a fork can't have more
    table: dict[str, Counter[str]] = {}
    for method in args.methods:
        begin = time.monotonic()
        for kind, _, result in check(method, args.faults, args.seed, args.keep):
            good = result in GOOD
            table.setdefault(kind, Counter())[result if good else "failed"] += 1
        print(f"{method}: {args.faults} faults in {time.monotonic() - begin:.0f} s", flush=True)
    columns = (*GOOD, "failed")
    print("", f"| fault | {' | '.join(columns)} |", f"|---|{'---:|' * len(columns)}", sep="\n")
    for kind, counts in table.items():
        print(f"| {kind} | {' | '.join(str(counts[column]) for column in columns)} |")
    return int(any(counts["failed"] for counts in table.values()))


if __name__ == "__main__":
    sys.exit(main())
