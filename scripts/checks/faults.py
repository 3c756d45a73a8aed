"""Stops tiny trainings by faults, lets them go on, and compares with one that nothing stopped.

    python scripts/checks/faults.py [METHOD ...] [--faults 40] [--seed 5] [--epochs 4]

METHOD: cueco, cueco-offline, rcl, rcl-dbscan, self_classifier, mocov2plus or simclr; default:
all. Each fault is drawn from --seed: a signal, or two, at a random moment; a kill; a disk that is
full or becomes read-only; a newest checkpoint that is cut off or has a bit flipped; a torn row of
metrics.csv. Then the same command runs again, without a fault. What must come out is one of

- equal: weights, optimiser, schedule, counters and logged losses are those of the training that
  nothing stopped, to the last bit, but for a row of metrics.csv that the fault has torn;
- refused: one line, exit code 2, and once the file that it names is removed, equal.

Anything else is a failure, with which the script ends with 1. It prints a line for each fault.
Trainings are forks of this process, so that torch is imported once. Linux, CPU; where root may
mount, the disks are a small tmpfs, otherwise a limit on the size of files stands for a full disk
and none becomes read-only. --keep DIR keeps the folders of failures.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from faults_kinds import Faults, can_mount
from faults_training import CONFIG, METHODS, Training, difference, state, write_images

GOOD = ("equal", "refused, then equal")


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


def check(
    method: str, faults: int, seed: int, epochs: int = 4, keep: Path | None = None
) -> list[tuple[str, str, str]]:
    """Kind, fault and outcome of some faults of one method."""
    chance, found = random.Random(f"{method} {seed}"), []
    disks = can_mount()
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        write_images(base / "images")
        config = base / "faults.yaml"
        text = CONFIG.replace("IMAGES", str(base / "images")).replace("EPOCHS", str(epochs))
        config.write_text(text)
        whole = Training(method, config, base / "whole")
        begin = time.monotonic()
        if code := whole.run():
            raise SystemExit(f"{method}: exit code {code}\n{whole.log.read_text()}")
        run = whole.run_folder()
        assert run is not None
        expected, seconds = state(run), time.monotonic() - begin
        size = sum(path.stat().st_size for path in run.iterdir())
        kinds = Faults(chance, seconds, size, epochs, disks).kinds
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
    parser.add_argument("--epochs", type=int, default=4, help="of a training (4)")
    parser.add_argument("--keep", type=Path, metavar="DIR")
    args = parser.parse_args()
    if unknown := [name for name in args.methods if name not in METHODS]:
        parser.error(f"METHOD={unknown[0]} must be one of {', '.join(METHODS)}")
    torch.set_num_threads(1)  # a fork can't have more
    table: dict[str, Counter[str]] = {}
    for method in args.methods:
        begin = time.monotonic()
        for kind, _, result in check(method, args.faults, args.seed, args.epochs, args.keep):
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
