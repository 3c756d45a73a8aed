"""What gpu.sh asks of Python beside the measurements: the machine, CIFAR-10's settings, the page.

python scripts/benchmarks/gpu_page.py machine OUT          # OUT/machine.json, OUT/doctor.txt
python scripts/benchmarks/gpu_page.py data DIR DEVICE      # prints overrides for CIFAR-10
python scripts/benchmarks/gpu_page.py epochs OUT MINUTES   # OUT/epochs
python scripts/benchmarks/gpu_page.py page OUT             # OUT/gpu.md, of what there is
"""

import contextlib
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from cueco_solo.errors import ConfigError, config_error
from cueco_solo.files import write_json, write_text

_CIFAR_IMAGES = 50_000
_SETTING = "bf16, channels last"  # of the trainings on a GPU; cuDNN alone, as nothing compiles them


def machine(out: Path) -> int:
    """Write down what is measured on; the code is that of ``cueco-solo doctor``."""
    from cueco_solo.cli import main as cueco_solo
    from cueco_solo.training.environment import environment

    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        code = cueco_solo(["doctor"])
    print(text.getvalue(), end="")
    write_text(out / "doctor.txt", text.getvalue())
    write_json(out / "machine.json", {**environment(0), "driver": _driver()})
    return code


def _driver() -> str | None:
    command = [
        "nvidia-smi",
        "--query-gpu=name,driver_version,memory.total",
        "--format=csv,noheader",
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip().replace("\n", "; ")


def data(folder: str, device: str) -> int:
    """Print the overrides for what lies in a folder.

    Raises:
        ConfigError: there is no CIFAR-10 in it.
    """
    root = Path(folder)
    if folder and (root / "cifar-10-batches-py").is_dir():
        words = [f"data.train_path={root}"]
    elif folder and (root / "train").is_dir() and (root / "val").is_dir():
        words = ["data.dataset=custom", "backbone.name=resnet18_cifar"]
        words += [f"data.train_path={root / 'train'}", f"data.val_path={root / 'val'}"]
    else:
        allowed = "must hold CIFAR-10: cifar-10-batches-py, or train/CLASS and val/CLASS"
        raise config_error("DATA", folder, allowed, "give DATA=DIR")
    from cueco_solo.training.hardware import torch_device

    cuda = torch_device(device) == "cuda"
    print(*words, "precision=bf16-mixed" if cuda else "hardware=cpu")
    return 0


def epochs(out: Path, minutes: float) -> int:
    """As many epochs as a run of CueCo has in this time by the slower of steps and loader.

    Raises:
        ConfigError: they haven't been measured.
    """
    rates = []
    for path, row in (("steps-cueco.json", _SETTING), ("loaders.json", "32 pixels, torchvision")):
        rows = _read(out / path).get("rows", {})
        found = [rows[name] for name in rows if name == row or name.startswith(f"{row},")]
        measured = [each["images_per_second"] for each in found if "images_per_second" in each]
        if not measured:
            allowed = f"needs {row} in {out / path}"
            raise config_error("EPOCHS", "auto", allowed, "measure it first, or give a number")
        rates.append(measured[0])
    write_text(out / "epochs", f"{max(1, int(minutes * 60 * min(rates) / _CIFAR_IMAGES))}\n")
    return 0


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """Markdown; all columns but the first to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return ["| " + " | ".join(line) + " |" for line in lines] + [""]


def page(out: Path) -> int:
    """Render what has been measured so far."""
    lines = ["# Measured on this machine", "", *_machine(_read(out / "machine.json"))]
    for title, body in {
        "Speed and memory of a training step": _steps(out),
        "What a step consists of": _parts(out),
        "Data pipelines": _loaders(_read(out / "loaders.json")),
        "CIFAR-10": _cifar(out),
        "Tests on the GPU": _quoted(out / "tests.txt"),
        "Failed": _failures(out),
    }.items():
        if body:
            lines += [f"## {title}", "", *body]
    write_text(out / "gpu.md", "\n".join(lines).rstrip() + "\n")
    print(f"page: {out / 'gpu.md'}")
    return 0


def _machine(found: dict[str, Any]) -> list[str]:
    if not found:
        return ["The machine is not known: the slice doctor is not done.", ""]
    versions = found["versions"]
    plain = ", ".join(f"{name} {value}" for name, value in versions.items() if _is_text(value))
    solo, own = versions["solo-learn"], versions["cueco-solo"]
    gpus = ", ".join(found["gpus"]) or "**no GPU: these figures are those of a CPU**"
    return [
        f"- GPU: {gpus}"
        + (f" (name, driver, memory: {found['driver']})" if found["driver"] else ""),
        f"- CPUs: {found['cpus']}; {found['platform']}",
        f"- Versions: {plain}",
        f"- solo-learn: {solo['form']} {solo['version']} {solo['commit'] or ''}".rstrip(),
        f"- cueco-solo: {own['version']}, commit {own['commit']}",
        "",
    ]


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _methods(out: Path, kind: str) -> dict[str, dict[str, Any]]:
    return {path.stem.partition("-")[2]: _read(path) for path in sorted(out.glob(f"{kind}-*.json"))}


def _setting(content: dict[str, Any]) -> str:
    setting = content["setting"]
    trial = " **A trial: these figures mean nothing.**" if setting["tiny"] else ""
    return (
        f"{setting['backbone']}, {setting['size']} pixels, batch {setting['batch_size']}, random "
        f"images on the device; {setting['machine']}; {setting['repeats']} repeats of "
        f"{setting['steps']} steps after {setting['warmup']}.{trial}"
    )


def _steps(out: Path) -> list[str]:
    found = _methods(out, "steps")
    if not found:
        return []
    names = list(dict.fromkeys(row for content in found.values() for row in content["rows"]))
    rates, memory = [], []
    for name in names:
        cells = [content["rows"].get(name, {}) for content in found.values()]
        rates.append([name, *map(_rate, cells)])
        memory.append([name, *map(_memory, cells)])
    errors = [
        f"- {method}, {name}: {row['error']}"
        for method, content in found.items()
        for name, row in content["rows"].items()
        if "error" in row
    ]
    return [
        _setting(next(iter(found.values()))),
        "",
        "Images per second: the median, in brackets the slowest and the fastest repeat.",
        "",
        *table(["", *found], rates),
        "Peak memory in GiB.",
        "",
        *table(["", *found], memory),
        *([*errors, ""] if errors else []),
    ]


def _rate(row: dict[str, Any]) -> str:
    if "images_per_second" not in row:
        return row.get("not_available") or ("failed" if row else "")
    figures = (row[key] for key in ("images_per_second", "slowest", "fastest"))
    middle, slow, fast = (
        f"{figure:.4g}" if figure < 1000 else f"{figure:.0f}" for figure in figures
    )
    return f"{middle} ({slow}-{fast})"


def _memory(row: dict[str, Any]) -> str:
    if "memory_bytes" not in row:
        return "failed" if "error" in row else ""
    return "n/a" if row["memory_bytes"] is None else f"{row['memory_bytes'] / 2**30:.2f}"


def _parts(out: Path) -> list[str]:
    found = {
        method: row
        for method, content in _methods(out, "parts").items()
        for row in content["rows"].values()
        if "error" not in row
    }
    if not found:
        return []
    names = list(dict.fromkeys(part for row in found.values() for part in row["part_seconds"]))
    shares = []
    for name in names:
        cells = [row["part_seconds"].get(name) for row in found.values()]
        lengths = [row["step_seconds_synchronized"] for row in found.values()]
        pairs = zip(cells, lengths, strict=True)
        shares.append([name, *("" if x is None else f"{x / length:.1%}" for x, length in pairs)])
    waits = [
        [f"{method}: {part}", ", ".join(f"{kind} {n:g}" for kind, n in counts.items())]
        for method, row in found.items()
        for part, counts in row["waits_per_step"].items()
    ]
    longest = [
        # as code: names of kernels have <...>
        [f"{method}: `{name[:80].replace('|', '/').replace('`', '')}`", f"{seconds * 1e3:.3f}"]
        for method, row in found.items()
        for name, seconds in list(row["longest_seconds"].items())[:3]
    ]
    milliseconds = [f"{row['step_seconds'] * 1e3:.2f}" for row in found.values()]
    together = [f"{row['step_seconds_synchronized'] * 1e3:.2f}" for row in found.values()]
    return [
        f"{_SETTING}. {_setting(next(iter(_methods(out, 'parts').values())))}",
        "",
        "Host and GPU wait for each other at both ends of each part, so the parts' sum is longer",
        "than a step. Augmentation is not in it: see the data pipelines.",
        "",
        *table(
            ["", *found],
            [["step, ms", *milliseconds], ["sum of the parts, ms", *together], *shares],
        ),
        "Waits of the host for the GPU, per step, as the profiler counts them. Each of",
        "aten::_local_scalar_dense, a reading of one number, holds a cudaStreamSynchronize.",
        "",
        *(table(["", "waits"], waits) if waits else ["None.", ""]),
        "What takes longest on the device, ms per step.",
        "",
        *table(["", "ms"], longest),
    ]


def _loaders(content: dict[str, Any]) -> list[str]:
    if not content:
        return []
    rows = [[name, _rate(row) or row.get("error", "")] for name, row in content["rows"].items()]
    return ["Images per second, two views of each.", "", *table(["", "images/s"], rows)]


def _cifar(out: Path) -> list[str]:
    path = out / "cifar10" / "table.md"
    return [path.read_text(encoding="utf-8").rstrip(), ""] if path.is_file() else []


def _quoted(path: Path) -> list[str]:
    if not path.is_file():
        return []
    end = path.read_text(encoding="utf-8", errors="replace").splitlines()[-20:]
    return ["```", *end, "```", ""]


def _failures(out: Path) -> list[str]:
    lines = []
    for path in sorted((out / "logs").glob("*.failed")):
        lines += [f"`{path.stem}`:", "", *_quoted(path)]
    return lines


def main() -> int:
    match sys.argv[1:]:
        case ["machine", out]:
            return machine(Path(out))
        case ["data", folder, device]:
            return data(folder, device)
        case ["epochs", out, minutes]:
            return epochs(Path(out), float(minutes))
        case ["page", out]:
            return page(Path(out))
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ConfigError as problem:
        print(f"error: {problem}", file=sys.stderr)
        sys.exit(2)
