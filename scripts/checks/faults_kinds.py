"""The faults of faults.py: each stops a training, or lets it not even begin."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from faults_training import Training

from cueco_solo.training.checkpoints import Stage, latest_checkpoint, stage

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """A file system of its own."""
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def can_mount() -> bool:
    """Whether this process can have a :func:`small_disk`; in a container root may not."""
    if os.geteuid():
        return False
    try:
        with tempfile.TemporaryDirectory() as name, small_disk(Path(name, "disk"), 2**16):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


class Faults:
    """Faults of one method; each leaves a training that was stopped, or not even begun.

    Args:
        seconds: that a training takes.
        size: of its folder at the end, in bytes.
        epochs: of a training.
        disks: whether a :func:`small_disk` can be had.
    """

    def __init__(
        self, chance: random.Random, seconds: float, size: int, epochs: int, disks: bool
    ) -> None:
        self.chance, self.seconds, self.size = chance, seconds, size
        self.epochs, self.disks = epochs, disks
        self.kinds: dict[str, Callable[[Training], str]] = {
            "kill": self._kill,
            "signal": self._signal,
            "two signals": self._two_signals,
            "cut-off checkpoint": self._cut_off,
            "flipped bit": self._flipped,
            "torn metrics.csv": self._torn,
            "full disk": self._full,
        }
        if disks:
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
        if not path.is_file() or last is None or (stage(last) or Stage(0)).epochs == self.epochs:
            return "no metrics.csv that is gone on with"
        # in the rows behind the checkpoint, or the last one: those before it can't be had again
        content = path.read_bytes()
        last = content.rstrip(b"\n").rfind(b"\n") + 1
        at = self.chance.randrange(last, len(content))
        path.write_bytes(content[:at] + self.chance.choice((b"", b"\xff\x00,,,,\n")))
        return f"metrics.csv torn at {at}"

    def _full(self, training: Training) -> str:
        if not self.disks:
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
