"""Which runs a report is about."""

from collections.abc import Iterable
from pathlib import Path

from cueco_solo.errors import ConfigError, config_error
from cueco_solo.runs import Run, load_run


def open_runs(folders: Iterable[Path]) -> list[Run]:
    """The runs in the order given, each once; a folder of runs means all pre-trainings below it.

    Raises:
        ConfigError: nothing is given, or a folder is no run and holds none.
    """
    found: dict[Path, Run] = {}
    for folder in folders:
        single = not folder.is_dir() or (folder / "args.json").is_file()
        for run in [_pretraining(folder)] if single else _below(folder):
            found.setdefault(run.folder.resolve(), run)
    if not found:
        raise config_error("RUNS", [], "must be run folders", "give at least one")
    return list(found.values())


def _pretraining(folder: Path) -> Run:
    run = load_run(folder, "RUNS")
    if run.cfg.get("method") is None or run.cfg.get("pretrained_feature_extractor"):
        remedy = "give the run that was evaluated"
        raise config_error("RUNS", str(folder), "is no pre-training", remedy)
    return run


def _below(folder: Path) -> list[Run]:
    runs, problems = [], []
    for path in sorted(folder.rglob("args.json")):
        try:
            runs.append(_pretraining(path.parent))
        except ConfigError as error:
            problems.append(error)
    if not runs:
        raise (
            problems[0]
            if problems
            else config_error(
                "RUNS", str(folder), "holds no run", "give folders with args.json and a checkpoint"
            )
        )
    for problem in problems:
        print(f"left out: {problem}", flush=True)
    return runs
