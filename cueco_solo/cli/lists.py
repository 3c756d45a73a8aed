"""``cueco-solo list``: the names that other commands take, and the runs that there are."""

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from cueco_solo.arguments import add_command


def add_parsers(commands: Any) -> None:
    parser = add_command(
        commands,
        "list",
        run,
        "list methods, configurations, runs or grids",
        """List what there is: methods, ours, those of other packages and solo-learn's;
        configurations for pretrain; runs in a folder, with how far they are; grids for compare.""",
        "cueco-solo list configs",
        "cueco-solo list runs trained_models",
    )
    parser.add_argument("kind", choices=tuple(_KINDS), help="what to list")
    parser.add_argument(
        "folder",
        nargs="?",
        type=Path,
        default=Path("trained_models"),
        metavar="DIR",
        help="of the runs",
    )
    parser.add_argument(
        "--config-path",
        metavar="DIR",
        help="folder of your own configurations (default: those of this package)",
    )


def run(args: argparse.Namespace) -> None:
    """Print a table."""
    head, rows = _KINDS[args.kind](args)
    _print([head, *rows])


def _print(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())


def _methods(args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Sequence[str]]]:
    import cueco_solo
    from cueco_solo.host import host_info, method_names
    from cueco_solo.methods import NAMES, found_methods

    cueco_solo.register()
    others = {name: point.value.partition(":")[0] for name, point in found_methods().items()}
    origin = {**dict.fromkeys(NAMES, "cueco-solo"), **others}
    stock = f"solo-learn ({host_info().form})"
    names = [*NAMES, *others, *(name for name in method_names() if name not in origin)]
    return ("method", "from"), [(name, origin.get(name, stock)) for name in names]


def _configs(args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Sequence[str]]]:
    from omegaconf import OmegaConf

    from cueco_solo.training.compose import compose_config, config_names

    rows = []
    for name in config_names(args.config_path, linear=False):
        cfg = compose_config(name, args.config_path, ())
        keys = ("method", "data.dataset", "backbone.name", "max_epochs")
        values = [OmegaConf.select(cfg, key, throw_on_missing=False) for key in keys]
        rows.append((name, *("" if value is None else str(value) for value in values)))
    return ("configuration", "method", "data", "backbone", "epochs"), rows


def _runs(args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Sequence[str]]]:
    from cueco_solo.results.figures import dataset_name, epochs
    from cueco_solo.training.run_folder import open_runs

    rows = []
    for each in open_runs([args.folder]):
        cfg, evaluated = each.cfg, len(list(each.folder.glob("eval-*.json")))
        of = f"{epochs(each)} of {cfg.get('max_epochs') or '?'}"
        row = (cfg.method, dataset_name(cfg.data), cfg.backbone.name, cfg.seed, of, evaluated)
        rows.append((*map(str, row), str(each.folder)))
    return ("method", "data", "backbone", "seed", "epochs", "evaluations", "run folder"), rows


def _grids(args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Sequence[str]]]:
    from cueco_solo.comparison.grid import packaged_grids, read_grid

    rows = []
    for name in packaged_grids():
        grid = read_grid(name)
        methods = "; ".join(method.name for method in grid.methods)
        rows.append((name, ", ".join(grid.data) or "its own", str(len(grid.seeds)), methods))
    return ("grid", "data", "seeds", "methods"), rows


_KINDS = {"methods": _methods, "configs": _configs, "runs": _runs, "grids": _grids}
