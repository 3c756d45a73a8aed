"""scripts/benchmarks/gpu.sh on a CPU, with sizes that mean nothing."""

import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.autograd import DeviceType

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "benchmarks" / "gpu.sh"
TRIAL = (f"VENV={Path(sys.prefix)}", "TINY=1", "DEVICE=cpu", "BUDGET=0", "METHODS=cueco")

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")


def start(*words: object) -> subprocess.Popen[str]:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(["bash", str(SCRIPT), *map(str, words)], env=environment, **pipes)


def run(*words: object) -> tuple[int, str]:
    process = start(*words)
    output, _ = process.communicate(timeout=500)
    return process.returncode, output


def test_every_measurement_on_a_cpu_and_a_failed_slice(tmp_path: Path):
    slices = "SLICES=environment cifar10 doctor throughput parts loaders"
    code, output = run(tmp_path, *TRIAL, slices)
    assert code == 1, output
    assert "DATA='' must hold CIFAR-10" in output
    assert output.splitlines()[-1] == f"failed: cifar10; see {tmp_path}/logs"
    page = (tmp_path / "gpu.md").read_text()
    for words in (
        "no GPU",
        "bf16, channels last, compiled",
        "momentum update",
        "DALI, cpu",
        "augment=device",
    ):
        assert words in page
    (steps,) = tmp_path.glob("steps-*.json")
    rows = json.loads(steps.read_text())["rows"]
    assert all(row["images_per_second"] > 0 for row in rows.values())
    (parts,) = tmp_path.glob("parts-*.json")
    (row,) = json.loads(parts.read_text())["rows"].values()
    shares = row["part_seconds"]
    assert sum(shares.values()) == pytest.approx(row["step_seconds_synchronized"])
    assert {"forward", "momentum forward", "loss", "clusters", "queue", "backward"} <= {*shares}

    written = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.json")}
    code, output = run(tmp_path, *TRIAL, slices)
    assert code == 1
    assert [line for line in output.splitlines() if line.startswith("==")] == [
        "== cifar10 (at most 510 s)"
    ]
    assert written == {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.json")}


def test_a_training_that_is_stopped_goes_on(tmp_path: Path, images: Path):
    words = (tmp_path, *TRIAL, "SLICES=environment cifar10", f"DATA={images}", "EPOCHS=6")
    process = start(*words)
    deadline = time.monotonic() + 300
    while not any((tmp_path / "runs").rglob("*.ckpt")):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 75, output
    assert output.splitlines()[-1] == "left: cifar10; run this again"

    code, output = run(*words)
    assert code == 0, output
    histories = [json.loads(p.read_text()) for p in (tmp_path / "runs").rglob("history.json")]
    assert sorted(str(history).count("resumed") > 0 for history in histories) == [False, True]
    assert "## CIFAR-10" in (tmp_path / "gpu.md").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["COLOUR=1"], "error: COLOUR=1: must be KEY=VALUE with a key of: BUDGET LIMIT"),
        (["EPOCHS=0"], "error: EPOCHS=0 must be a positive number or auto"),
        (["SLICES=dance"], "error: SLICES: no slice is called dance; they are environment"),
    ],
)
def test_wrong_arguments(words: list[str], message: str, tmp_path: Path):
    code, output = run(tmp_path / "out", *words)
    assert (code, (tmp_path / "out").exists()) == (2, False)
    assert output.startswith(message)
    assert len(output.splitlines()) == 1


def test_waits_belong_to_the_innermost_part(monkeypatch: pytest.MonkeyPatch):
    """Those of the backward pass too, which a GPU's autograd runs in a thread of its own."""
    monkeypatch.syspath_prepend(SCRIPT.parent)
    step_parts = importlib.import_module("step_parts")

    def event(name: str, start: int, parent: Any = None) -> SimpleNamespace:
        time_range = SimpleNamespace(start=start)
        return SimpleNamespace(name=name, time_range=time_range, cpu_parent=parent)

    step = event("part: rest of the training step", 0)
    loss = event("part: loss", 1, step)
    node = event("autograd::engine::evaluate_function: MulBackward0", 3)
    end = event("part: the end of the measurement", 9)
    events = [
        *(step, loss, node, end),
        event("cudaStreamSynchronize", 2, event("aten::item", 2, loss)),
        event("cudaStreamSynchronize_v3020", 2, loss),
        event("cudaLaunchKernel", 2, loss),
        event("cudaStreamSynchronize", 4, event("aten::copy_", 4, node)),
        event("aten::_local_scalar_dense", 5),
        event("cudaDeviceSynchronize", 10, end),
        event("cudaDeviceSynchronize", 11),
    ]
    assert step_parts.waits_by_part(events) == {
        "loss": {"cudaStreamSynchronize": 2},
        "backward": {"cudaStreamSynchronize": 1},
        "elsewhere": {"aten::_local_scalar_dense": 1},
    }


@pytest.mark.parametrize("cuda", [False, True])
def test_work_is_counted_once(cuda: bool, monkeypatch: pytest.MonkeyPatch):
    """With a GPU by its kernels, not by the operators that start them, nor by ranges around."""
    monkeypatch.syspath_prepend(SCRIPT.parent)
    is_work = importlib.import_module("step_parts").is_work

    def row(key: str, device: DeviceType, **more: bool) -> SimpleNamespace:
        return SimpleNamespace(key=key, device_type=device, **more)

    rows = [
        row("aten::mm", DeviceType.CPU),
        row("part: loss", DeviceType.CPU),
        *[row("ampere_sgemm_128x64", DeviceType.CUDA)] * cuda,
        *[row("Optimizer.step#SGD.step", DeviceType.CUDA, is_user_annotation=True)] * cuda,
    ]
    found = [each.key for each in rows if is_work(each, cuda)]
    assert found == (["ampere_sgemm_128x64"] if cuda else ["aten::mm"])


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_no_slice_measures_the_cpu_unasked(tmp_path: Path):
    code, output = run(tmp_path, *TRIAL, "DEVICE=cuda", "SLICES=environment tests loaders cifar10")
    assert code == 1, output
    assert output.count("error: torch sees no GPU; mend the driver, or measure the CPU by") == 3
    assert not [*tmp_path.glob("*.json")]


def test_epochs_that_fit(tmp_path: Path):
    def rows(name: str, rate: float) -> str:
        return json.dumps({"rows": {name: {"images_per_second": rate}}})

    (tmp_path / "steps-cueco.json").write_text(rows("bf16, channels last", 10_000))
    (tmp_path / "loaders.json").write_text(rows("32 pixels, torchvision, 8 workers", 5000))
    script = SCRIPT.with_name("gpu_page.py")
    subprocess.run([sys.executable, script, "epochs", tmp_path, "20"], check=True)
    assert (tmp_path / "epochs").read_text() == "120\n"  # 20 minutes at 10 seconds each
