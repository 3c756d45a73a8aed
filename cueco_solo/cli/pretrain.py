"""``cueco-solo pretrain``: what solo-learn's ``main_pretrain.py`` does, without a checkout."""

import argparse
from typing import Any

from cueco_solo.arguments import WAIT, add_command


def add_parsers(commands: Any) -> None:
    parser = add_command(
        commands,
        "pretrain",
        run,
        "train a method of this package or of solo-learn",
        """Train a method from a Hydra configuration. The run folder, <checkpoint.dir>/<method>/
        <name>-seed<seed>-<hash>, gets the configuration, the environment, the metrics and the
        checkpoints.""",
        "cueco-solo pretrain --config-name cueco-cifar10 data.train_path=datasets",
        "cueco-solo pretrain --config-name cueco-custom data.train_path=photos/train \\\n"
        "    hardware=cpu max_epochs=10 method_kwargs.num_clusters=20",
        "cueco-solo pretrain --config-name cueco-custom data.train_path=photos \\\n"
        "    data.no_labels=True --skip-unreadable",
        "cueco-solo pretrain --config-name cueco-cifar10 hardware=cpu devices=2 strategy=ddp --cfg",
    )
    parser.add_argument(
        "--config-name", metavar="NAME", help="required; one of ours, or a file in --config-path"
    )
    parser.add_argument("--config-path", metavar="DIR", help="folder of your own configurations")
    parser.add_argument(
        "--cfg", action="store_true", help="print the resolved configuration and exit"
    )
    parser.add_argument("--wait", action="store_true", help=WAIT)
    parser.add_argument(
        "--skip-unreadable",
        action="store_true",
        help="leave out images that can't be read (data.skip_unreadable=True)",
    )
    parser.add_argument(
        "overrides", nargs="*", metavar="KEY=VALUE", help="Hydra overrides, e.g. max_epochs=10"
    )


def run(args: argparse.Namespace) -> int:
    """Compose the configuration, then print it or train it."""
    from omegaconf import OmegaConf

    from cueco_solo.training.compose import compose_config

    skipping = ["data.skip_unreadable=True"] if args.skip_unreadable else []
    cfg = compose_config(args.config_name, args.config_path, [*args.overrides, *skipping])
    if args.cfg:
        print(OmegaConf.to_yaml(cfg, resolve=True), end="")
        return 0
    from cueco_solo.training.pretrain import pretrain

    pretrain(cfg, args.wait)
    return 0
