"""A report's document as a real one looks, without training; on demand with nasty strings."""

import base64
import io

import numpy as np
from PIL import Image
from report_run import QUALITY, figure, run_part
from sklearn.datasets import load_digits

from cueco_solo.report.document import Comparison, Document, Figure, Images

# Each would set window.pwned, load something or break the page if it were taken for markup.
NASTY = (
    "</script><script>window.pwned=1</script>",
    "<img src=x onerror='window.pwned=2'>",
    "\"><svg onload=window.pwned=3> ' & <!-- {{ 7*7 }} %{x} \u2028 \u2029",
    '<a href="javascript:window.pwned=4">click</a>',
)


def document(seeds: int = 3, images: int = 120, nasty: bool = False) -> Document:
    """Three methods with ``seeds`` runs each on ``images`` test images."""
    pictures, labels = _digits(images)
    rng = np.random.default_rng(0)
    runs = [
        run_part(method, seed, labels, rng) for method in QUALITY for seed in range(5, 5 + seeds)
    ]
    made: Document = {
        "title": "Handwritten digits: RCL and CueCo against MoCo V2+",
        "created": "2026-11-21T11:05:00+00:00",
        "runs": runs,
        "images": {"digits-placed": pictures},
        "published": _published(),
        "baseline": "mocov2plus",
        "comparisons": _comparisons(),
    }
    return _poison(made) if nasty else made


def bare_document() -> Document:
    """One run without any part that a run may lack."""
    made = document(seeds=1, images=10)
    run = made["runs"][0]
    run |= {
        "epochs": None,
        "seed": None,
        "images": None,
        "figures": [],
        "curves": {},
        "embedding": None,
        "clusters": [],
        "config": {},
        "reproduce": {
            "command": None,
            "seed": None,
            "commit": None,
            "solo_learn": None,
            "versions": {},
            "hardware": None,
        },
        "missing": ["No checkpoint was found, so that nothing can be computed from features."],
    }
    return made | {  # type: ignore[return-value]
        "runs": [run],
        "images": {},
        "published": [],
        "baseline": None,
        "comparisons": [],
    }


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
            "dataset": "cifar10",
            "method": method,
            "backbone": "resnet18",
            "epochs": 1000,
            "protocol": protocol,
            "metric": metric,
            "value": value,
            "seed": None,
            "run": None,
        }
        for method, protocol, metric, value in rows
    ]


def _comparisons() -> list[Comparison]:
    rows: list[tuple[str, str, str, float, float | None, float | None]] = [
        ("cueco", "linear", "top1", 8.2, 2.9, 13.5),
        ("cueco", "clustering", "nmi", 4.1, -1.2, 9.4),
        ("rcl", "linear", "top1", 17.9, None, None),
    ]
    return [
        {
            "dataset": "digits-placed",
            "method": method,
            "protocol": protocol,
            "metric": metric,
            "seeds": 1 if low is None else 3,
            "difference": difference,
            "low": low,
            "high": high,
        }
        for method, protocol, metric, difference, low, high in rows
    ]


def _poison(made: Document) -> Document:
    """Puts the nasty strings wherever the document takes a string from outside."""
    made["title"] = NASTY[0]
    made["images"]["digits-placed"]["classes"] = [f"{NASTY[i % 4]} {i}" for i in range(10)]
    made["images"]["digits-placed"]["thumbnails"][1] = "https://example.invalid/x.png"
    made["published"][0] |= {"source": NASTY[1], "method": NASTY[2], "protocol": NASTY[3]}
    made["comparisons"][0] |= {"method": NASTY[1], "metric": NASTY[0]}
    made["baseline"] = NASTY[2]
    for i, run in enumerate(made["runs"]):
        run["id"] = run["name"] = f"{NASTY[i % 4]} {i}"
        run["folder"] = run["backbone"] = run["dataset"] = NASTY[(i + 1) % 4]
        run["method"] = NASTY[(i + 2) % 4]
        run["config"] |= {NASTY[0]: NASTY[1], "optimizer.name": NASTY[2]}
        run["missing"] = list(NASTY)
        run["curves"][f"loss {NASTY[1]}"] = run["curves"]["val_acc1"]
        run["reproduce"] |= {
            "command": NASTY[0],
            "commit": NASTY[1],
            "solo_learn": NASTY[2],
            "hardware": NASTY[3],
            "versions": {NASTY[1]: NASTY[0]},
        }
        run["figures"].append(figure(dict(run), NASTY[1], NASTY[2], 1.0))
    return made
