"""The fast core of scripts/checks/faults.py: a fault of each kind, always the same ones."""

import re
import sys
from pathlib import Path

import pytest
from support import python

CHECKS = Path(__file__).parents[2] / "scripts" / "checks"
KINDS = 7  # eight where disks can be mounted


@pytest.mark.skipif(sys.platform != "linux", reason="signals, forks and disks are Linux's")
def test_a_training_goes_on_after_each_kind_of_fault():
    method = "simclr"
    done = python(CHECKS / "faults.py", method, "--faults", 8, "--epochs", 2, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    outcomes = re.findall(
        rf"^{method} \d+: ([^:]+): .*: (equal|refused, then equal)$", done.stdout, re.M
    )
    assert len(outcomes) == 8
    assert len({kind for kind, _ in outcomes}) >= KINDS


def test_the_comparison_sees_a_difference(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(CHECKS))
    import torch
    from faults_training import difference

    one = {"rows": [{"loss": "1.5"}], "state_dict": {"a": torch.ones(2)}, "epoch": 2}
    assert difference(one, {**one, "state_dict": {"a": torch.ones(2)}}) is None
    for key, value, place in (
        ("rows", [], "/rows length 1 and 0"),
        ("rows", [{"loss": "1.5000001"}], "/rows/0/loss"),
        ("rows", [{"loss": "1.5", "x": "1"}], "/rows/0 keys"),
        ("state_dict", {"a": torch.tensor([1.0, 1.0000001])}, "/state_dict/a"),
        ("epoch", 3, "/epoch: 2 and 3"),
    ):
        found = difference(one, {**one, key: value})
        assert found is not None and found.startswith(place)


def test_the_words_of_each_method_are_accepted(
    tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.syspath_prepend(str(CHECKS))
    from faults_training import CONFIG, METHODS

    from cueco_solo import host
    from cueco_solo.training.build import parse
    from cueco_solo.training.compose import compose_config
    from cueco_solo.training.hardware import find_hardware
    from cueco_solo.training.settings import check_settings, with_defaults

    text = CONFIG.replace("IMAGES", str(images / "train")).replace("RUNS", str(tmp_path))
    (tmp_path / "faults.yaml").write_text(text.replace("EPOCHS", "2"))
    for name, words in METHODS.items():
        cfg = with_defaults(compose_config("faults", str(tmp_path), words))
        check_settings(cfg)
        parsed = parse(cfg, find_hardware(cfg).processes)
        host.method_class(cfg.method).add_and_assert_specific_cfg(parsed)
        assert name.startswith(cfg.method)
