"""``cueco-solo quickstart``: CueCo beside two methods of solo-learn, on data that is at hand."""

import argparse
import json
import time
from pathlib import Path
from typing import Any

from cueco_solo.cli.command import add_command

_METHODS = {"simclr": "SimCLR", "mocov2plus": "MoCo V2+", "cueco": "CueCo"}
_DATA = Path("datasets/digits-placed")
_FIGURES = ("linear top-1", "20-NN", "NMI", "ACC")
_BATCH_SIZE = 256


def add_parsers(commands: Any) -> None:
    parser = add_command(
        commands,
        "quickstart",
        run,
        "compare CueCo, MoCo V2+ and SimCLR on handwritten digits, in minutes",
        f"""Write digits-placed to {_DATA}, pre-train SimCLR, MoCo V2+ and CueCo on it, and evaluate
        each of them and an untrained backbone in the same way. Finished runs and figures are
        reused; an interrupted run goes on after its last epoch.""",
        "cueco-solo quickstart",
        "cueco-solo quickstart seed=6",
        "cueco-solo quickstart max_epochs=2",
    )
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="KEY=VALUE",
        help="Hydra overrides of every pre-training, e.g. max_epochs=2",
    )


def run(args: argparse.Namespace) -> None:
    """Train, evaluate, print the table."""
    from cueco_solo.cli.compose import compose_config
    from cueco_solo.cli.fit import pretrain
    from cueco_solo.data.digits import export_digits
    from cueco_solo.runs import load_run

    start = time.monotonic()
    overrides = ["auto_resume.enabled=True", *args.overrides]
    cfgs = {m: compose_config(f"{m}-digits-placed", None, overrides) for m in _METHODS}
    export_digits(_DATA, placed=True)

    rows: list[tuple[str, ...]] = []
    folders: list[str] = []
    for number, (method, name) in enumerate(_METHODS.items(), 1):
        print(f"[{number}/{len(_METHODS)}] {name}", flush=True)
        trained = load_run(pretrain(cfgs[method]))
        if not rows:  # the same for every method: the seed alone decides it
            rows.append(("untrained", *_figures(trained, untrained=True), "-"))
        rows.append((name, *_figures(trained, untrained=False), f"{_seconds(trained):.0f}"))
        folders.append(f"{name:10}{trained.folder}")
    print("\nFrozen features, in percent, after so many seconds of pre-training:\n")
    print(_table([("digits-placed", *_FIGURES, "seconds"), *rows]))
    print("\nrun folders:", *folders, sep="\n  ")
    print(f"\ndone in {time.monotonic() - start:.0f} seconds")


def _table(rows: list[tuple[str, ...]]) -> str:
    """First column to the left, figures to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def _seconds(trained: Any) -> float:
    """Time in training, summed over the parts of an interrupted run."""
    from cueco_solo.checkpoints import read_checkpoint

    timer = read_checkpoint(trained.checkpoint, "RUN")["callbacks"]["Timer"]
    return timer["time_elapsed"]["train"]


def _figures(trained: Any, untrained: bool) -> list[str]:
    """One row: computed, or read where it has been for this very checkpoint."""
    from omegaconf import DictConfig, OmegaConf

    from cueco_solo.cli.compose import compose_config
    from cueco_solo.evaluation.features import evaluation_data
    from cueco_solo.evaluation.figures import write_figures
    from cueco_solo.evaluation.linear import parse_linear

    data = evaluation_data(trained)
    paths = {f"data.{key}": data[key] for key in ("train_path", "val_path")}
    cfg = parse_linear(compose_config("linear-digits-placed", None, [], linear=True, values=paths))
    keys = ("data", "max_epochs", "optimizer", "scheduler", "seed")
    settings = OmegaConf.to_container(DictConfig({key: cfg[key] for key in keys}))

    path = trained.folder / f"eval-quickstart{'-untrained' if untrained else ''}.json"
    content = json.loads(path.read_text()) if path.is_file() else {}
    checkpoint = None if untrained else trained.checkpoint.name
    if (content.get("checkpoint"), content.get("settings")) != (checkpoint, settings):
        results = _evaluate(trained, data, cfg, untrained)
        write_figures(trained, "quickstart", results, dict(settings), untrained)  # type: ignore[arg-type]
        content = {"results": results}
    return [f"{content['results'][figure]:.1f}" for figure in _FIGURES]


def _evaluate(trained: Any, data: Any, cfg: Any, untrained: bool) -> dict[str, float]:
    """What ``linear --cached``, ``knn`` and ``cluster`` find, from features extracted once."""
    import torch

    from cueco_solo.evaluation.cache import cached_features
    from cueco_solo.evaluation.cluster import cluster_scores
    from cueco_solo.evaluation.knn import knn_accuracies
    from cueco_solo.evaluation.linear import cached_linear_accuracies

    device = "cuda" if torch.cuda.is_available() else "cpu"
    features = cached_features(trained, data, untrained, _BATCH_SIZE, data.num_workers, device)
    clusters = cluster_scores(features)
    figures = (
        cached_linear_accuracies(features, cfg)["top1"],
        knn_accuracies(features, [20])["cosine_20_top1"],
        clusters["nmi"],
        clusters["acc"],
    )
    return dict(zip(_FIGURES, figures, strict=True))
