"""``cueco-solo finetune``: semi-supervised figures of a run folder."""

import argparse
from pathlib import Path
from typing import Any

from cueco_solo.cli.command import add_command
from cueco_solo.cli.session import SHARED, Session, config_arguments, percentage, run_arguments


def add_parsers(commands: Any) -> None:
    parser = add_command(
        commands,
        "finetune",
        run,
        "fine-tune the whole backbone on a share of the labels",
        f"""Fine-tune the whole backbone and a linear head on a share of the training images, with
        the same number of each class, give or take one, and score them on the validation images.
        The seed of the configuration (seed=5) names the images, the same on every machine, and a
        smaller share is part of a larger one; they are listed in
        RUN/subsets/<percent>pct-seed<seed>.txt. {SHARED}""",
        "cueco-solo finetune trained_models/cueco/RUN --percent 1",
        "cueco-solo finetune trained_models/cueco/RUN --percent 10 --untrained seed=6",
        "cueco-solo finetune trained_models/rcl/RUN --percent 1 --subset imagenet-1percent.txt",
    )
    run_arguments(parser)
    parser.add_argument(
        "--percent",
        type=percentage,
        required=True,
        metavar="P",
        help="share of the training images, in (0, 100]; the field's are 1 and 10",
    )
    parser.add_argument(
        "--subset",
        type=Path,
        metavar="FILE",
        help="these images instead, one name or number a line, e.g. a published list",
    )
    config_arguments(parser, "finetune")


def _chosen(args: argparse.Namespace, train: Any, seed: int) -> tuple[list[int], Path]:
    """The images to learn from, and the file that lists them."""
    from cueco_solo.evaluation.subsets import (
        balanced_subset,
        labels_of,
        read_subset,
        write_subset,
    )

    if args.subset:
        return read_subset(args.subset, train, args.percent), args.subset
    chosen = balanced_subset(labels_of(train), args.percent, seed)
    path = args.folder / "subsets" / f"{args.percent:g}pct-seed{seed}.txt"
    write_subset(path, train, chosen)
    return chosen, path


def run(args: argparse.Namespace) -> None:
    """Semi-supervised accuracies of a run."""
    from cueco_solo.evaluation.features import load_backbone
    from cueco_solo.evaluation.finetune import (
        finetune_accuracies,
        finetune_data,
        parse_finetune,
    )

    session = Session(args)
    name, dataset = f"finetune-{args.percent:g}pct", session.data.dataset
    cfg = session.compose(
        f"finetune-{dataset}-{args.percent:g}pct", f"finetune-{dataset}", "finetune-custom"
    )
    train, val = finetune_data(session.data, session.run.cfg.augmentations[0])
    seed = 5 if cfg.get("seed") is None else cfg.seed
    chosen, path = _chosen(args, train, seed)
    parsed = parse_finetune(cfg, len(chosen))

    def compute() -> dict[str, float]:
        if len(chosen) < cfg.optimizer.batch_size:
            print(f"batches of all {len(chosen)} images: there are no {cfg.optimizer.batch_size}")
        backbone = load_backbone(session.run, args.untrained)
        return finetune_accuracies(backbone, parsed, train, val, chosen)

    stated = {"percent": args.percent, "images": len(chosen), "subset": str(path)}
    session.report_training(name, parsed, compute, **stated)
