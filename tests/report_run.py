"""A run of a report as a real one looks, without training."""

from pathlib import Path
from typing import Any

import numpy as np

from cueco_solo.report.document import Cluster, Curve, Embedding, RunPart
from cueco_solo.report.features import nearest
from cueco_solo.results.figures import Figure
from cueco_solo.results.runs import RunFigures

QUALITY = {"mocov2plus": 0.55, "cueco": 0.62, "rcl": 0.7}
STEPS = list(range(0, 2201, 50))
SHARES = {
    ("linear", "top1"): 1.25,
    ("linear", "top5"): 1.38,
    ("linear-online", "top1"): 1.2,
    ("knn", "knn20"): 1.15,
    ("knn", "knn100"): 1.1,
    ("knn", "knn200"): 1.05,
    ("knn", "knn20-euclidean"): 1.13,
    ("clustering", "nmi"): 0.8,
    ("clustering", "ami"): 0.78,
    ("clustering", "ari"): 0.6,
    ("clustering", "acc"): 0.9,
    ("clustering", "rankme_test"): 0.5,
}


def figure(run: RunFigures, protocol: str, metric: str, value: float, **other: Any) -> Figure:
    """A figure of ours of a run."""
    names = ("dataset", "backbone", "epochs", "seed")
    made = {
        "source": "ours",
        "method": run.series,
        "protocol": protocol,
        "metric": metric,
        "value": value,
        "run": str(run.folder),
        "settings": {},
        "evaluation_seed": None,
        **{name: getattr(run, name) for name in names},
    }
    return Figure(**{**made, **other})  # type: ignore[typeddict-item]


def run_figures(method: str, seed: int, rng: np.random.Generator) -> RunFigures:
    """What the tables see of a run."""
    quality = QUALITY[method] + 0.02 * float(rng.standard_normal())
    name = f"{method}-digits-placed"
    run = RunFigures(
        id=f"{name}-seed{seed}-{rng.integers(16**6):06x}",
        folder=Path(f"trained_models/{method}/{name}-seed{seed}"),
        name=name,
        method=method,
        series=method,
        dataset="digits-placed",
        backbone="resnet18",
        epochs=100,
        seed=seed,
        config=_config(method, seed),
        missing=[] if method == "rcl" else ["Companions by level are for RCL alone."],
    )
    shares = {**SHARES, ("semi-supervised-10pct", "top1"): 1.0} if seed == 5 else SHARES
    run.figures = [
        figure(run, *key, min(99.9, 100 * quality * share + float(rng.standard_normal())))
        for key, share in shares.items()
    ]
    return run


def run_part(run: RunFigures, labels: list[int], rng: np.random.Generator) -> RunPart:
    """What the page shows of it."""
    quality = QUALITY[run.method]
    part = RunPart(
        id=run.id,
        folder=str(run.folder),
        label=f"{run.series} · seed {run.seed}",
        series=run.series,
        method=run.method,
        dataset=run.dataset,
        images=run.dataset,
        curves=_curves(run.method, quality, rng),
        steps_per_epoch=22.0,
        embedding=_embedding(quality, labels, rng),
        clusters=[_clusters("K-means", 10, quality, labels, rng)],
        companions=_companions(labels, rng) if run.method == "rcl" else [],
        config=dict(run.config),
        reproduce=_reproduce(run.name, run.seed or 0),
        history=[f"Started on a <{run.name}>.", "Ended."],
        missing=list(run.missing),
    )
    if run.method == "cueco":  # as if it had labels of its own
        part["clusters"].append(_clusters("Own labels", 30, quality, labels, rng))
    return part


