"""``cueco-solo pretrain``: what solo-learn's ``main_pretrain.py`` does, without a checkout."""

import argparse
import sys
from pathlib import Path
from typing import Any

from cueco_solo.arguments import WAIT, add_command
from cueco_solo.errors import config_error


def add_parsers(commands: Any) -> None:
    parser = add_command(
        commands,
        "pretrain",
        run,
        "train a method of this package or of solo-learn",
        """Train a method from a Hydra configuration. The run folder, <checkpoint.dir>/<method>/
        <name>-seed<seed>-<hash>, gets the configuration, the environment, the metrics and the
        checkpoints.""",
        "cueco-solo pretrain cueco-cifar10 data.train_path=datasets",
        "cueco-solo pretrain cueco-custom data.train_path=photos/train \\\n"
        "    hardware=cpu max_epochs=10 method_kwargs.num_clusters=20",
        "cueco-solo pretrain cueco-custom data.train_path=photos \\\n"
        "    data.no_labels=True --skip-unreadable",
        "cueco-solo pretrain cueco-cifar10 hardware=cpu devices=2 strategy=ddp --cfg",
    )
    parser.add_argument(
        "--config-name",
        metavar="NAME",
        help="the configuration, if it isn't the first word (no default)",
    )
    parser.add_argument(
        "--config-path",
        metavar="DIR",
        help="folder of your own configurations (default: those of this package)",
    )
    parser.add_argument(
        "--cfg",
        action="store_true",
        help="print the resolved configuration, say what a run would refuse, and exit",
    )
    parser.add_argument("--wait", action="store_true", help=WAIT)
    parser.add_argument(
        "--skip-unreadable",
        action="store_true",
        help="leave out images that can't be read (data.skip_unreadable=True)",
    )
    overrides = parser.add_argument(
        "overrides",
        nargs="*",
        metavar="CONFIG | KEY=VALUE",
        help="the configuration: a name of cueco-solo list configs, one in --config-path, or a "
        "YAML file; and Hydra overrides, e.g. max_epochs=10",
    )
    overrides.completer = _names  # type: ignore[attr-defined]


def _names(parsed_args: argparse.Namespace, **_: Any) -> list[str]:
    """For the shell's completion."""
    from cueco_solo.training.compose import config_names

    return config_names(parsed_args.config_path, linear=False)


def _configuration(args: argparse.Namespace) -> tuple[str | None, str | None, list[str]]:
    """Name and folder of the configuration, and the overrides.

    Raises:
        ConfigError: there are two of them.
    """
    named = [word for word in args.overrides if "=" not in word and not word.startswith("~")]
    if not named:
        return args.config_name, args.config_path, args.overrides
    overrides = [word for word in args.overrides if word not in named]
    if args.config_name or len(named) > 1:
        both = [*filter(None, [args.config_name]), *named]
        allowed = "must be one configuration, and overrides KEY=VALUE"
        raise config_error("CONFIG", " ".join(both), allowed)
    path = Path(named[0])
    if path.suffix in (".yaml", ".yml") and path.is_file() and not args.config_path:
        return path.stem, str(path.parent), overrides
    return named[0], args.config_path, overrides


def run(args: argparse.Namespace) -> int:
    """Compose the configuration, then print it or train it."""
    from omegaconf import OmegaConf

    from cueco_solo.training.compose import compose_config

    skipping = ["data.skip_unreadable=True"] if args.skip_unreadable else []
    name, folder, overrides = _configuration(args)
    cfg = compose_config(name, folder, [*overrides, *skipping])
    if args.cfg:
        print(OmegaConf.to_yaml(cfg, resolve=True), end="", flush=True)
    from cueco_solo.training.pretrain import check_model, pretrain

    if args.cfg:
        if warning := check_model(cfg):
            print(warning, file=sys.stderr, flush=True)
        return 0
    pretrain(cfg, args.wait)
    return 0
