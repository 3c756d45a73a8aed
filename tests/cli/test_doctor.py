"""``cueco-solo doctor`` says what is there and how to mend what isn't, whatever is broken."""

from pathlib import Path

import pytest
from support import python

from cueco_solo.cli import doctor, main
from cueco_solo.host import host_info


def test_a_working_installation(capsys: pytest.CaptureFixture[str]):
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    names = ("python", "torch", "lightning", "torchmetrics", "timm", "nvidia-dali", "GPUs", "CPU")
    for name in names:
        assert f" {name} " in printed
    info = host_info()
    assert f"{info.form} {info.version} in {info.path}" in printed
    assert "MISSING" not in printed
    assert ("pip check complains" in printed) == (info.form == "release")


@pytest.mark.parametrize(
    ("package", "content", "texts"),
    [
        ("torch", "raise OSError('lib.so: gone')", ["lib.so: gone", "pip install 'torch>="]),
        ("solo", "raise SyntaxError('bad')", ["solo-learn", "pip install --no-deps solo-learn"]),
    ],
)
def test_broken_packages(tmp_path: Path, package: str, content: str, texts: list[str]):
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").write_text(content)
    done = python("-m", "cueco_solo.cli", "doctor", path=(tmp_path,))
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "MISSING" in done.stdout
    for text in texts:
        assert text in done.stdout


def test_old_versions_and_missing_packages(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doctor, "_version", lambda name: "1.9.1+cu111" if name == "torch" else "")
    name, state, remedy, needed = doctor._needed("torch", "json", "2.4")
    assert (name, needed) == ("torch", True)
    assert state == "1.9.1+cu111 is too old"
    assert remedy == "pip install 'torch>=2.4' --upgrade"
    assert doctor._needed("gone", "no_such_module", "1.0")[1:3] == (
        "not installed",
        "pip install 'gone>=1.0'",
    )


@pytest.mark.parametrize(
    ("flags", "state"),
    [
        ("fpu avx512f avx512_bf16 amx_bf16", "bfloat16 (amx_bf16, avx512_bf16): hardware=cpu-bf16"),
        ("fpu avx2", "no bfloat16 that is known of"),
        (None, "no bfloat16 that is known of"),
    ],
)
def test_bfloat16_of_the_cpu(flags: str | None, state: str, monkeypatch: pytest.MonkeyPatch):
    def read_text(path: Path) -> str:
        if flags is None:
            raise FileNotFoundError(path)
        return f"processor : 0\nflags : {flags}\n"

    monkeypatch.setattr(doctor.Path, "read_text", read_text)
    assert doctor._cpu()[1].startswith(state)