def _curves(method: str, quality: float, rng: np.random.Generator) -> dict[str, Curve]:
    t = np.array(STEPS) / STEPS[-1]
    fall = np.exp(-4 * t)
    shapes = {
        "val_acc1": 100 * quality * 1.2 * (1 - 0.85 * fall),
        "train_acc1_epoch": 100 * quality * (1 - 0.9 * fall),
        "online_nmi": 80 * quality * (1 - fall),
        "online_rankme": 60 * quality * (1 - fall),
        "train_class_loss_epoch": 0.4 + 2 * fall,
        "train_nce_loss_epoch": 5 + 2 * fall,
        "train_alignment": 0.3 + 0.3 * fall + 0.1 * (1 - quality),
        "train_uniformity": -3.4 * quality * (1 - fall),
        "lr-AdamW/backbone": 0.002 * np.cos(t * 1.5),
    }
    if method == "cueco":
        shapes["train_centroid_loss_epoch"] = 1 + fall
        shapes["cluster_active"] = 10 - 4 * fall
        shapes["cluster_perplexity"] = 9 - 5 * fall
    if method == "rcl":
        shapes["hierarchy_clusters_level2"] = 40 + 60 * fall
    noise = {name: 0.01 * np.ptp(value) for name, value in shapes.items()}
    return {
        name: {
            "step": STEPS,
            "value": (value + noise[name] * rng.standard_normal(len(t))).round(5).tolist(),
        }
        for name, value in shapes.items()
    }


def _embedding(quality: float, labels: list[int], rng: np.random.Generator) -> Embedding:
    centres = 40 * rng.standard_normal((10, 2))
    points = centres[labels] + (30 * (1 - quality)) * rng.standard_normal((len(labels), 2))
    return {
        "algorithm": "t-SNE",
        "x": points[:, 0].round(2).tolist(),
        "y": points[:, 1].round(2).tolist(),
        "label": labels,
        "image": list(range(len(labels))),
        "file": [f"{label}/{i}.png" for i, label in enumerate(labels)],
        "near": nearest(points, 5),
        "cluster": [label % 7 for label in labels],
    }


def _clusters(
    name: str, number: int, quality: float, labels: list[int], rng: np.random.Generator
) -> Any:
    assigned = [c if rng.random() < quality else int(rng.integers(number)) for c in labels]
    matrix = np.zeros((number, 10), int)
    np.add.at(matrix, (assigned, labels), 1)
    lowest: list[Cluster] = []
    for cluster in range(number):
        share = matrix[cluster] / max(1, matrix[cluster].sum())
        members = [i for i, c in enumerate(assigned) if c == cluster]
        lowest.append(
            {
                "cluster": cluster,
                "size": len(members),
                "entropy": float(-(share * np.log(share + 1e-12)).sum()),
                "images": members[:9],
            }
        )
    lowest.sort(key=lambda item: item["entropy"])
    return {
        "name": name,
        "lowest_entropy": lowest[:6],
        "matrix": matrix.tolist(),
        "order": [int(i) for i in rng.permutation(number)],
    }


def _companions(labels: list[int], rng: np.random.Generator) -> list[Any]:
    found = []
    for image in range(4):
        alike = [i for i, c in enumerate(labels) if c == labels[image] and i != image]
        other = rng.integers(len(labels), size=6).tolist()
        found.append(
            {
                "image": image,
                "levels": [
                    {"level": 2, "size": 12, "images": alike[:9]},
                    {"level": 3, "size": 57, "images": (alike[:3] + other)[:9]},
                ],
            }
        )
    return found


def _config(method: str, seed: int) -> dict[str, Any]:
    own = {"cueco": {"num_clusters": "10"}, "rcl": {"num_levels": "3"}}.get(method, {})
    return {
        "method": method,
        "seed": str(seed),
        "name": f"{method}-digits-placed",
        "max_epochs": "100",
        "optimizer.name": "adamw",
        "optimizer.lr": "0.002",
        "method_kwargs.temperature": "0.2" if method == "mocov2plus" else "0.1",
        **{f"method_kwargs.{key}": value for key, value in own.items()},
    }


def _reproduce(name: str, seed: int) -> Any:
    return {
        "command": f"cueco-solo pretrain {name} seed={seed} 'data.train_path=./my data/train'",
        "seed": seed,
        "commit": "7bb1e4e5841d6f15a42e4914109b910fe6b0a0ef",
        "solo_learn": "release 1.0.2",
        "versions": {"python": "3.11.7", "torch": "2.15.0", "lightning": "2.6.6"},
        "hardware": "Linux-6.18-x86_64, 2 CPUs, no GPU",
    }
