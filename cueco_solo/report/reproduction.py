"""How to make a run again: command, commit, versions and hardware."""

import shlex
from pathlib import Path
from typing import Any

from cueco_solo.files import read_json
from cueco_solo.report.document import Reproduce
from cueco_solo.training.run_folder import Run

# of environment.json
_KINDS: dict[str, type] = {"versions": dict, "gpus": list, "command": list, "platform": str}
_PACKAGES = ("solo-learn", "cueco-solo")
_PROGRAMS = ("cueco-solo", "cueco-solo.exe")


def reproduce(run: Run) -> tuple[Reproduce, list[str]]:
    """How to make the run again, and sentences on what isn't known of it.

    The command is that of ``environment.json`` if it was a pre-training; a run of another command,
    as one of a comparison, is made again from its ``config.yaml``.
    """
    environment, problem = _environment(run.folder / "environment.json")
    composed = (run.folder / "config.yaml").is_file()
    versions = dict(environment.get("versions", {}))
    solo, ours = versions.pop("solo-learn", None) or {}, versions.pop("cueco-solo", None) or {}
    seed = environment.get("seed", run.cfg.get("seed"))
    if ours.get("version"):
        versions["cueco-solo"] = ours["version"]
    made = Reproduce(
        command=_command(environment.get("command"), run.folder if composed else None),
        seed=seed,
        commit=ours.get("commit"),
        solo_learn=_solo_learn(solo),
        versions={name: str(version) for name, version in versions.items() if version},
        hardware=_hardware(environment),
    )
    return made, problem


def _environment(path: Path) -> tuple[dict[str, Any], list[str]]:
    if not path.is_file():
        return {}, [
            "How to reproduce: there is no environment.json, so command, commit and versions are "
            "unknown; cueco-solo pretrain writes it, solo-learn's own programs don't."
        ]
    try:
        content = read_json(path)
        if not isinstance(content, dict) or not all(
            isinstance(content.get(key, kind()), kind) for key, kind in _KINDS.items()
        ):
            raise ValueError("it isn't what a pre-training writes")
        versions, gpus = content.get("versions", {}), content.get("gpus", [])
        if not all(isinstance(name, str) for name in gpus):
            raise ValueError("it isn't what a pre-training writes")
        if not all(isinstance(versions.get(key) or {}, dict) for key in _PACKAGES):
            raise ValueError("it isn't what a pre-training writes")
        return content, []
    except (OSError, ValueError) as error:
        return {}, [f"How to reproduce: environment.json can't be read ({error})."]


def _command(argv: Any, folder: Path | None) -> str | None:
    if isinstance(argv, list) and len(argv) > 1 and argv[1] == "pretrain":
        program = Path(str(argv[0]))
        # python -m cueco_solo.cli has the module's path there
        if program.name in _PROGRAMS or program.match("cueco_solo/cli/__main__.py"):
            return shlex.join(["cueco-solo", *map(str, argv[1:])])
    if folder is None:
        return None
    options = ["--config-path", str(folder), "--config-name", "config"]
    return shlex.join(["cueco-solo", "pretrain", *options])


def _solo_learn(solo: dict[str, Any]) -> str | None:
    if not solo.get("version"):
        return None
    commit = f" ({solo['commit']})" if solo.get("commit") else ""
    return f"{solo.get('form') or ''} {solo['version']}{commit}".strip()


def _hardware(environment: dict[str, Any]) -> str | None:
    gpus = environment.get("gpus") or []
    counted = [f"{gpus.count(name)} x {name}" for name in dict.fromkeys(gpus)] or ["no GPU"]
    cpus = [f"{environment['cpus']} CPUs"] if environment.get("cpus") else []
    platform = environment.get("platform")
    return ", ".join([platform, *cpus, *counted]) if platform else None
