"""examples/quickstart.ipynb runs on a finished run; the outputs kept in it are small."""

import json
import sys
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[2] / "examples" / "quickstart.ipynb"


def test_it_runs(images: Path, trained: Path, tmp_path: Path):
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    nbformat = pytest.importorskip("nbformat")
    for name, target in {
        "trained_models/cueco/RUN": trained,
        "datasets/digits-placed": images,
    }.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).symlink_to(target)
    results = tmp_path / "comparisons" / "quickstart" / "results.csv"
    results.parent.mkdir(parents=True)
    results.write_text("method,run\nMoCo V2+,none\nCueCo,trained_models/cueco/RUN\n")
    # this interpreter, whatever kernels are installed
    kernel = tmp_path / "kernels" / "python3"
    kernel.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (kernel / "kernel.json").write_text(json.dumps({"argv": argv, "language": "python"}))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}
    )
    client.km = client.create_kernel_manager()
    client.km.kernel_spec_manager.kernel_dirs.insert(0, str(tmp_path / "kernels"))
    client.execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    text = "".join(output.get("text", "") for output in outputs)
    assert "tiny | resnet18 | " in text and "torch.Size([9, 512]) blue/0.png blue" in text
    assert any("image/png" in output.get("data", ()) for output in outputs)


def test_its_outputs_are_kept_and_small():
    cells = [
        cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"
    ]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert all(cell["outputs"] for cell in cells)
    assert NOTEBOOK.stat().st_size < 60_000
