"""Curves, configuration and command of a run, from the files that it left."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from cueco_solo.report.curves import read_curves, steps_per_epoch
from cueco_solo.report.reproduction import reproduce
from cueco_solo.results.runs import flat_config
from cueco_solo.training.run_folder import Run


def written(folder: Path, *lines: str) -> Path:
    path = folder / "metrics.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_every_numeric_column_is_a_curve(tmp_path: Path):
    curves = read_curves(
        written(
            tmp_path,
            "epoch,step,val_acc1,note,empty",
            "0,9,10.5,high,",
            "0,19,,high,",
            "1,29,20.25,high,",
        )
    )
    assert curves == {"val_acc1": {"step": [9, 29], "value": [10.5, 20.25]}}


def test_what_isnt_finite_or_cut_off_is_left_out(tmp_path: Path):
    path = written(tmp_path, "step,loss", "0,nan", "1,inf", "2,-inf", "3,0.5", "x,1", ",2", "5,1,7")
    path.write_bytes(path.read_bytes() + b"6,\xff\xff\0\n7,0.2")
    assert read_curves(path) == {"loss": {"step": [3, 5, 7], "value": [0.5, 1, 0.2]}}


def test_long_curves_are_thinned_and_keep_their_ends(tmp_path: Path):
    path = written(tmp_path, "step,loss", *(f"{i},{i / 7}" for i in range(10_000)))
    curve = read_curves(path)["loss"]
    assert len(curve["step"]) == len(curve["value"]) == 300
    assert curve["step"][0] == 0 and curve["step"][-1] == 9999
    assert curve["step"] == sorted(set(curve["step"]))
    assert curve["value"] == [float(f"{i / 7:.6g}") for i in curve["step"]]


def test_a_resumed_run_goes_over_what_it_repeats(tmp_path: Path):
    path = written(tmp_path, "step,loss", "1,5", "2,6", "3,7", "2,1", "3,2", "4,3")
    assert read_curves(path)["loss"] == {"step": [1, 2, 3, 4], "value": [5, 1, 2, 3]}


def test_of_step_and_epoch_one_stays(tmp_path: Path):
    path = written(
        tmp_path,
        "step,a_step,a_epoch,b_step,b_epoch,c_step,d_epoch,e_step,e",
        "1,1,,1,,1,,1,9",
        "2,2,1.5,2,1.5,2,1,2,8",
        "3,3,,3,,3,,3,7",
        "4,4,3.5,4,,4,2,4,6",
    )
    curves = read_curves(path)
    assert curves["a"]["value"] == [1.5, 3.5]  # means of epochs
    assert curves["b"]["value"] == [1, 2, 3, 4]  # one epoch alone makes no curve
    assert curves["c"]["value"] == [1, 2, 3, 4] and curves["d"]["value"] == [1, 2]
    assert curves["e"]["value"] == [9, 8, 7, 6] and curves["e_step"]["value"] == [1, 2, 3, 4]
    assert len(curves) == 6


def test_no_rows(tmp_path: Path):
    assert read_curves(written(tmp_path, "step,loss")) == {}
    (tmp_path / "metrics.csv").write_text("")
    assert read_curves(tmp_path / "metrics.csv") == {}


ENVIRONMENT = {
    "versions": {
        "python": "3.11.7",
        "dali": None,
        "solo-learn": {"form": "main", "version": "1.0.6", "commit": "abc"},
        "cueco-solo": {"version": "0.1.0", "commit": "def-dirty"},
    },
    "command": ["/bin/cueco-solo", "pretrain", "--config-name", "c", "name=it's [1]"],
    "seed": 7,
    "platform": "Linux",
    "cpus": 8,
    "gpus": ["H200", "H200"],
}


def run(folder: Path, environment: Any = None, composed: bool = True) -> Run:
    folder = folder / "it's a run"
    folder.mkdir(exist_ok=True)
    if environment is not None:
        text = environment if isinstance(environment, str) else json.dumps(environment)
        (folder / "environment.json").write_text(text)
    if composed:
        (folder / "config.yaml").write_text("seed: 7\nlr: 0.3\n")
    return Run(folder, OmegaConf.create({"seed": 7, "lr": 0.1}), folder / "x.ckpt")


def test_configurations_are_flat(tmp_path: Path):
    cfg = {
        "a": {"b": 1, "c": None, "d": {}, "e": [1, "x"]},
        "views": [{"size": 32}, {"size": 96}],
        "t": "text",
        "f": True,
        "empty": [],
    }
    flat = flat_config(Run(tmp_path, OmegaConf.create(cfg), tmp_path), composed=False)
    assert flat == {
        "a.b": "1",
        "a.c": "null",
        "a.d": "{}",
        "a.e": '[1, "x"]',
        "views.0.size": "32",
        "views.1.size": "96",
        "t": "text",
        "f": "true",
        "empty": "[]",
    }
    assert flat_config(run(tmp_path), composed=True) == {"seed": "7", "lr": "0.3"}
    assert flat_config(run(tmp_path), composed=False)["lr"] == "0.1"


def test_a_run_of_the_command_line(tmp_path: Path):
    made, missing = reproduce(run(tmp_path, ENVIRONMENT))
    assert missing == []
    assert shlex.split(made["command"] or "") == ["cueco-solo", *ENVIRONMENT["command"][1:]]
    assert made["commit"] == "def-dirty" and made["seed"] == 7
    assert made["solo_learn"] == "main 1.0.6 (abc)"
    assert made["versions"] == {"python": "3.11.7", "cueco-solo": "0.1.0"}
    assert made["hardware"] == "Linux, 8 CPUs, 2 x H200"


@pytest.mark.parametrize(
    ("argv", "literal"),
    [
        (["x/cueco_solo/cli/__main__.py", "pretrain", "a=1"], True),
        (["/bin/cueco-solo", "compare", "grid.yaml"], False),
        (["run.py", "pretrain"], False),
        (["main_pretrain.py"], False),
        (None, False),
    ],
)
def test_a_run_of_another_command_is_made_again_from_its_configuration(
    tmp_path: Path, argv: Any, literal: bool
):
    found = run(tmp_path, {**ENVIRONMENT, "command": argv})
    words = shlex.split(reproduce(found)[0]["command"] or "")
    assert words[:2] == ["cueco-solo", "pretrain"]
    again = ["--config-path", str(found.folder), "--config-name", "config"]
    assert words[2:] == (["a=1"] if literal else again)


@pytest.mark.parametrize("content", [None, "{", "[]", '{"versions": 3}'])
def test_no_environment(tmp_path: Path, content: str | None):
    made, (sentence,) = reproduce(run(tmp_path, content, composed=False))
    expected = "there is no environment.json" if content is None else "can't be read"
    assert sentence.startswith("How to reproduce: ") and expected in sentence
    assert made["command"] is None and made["versions"] == {} and made["hardware"] is None
    assert made["seed"] == 7  # of the configuration


@pytest.mark.parametrize(
    ("rows", "expected"), [(["4,0", "9,1", "11,2"], 5), (["2,0"], 3), ([], None)]
)
def test_steps_per_epoch_are_those_of_whole_epochs(rows: list[str], expected, tmp_path: Path):
    assert steps_per_epoch(written(tmp_path, "step,epoch", *rows)) == expected
