"""``cueco-solo report`` on a tiny run."""

from pathlib import Path

import pytest

from cueco_solo.cli import main
from cueco_solo.report.document import RunPart
from cueco_solo.report.features import FeatureViews


def error(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["report", *arguments]) == 2
    return capsys.readouterr().err.splitlines()[-1]


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
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    def fill(self: object, run: object, part: RunPart) -> None:
        part["missing"].append("No luck.")

    monkeypatch.setattr(FeatureViews, "fill", fill)
    assert main(["report", str(trained), "--out", str(tmp_path / "page.html")]) == 0
    assert f"{trained.name}: No luck." in capsys.readouterr().out


def test_nothing_is_written_after_an_error(
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setattr(FeatureViews, "fill", lambda *_: None)
    out = tmp_path / "page.html"
    out.write_text("the old one")
    message = error(capsys, str(trained), "--out", str(out), "--baseline", "byol")
    assert message == "cueco-solo: error: --baseline='byol' must be one of mocov2plus"

    def fail(_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cueco_solo.report.html.render", fail)
    message = error(capsys, str(trained), "--out", str(out))
    assert message.endswith("can't be written (No space left on device); give another file")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["the old one"]


def test_errors(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert "RUNS='nowhere' must be a run folder" in error(capsys, "nowhere")
    message = error(capsys, str(trained), "--out", str(tmp_path))
    assert message.endswith(f"is a folder; give {tmp_path / 'report.html'}")
    (tmp_path / "file").touch()
    message = error(capsys, str(trained), "--out", str(tmp_path / "file" / "page.html"))
    assert "can't be written (" in message


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "the following arguments are required: RUNS"),
        (["run", "--images", "0"], "'0' must be an integer of at least 1"),
        (["run", "--embedding", "pca"], "invalid choice: 'pca'"),
    ],
)
def test_arguments_are_refused(arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit, match="2"):
        main(["report", *arguments])
    assert text in capsys.readouterr().err
