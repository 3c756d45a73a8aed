"""The model card says what the run folder's files say, and nothing that they don't."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from support import change_args

from cueco_solo.cli import main


def card(run: Path, *words: str) -> str:
    assert main(["export", str(run), "--format", "torchvision", *words]) == 0
    return (run / "export" / "README.md").read_text(encoding="utf-8")


def evaluated(run: Path, name: str, checkpoint: str | None, **results: float) -> None:
    content = {"checkpoint": checkpoint, "results": results, "settings": {}}
    (run / f"eval-{name}.json").write_text(json.dumps(content))


def row(text: str, first: str) -> list[str]:
    (line,) = re.findall(rf"^\| {re.escape(first)} \|.*$", text, re.MULTILINE)
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_what_it_was_trained_on_and_how(make_run: Callable):
    text = card(make_run("resnet18", 48))
    front = yaml.safe_load(text.split("---")[1])
    assert front["pipeline_tag"] == "image-feature-extraction"
    assert {"simclr", "resnet18"} <= set(front["tags"])
    assert "license" not in front
    assert row(text, "method")[1:] == ["simclr", "args.json: method"]
    # the run was interrupted
    assert row(text, "epochs trained")[1] == "1 of 3"
    assert row(text, "seed")[1] == "5"
    assert row(text, "image size")[1] == "48 x 48"
    assert row(text, "normalisation")[1] == "mean 0.3, 0.4, 0.5; standard deviation 0.2, 0.25, 0.3"
    assert row(text, "dimensions")[1] == "512"
    assert "max-pooling" not in text
    assert "The run folder holds none." in text
    assert "command and versions weren't recorded" in text


def test_the_cifar_stem_is_told(make_run: Callable, capsys):
    text = card(make_run(dataset="cifar10"))
    assert row(text, "stem")[1] == "CIFAR: 3x3, no max-pooling"
    assert "padding 2, and no max-pooling" in text
    assert "3x3 conv1 of padding 2, no max-pooling" in capsys.readouterr().out


def test_figures_of_this_checkpoint_only(make_run: Callable):
    run = make_run()
    evaluated(run, "knn", "test-ep=0.ckpt", cosine_20_top1=81.234)
    evaluated(run, "knn-untrained", None, cosine_20_top1=40.5)
    evaluated(run, "linear", "another-ep=9.ckpt", top1=99.99)
    (run / "metrics.csv").write_text("epoch,step,val_acc1,val_acc5\n0,1,12.5,50.0\n1,2,25.0,75.0\n")
    text = card(run)
    table = [line for line in text.splitlines() if "| knn |" in line or "linear-online" in line]
    assert any(line.endswith("| knn | knn20 | 81.23 | 40.50 |") for line in table)
    # of the checkpoint's epoch
    assert any(line.endswith("| linear-online | top1 | 12.50 |  |") for line in table)
    assert "99.99" not in text


def test_command_and_versions(make_run: Callable):
    run = make_run()
    content = {
        "command": ["/somewhere/bin/cueco-solo", "pretrain", "name=two words", "x=```"],
        "versions": {"torch": "9.9", "solo-learn": {"version": "1.0.2", "commit": "abc"}},
        "resumed": [{}],
    }
    (run / "environment.json").write_text(json.dumps(content))
    text = card(run)
    assert "````bash\ncueco-solo pretrain 'name=two words' 'x=```'\n````" in text
    assert row(text, "torch")[1] == "9.9"
    assert row(text, "solo-learn")[1:] == ["1.0.2", "abc"]
    assert "resumed 1 times" in text


def test_strings_are_shown_and_do_nothing(make_run: Callable):
    run = make_run()
    change_args(run, name="<script>alert(1)</script> | *x* `y`\n# z")
    text = card(run)
    assert "<script" not in text
    expected = r"&lt;script&gt;alert(1)&lt;/script&gt; \| \*x\* \`y\` \# z"
    assert f"| run | {expected} | args.json: name |" in text


@pytest.mark.parametrize("content", ["", "[]", '{"versions": {}}'])
def test_a_damaged_environment(make_run: Callable, capsys, content: str):
    run = make_run()
    (run / "environment.json").write_text(content)
    assert main(["export", str(run), "--format", "torchvision"]) == 2
    assert "environment.json' isn't what a run writes" in capsys.readouterr().err
    assert list((run / "export").iterdir()) == []
