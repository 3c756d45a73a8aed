"""A report's document as a real one looks, without training; on demand with nasty strings."""

import base64
import io
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image
from report_run import QUALITY, figure, run_figures, run_part
from sklearn.datasets import load_digits

from cueco_solo.report.document import Document, Images
from cueco_solo.results.figures import Figure
from cueco_solo.results.runs import RunFigures
from cueco_solo.results.table import make_table

# Each would set window.pwned, load something or break the page if it were taken for markup.
NASTY = (
    "</script><script>window.pwned=1</script>",
    "<img src=x onerror='window.pwned=2'>",
    "\"><svg onload=window.pwned=3> ' & <!-- {{ 7*7 }} %{x} \u2028 \u2029",
    '<a href="javascript:window.pwned=4">click</a>',
)


def runs(seeds: int = 3) -> list[RunFigures]:
    """Three methods with ``seeds`` runs each; the first was evaluated untrained, too."""
    rng = np.random.default_rng(0)
    found = [run_figures(method, seed, rng) for method in QUALITY for seed in range(5, 5 + seeds)]
    names = {"method": "untrained", "epochs": 0}
    found[0].untrained = [figure(found[0], "knn", "knn20", 41.0, **names)]
    return found


def document(
    seeds: int = 3, images: int = 120, nasty: bool = False, found: list[RunFigures] | None = None
) -> Document:
    """A report of ``runs(seeds)``, or of those found, on ``images`` test images."""
    pictures, labels = _digits(images)
    found = runs(seeds) if found is None else found
    rng = np.random.default_rng(1)
    parts = [run_part(run, labels, rng) for run in found]
    published = _published()
    if nasty:
        _poison(found, published, pictures)
        parts = [_poisoned(part, run) for part, run in zip(parts, found, strict=True)]
    return Document(
        title=NASTY[0] if nasty else "Handwritten digits: RCL and CueCo against MoCo V2+",
        created="2026-11-21T11:05:00+00:00",
        table=make_table(found, found[0].series, published=published),
        runs=parts,
        images={found[0].dataset: pictures},
    )


def bare_document() -> Document:
    """One run without any part that a run may lack."""
    (run, *_) = runs(1)
    run.epochs = run.seed = None
    run.figures, run.untrained = [], []
    made = document(images=10, found=[run])
    made.runs[0].update(
        images=None,
        curves={},
        embedding=None,
        clusters=[],
        config={},
        reproduce={**dict.fromkeys(made.runs[0]["reproduce"]), "versions": {}},
        history=[],
        missing=["No checkpoint was found, so that nothing can be computed from features."],
    )
    return replace(made, table=make_table([run]), images={})


def _digits(n: int) -> tuple[Images, list[int]]:
    data = load_digits()
    uris = []
    for picture in data.images[:n]:
        buffer = io.BytesIO()
        Image.fromarray((255 - picture * 15.9).astype("uint8")).resize((24, 24)).save(buffer, "PNG")
        uris.append("data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode())
    classes = [f"digit {i}" for i in range(10)]
    return {"classes": classes, "thumbnails": uris}, data.target[:n].tolist()


def _published() -> list[Figure]:
    rows = [("BYOL", "linear", "top1", 92.61), ("BYOL", "linear", "top5", 99.82)]
    rows += [("CueCo", "linear", "top1", 94.0), ("CueCo", "clustering", "nmi", 71.2)]
    return [
        {
            "source": "CueCo paper, table 1",
            "dataset": "digits-placed",
            "method": method,
            "backbone": "resnet18",
            "epochs": 1000,
            "protocol": protocol,
            "metric": metric,
            "value": value,
            "seed": None,
            "run": None,
            "settings": {},
            "evaluation_seed": None,
        }
        for method, protocol, metric, value in rows
    ]


def _poison(found: list[RunFigures], published: list[Figure], images: Images) -> None:
    """Put the nasty strings wherever the table takes a string from outside."""
    images["classes"] = [f"{NASTY[i % 4]} {i}" for i in range(10)]
    images["thumbnails"][1] = "https://example.invalid/x.png"
    published[0].update(source=NASTY[1], method=NASTY[2])
    for i, run in enumerate(found):
        run.id = run.name = f"{NASTY[i % 4]} {i}"
        run.dataset = run.backbone = NASTY[1]
        run.method = run.series = NASTY[i // 3]
        run.config |= {NASTY[0]: NASTY[1], "optimizer.name": NASTY[2]}
        run.missing = list(NASTY)
        run.figures = [{**figure, "dataset": NASTY[1]} for figure in run.figures]
        run.figures.append(figure(run, NASTY[1], NASTY[2], 1.0))
    published[0]["dataset"] = NASTY[1]


def _poisoned(part: Any, run: RunFigures) -> Any:
    """The same for what the page shows of a run."""
    names = ("id", "dataset", "method", "series", "config", "missing")
    made = {
        "command": NASTY[0],
        "commit": NASTY[1],
        "solo_learn": NASTY[2],
        "hardware": NASTY[3],
        "versions": {NASTY[1]: NASTY[0]},
    }
    curves = {**part["curves"], f"loss {NASTY[1]}": part["curves"]["val_acc1"]}
    named = {name: getattr(run, name) for name in names}
    if part["embedding"]:
        part["embedding"]["file"] = [NASTY[i % 4] for i in range(len(part["embedding"]["x"]))]
    named.update(label=f"{NASTY[2]} {run.id}", folder=NASTY[1], images=run.dataset)
    return {**part, **named, "curves": curves, "reproduce": part["reproduce"] | made}
