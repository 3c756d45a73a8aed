"""What ``cueco-solo finetune`` does, see :mod:`.evaluate`: at fixed rates, or those that suit."""

import argparse
import math
from pathlib import Path
from typing import Any

RATES = (0.005, 0.01, 0.02, 0.05, 0.1)  # SynCo's, by CueCo's author, of the backbone
CLASSIFIER_RATES = (0.05, 0.5, 5.0)  # ours, around SynCo's 0.5
_CHOICES = {"held-out": "", "validation": "-on-validation"}


def usual_epochs(percent: float) -> int:
    """Epochs for a share of the labels: 60 for 1 % and less, 30 for 10 % and more.

    These are SimCLR's and SynCo's. Between them it is half as many for ten times the images.
    """
    return round(60 * 2 ** -math.log10(min(max(percent, 1.0), 10.0)))


def _subset(args: argparse.Namespace, train: Any, seed: int) -> tuple[list[int], Path]:
    """The images to learn from, and the file that lists them.

    Raises:
        ConfigError: the file can't be used, or the share is no image at all.
    """
    from cueco_solo.errors import config_error
    from cueco_solo.evaluation import subsets

    if args.subset:
        return subsets.read_subset(args.subset, train, args.percent), args.subset
    labels = subsets.labels_of(train)
    share = round(args.percent * len(labels) / 100)
    if share == 0:
        reason = f"of the {len(labels)} training images is less than one image"
        raise config_error("--percent", args.percent, reason, "raise it")
    chosen = subsets.balanced_subset(labels, args.percent, seed)
    if share < len(chosen):
        print(f"one image of each of {len(chosen)} classes: {args.percent:g} % are only {share}")
    path = args.folder / "subsets" / f"{args.percent:g}pct-seed{seed}.txt"
    subsets.write_subset(path, train, chosen)
    return chosen, path


def run_finetune(args: argparse.Namespace) -> None:
    """Semi-supervised accuracies of a run."""
    from cueco_solo.evaluation.checks import check_finetune_sweep
    from cueco_solo.evaluation.run_evaluation import RunEvaluation
    from cueco_solo.evaluation.subsets import read_names

    check_finetune_sweep(args)
    evaluation = RunEvaluation(args)
    if args.subset:
        read_names(args.subset)
    name, dataset = f"finetune-{args.percent:g}pct", evaluation.data.dataset
    ours = args.config_path is None
    cfg = evaluation.compose(
        f"finetune-{dataset}-{args.percent:g}pct",
        f"finetune-{dataset}",
        "finetune-custom",
        finetune=True,
        values={"max_epochs": usual_epochs(args.percent)} if ours else {},
    )
    if args.sweep:
        from cueco_solo.evaluation.checks import check_one_schedule

        check_one_schedule(cfg)
    from cueco_solo.evaluation.features import load_backbone
    from cueco_solo.evaluation.finetune import finetune_accuracies, finetune_data, parse_finetune

    train, val = finetune_data(evaluation.data, evaluation.run.cfg.augmentations[0])
    seed = 5 if cfg.get("seed") is None else cfg.seed
    chosen, path = _subset(args, train, seed)
    parsed = parse_finetune(cfg, len(chosen))
    stated = {"percent": args.percent, "images": len(chosen), "subset": str(path)}
    if args.sweep:
        return _run_sweep(args, evaluation, cfg, parsed, (train, val), chosen, stated)

    def compute() -> dict[str, float]:
        if len(chosen) < cfg.optimizer.batch_size:
            print(f"batches of all {len(chosen)} images: there are no {cfg.optimizer.batch_size}")
        backbone = load_backbone(evaluation.run, args.untrained)
        return finetune_accuracies(backbone, parsed, train, val, chosen, evaluation.images)

    evaluation.report_training(name, parsed, compute, **stated)


def _run_sweep(
    args: argparse.Namespace,
    evaluation: Any,
    cfg: Any,
    parsed: Any,
    data: tuple[Any, Any],
    chosen: list[int],
    stated: dict[str, Any],
) -> None:
    """Accuracies with the pair of learning rates that suits the run best."""
    from omegaconf import OmegaConf

    from cueco_solo.evaluation.features import load_backbone
    from cueco_solo.evaluation.finetune import unaugmented_images
    from cueco_solo.evaluation.finetune_sweep import HELD_OUT, FinetuneSweep
    from cueco_solo.evaluation.tried_before import TriedBefore
    from cueco_solo.training.environment import versions

    train, val = data
    choose = args.choose or "held-out"
    rates = sorted(set(args.learning_rate or RATES))
    classifier_rates = sorted(set(args.classifier_rate or CLASSIFIER_RATES))
    notes: dict[str, str] = {}
    details: dict[str, Any] = {}
    key = {
        "figures": evaluation.key(),
        "cfg": OmegaConf.to_container(cfg),
        "images": chosen,
        "choose": choose,
        "versions": versions(),
    }
    before = TriedBefore(args.folder, key)

    def compute() -> dict[str, float]:
        view = evaluation.run.cfg.augmentations[0]
        plain = unaugmented_images(evaluation.data, view) if choose == "held-out" else None
        backbone = load_backbone(evaluation.run, args.untrained)
        sweep = FinetuneSweep(backbone, cfg, train, plain, val, chosen, before)
        results, choice = sweep.run(rates, classifier_rates, evaluation.images)
        notes["top1"], details["sweep"] = f"at {choice}", choice.stated()
        return results

    grid: dict[str, Any] = {"rates": rates, "classifier_rates": classifier_rates}
    grid["chosen_on"] = choose
    if choose == "held-out":
        grid["held_out_percent"] = HELD_OUT
    shown = parsed.copy()
    kept = ("name", "batch_size", "weight_decay", "kwargs")
    shown.optimizer = {key: parsed.optimizer[key] for key in kept}
    name = f"finetune-{args.percent:g}pct-sweep{_CHOICES[choose]}"
    evaluation.report_training(name, shown, compute, notes, details, **stated, **grid)
    before.remove()
