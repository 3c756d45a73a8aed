"""Places for jobs: taken, given back, on distinct GPUs, with threads shared out."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from omegaconf import OmegaConf

from cueco_solo.comparison.slots import Slots
from cueco_solo.data.reading import usable_cpus
from cueco_solo.errors import ConfigError


def task(devices: Any = 1, **more: Any) -> Any:
    cfg = OmegaConf.create({"devices": devices, **more})
    return SimpleNamespace(job=SimpleNamespace(cfg=cfg, method="a"), folder=Path("x"))


def test_a_job_on_every_gpu_before_a_second_on_any(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    slots = Slots([0, 3], 2)
    taken = [slots.take(task()) for _ in range(5)]
    assert taken == [(0,), (3,), (0,), (3,), None]
    slots.give_back((3,))
    assert slots.take(task([0, 1])) is None  # two places on one GPU are none for two processes
    slots.give_back((0,))
    assert slots.take(task("2")) == (0, 3) or slots.take(task("2")) == (3, 0)
    assert slots.environment((0, 3))["CUDA_VISIBLE_DEVICES"] == "0,3"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5, 6,GPU-7")
    assert slots.environment((0, 3))["CUDA_VISIBLE_DEVICES"] == "4,GPU-7"
    assert slots.told((0, 3)) == "GPU 0, 3"


def test_the_freest_gpu_is_next():
    slots = Slots([0, 1], 2)
    for _ in range(3):
        slots.take(task())
    slots.give_back((0,))
    slots.give_back((0,))
    assert slots.take(task()) == (0,)


@pytest.mark.parametrize(("threads", "jobs", "each"), [("8", 3, "2"), ("1", 2, "1")])
def test_threads_are_shared_out(
    monkeypatch: pytest.MonkeyPatch, threads: str, jobs: int, each: str
):
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    slots = Slots([], jobs)
    assert slots.environment((0,)) == {"OMP_NUM_THREADS": each, "MKL_NUM_THREADS": each}
    assert [slots.take(task()) for _ in range(jobs)] == [(n,) for n in range(jobs)]
    assert slots.take(task()) is None


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_threads_are_of_the_cpus_that_may_be_used(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, [min(before)])
        assert Slots([], 1).threads == usable_cpus() == 1
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.parametrize(
    ("slots", "given", "message"),
    [
        (([0], 4), task(2), "a: devices=2 needs 2 places, but there are 1; give 2 GPUs to --gpus"),
        (([], 2), task("3"), "needs 3 places, but there are 2; give 3 or more to --jobs"),
        (([0, 1], 1), task([1]), r"devices=\[1\] names GPUs, which --gpus shares out; give dev"),
        (([], 2), task(1, num_nodes=2), "num_nodes=2 is more than this machine; use --launcher sl"),
    ],
)
def test_what_will_never_have_a_place_is_refused(slots: Any, given: Any, message: str):
    with pytest.raises(ConfigError, match=message):
        Slots(*slots).check([given])


def test_gpus_that_arent_there_are_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    Slots([0, 1], 1).check_gpus([])
    with pytest.raises(ConfigError, match="--gpus='0,2' but there is no GPU 2; choose from 0, 1"):
        Slots([0, 2], 1).check_gpus([])
    with pytest.raises(ConfigError, match="--jobs=2 would put all jobs on the 2 GPUs of this mach"):
        Slots([], 2).check_gpus([task(1)])
    Slots([], 2).check_gpus([task(1, accelerator="cpu")])
