"""``cueco-solo report`` on a tiny run."""

from pathlib import Path
from typing import Any

import pytest

from cueco_solo.cli import main
from cueco_solo.report.document import RunPart
from cueco_solo.report.features import FeatureViews


def test_a_report(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "new" / "page.html"
    options = ("--title", "<Two & three>", "--images", "6", "--no-cache", "--device", "cpu")
    assert main(["report", str(trained), "--out", str(out), *options]) == 0
    text = out.read_text(encoding="utf-8")
    assert "&lt;Two &amp; three&gt;" in text and "<Two" not in text
    assert text.count("data:image/") >= 6
    printed = capsys.readouterr().out
    assert f"report: {out} (" in printed and "pictures: 9, 0.0 MB" in printed
    assert [path.name for path in out.parent.iterdir()] == ["page.html"]
    assert not (trained / "features").exists()


def test_what_is_missing_is_printed(
    trained: Path, tmp_path: Path, monkeypatch: Any, capsys: pytest.CaptureFixture[str]
):
    def fill(self: object, run: object, part: RunPart) -> None:
        part["missing"].append("No luck.")

    monkeypatch.setattr(FeatureViews, "fill", fill)
    assert main(["report", str(trained), "--out", str(tmp_path / "page.html")]) == 0
    assert f"{trained.name}: No luck." in capsys.readouterr().out


def test_nothing_is_written_after_an_error(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Any
):
    monkeypatch.setattr(FeatureViews, "fill", lambda *_: None)
    out = tmp_path / "page.html"
    out.write_text("the old one")
    message = refused("report", trained, "--out", out, "--baseline", "byol")
    assert message == "--baseline='byol' must be one of MoCo V2+"

    def fail(_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cueco_solo.report.html.render", fail)
    message = refused("report", trained, "--out", out)
    assert message.endswith("can't be written (No space left on device); give another file")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["the old one"]
