"""Run solo-learn main's stock programs that aren't Hydra programs, with this package's methods.

usage: python -m cueco_solo.run SCRIPT [ARGS...]

SCRIPT is main_knn.py or main_umap.py of a solo-learn checkout, ARGS are its own (SCRIPT --help).
They run as they are, but also on a machine without a GPU, or with one on a checkpoint that was
trained without; a checkpoint folder that holds several checkpoints means its newest.
main_pretrain.py and main_linear.py need none of this.

example, in a checkout of solo-learn:
  python -m cueco_solo.run main_knn.py --dataset cifar10 --train_data_path datasets \\
    --val_data_path datasets --pretrained_checkpoint_dir trained_models/cueco/RUN \\
    --k 20 --temperature 0.07 --distance_function cosine --feature_type backbone
"""

import runpy
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

from cueco_solo.errors import ConfigError, HostError, config_error

_FOLDER = "--pretrained_checkpoint_dir"
_HYDRA_PROGRAMS = ("main_pretrain.py", "main_linear.py")


def main(argv: Sequence[str] | None = None) -> None:
    """Run the program that the command line names; ends the process on an error."""
    argv = sys.argv[1:] if argv is None else list(argv)
    if argv[:1] in (["-h"], ["--help"]):
        print((__doc__ or "").strip())
        return
    try:
        script = _script(argv)
        with tempfile.TemporaryDirectory() as folder:
            _run(script, _with_one_checkpoint(argv[1:], Path(folder)))
    except (ConfigError, HostError) as error:
        print(f"cueco_solo.run: {error}", file=sys.stderr)
        sys.exit(2)


def _script(argv: Sequence[str]) -> Path:
    """The program to run.

    Raises:
        ConfigError: there is none, or it isn't one for this.
    """
    if not argv:
        raise ConfigError("no script given; usage: python -m cueco_solo.run SCRIPT [ARGS...]")
    script = Path(argv[0]).absolute()
    if not script.is_file():
        remedy = "run this in a solo-learn checkout, or give the script's path"
        raise config_error("SCRIPT", argv[0], "is no file", remedy)
    if script.name in _HYDRA_PROGRAMS:
        allowed = "finds cueco-solo by itself"
        raise config_error("SCRIPT", argv[0], allowed, f"run it as: python {argv[0]} ...")
    return script


def _with_one_checkpoint(args: list[str], folder: Path) -> list[str]:
    """The arguments, in which a checkpoint folder that holds several names one with the newest.

    Raises:
        ConfigError: the checkpoint folder isn't there or lacks what the programs read.
    """
    parser = ArgumentParser(add_help=False)
    parser.add_argument(_FOLDER)
    known, rest = parser.parse_known_args(args)
    if known.pretrained_checkpoint_dir is None:
        return args
    given = Path(known.pretrained_checkpoint_dir)
    checkpoints = sorted(given.glob("*.ckpt"), key=lambda path: path.stat().st_mtime_ns)
    if not checkpoints or not (given / "args.json").is_file():
        raise config_error(
            _FOLDER,
            str(given),
            "must be a folder with args.json and a *.ckpt",
            "give a run's folder, as in trained_models/METHOD/RUN",
        )
    if len(checkpoints) == 1:
        return args
    for file in (given / "args.json", checkpoints[-1]):
        (folder / file.name).symlink_to(file.absolute())
    return [*rest, _FOLDER, str(folder)]


def _run(script: Path, args: list[str]) -> None:
    sys.argv = [str(script), *args]
    sys.path[0] = str(script.parent)  # what `python SCRIPT` has there
    import cueco_solo
    from cueco_solo import host

    if host.FORM != "main":
        path = host.host_info().path
        raise HostError(
            f"{script.name} needs its own solo-learn, but release 1.0.2 at {path} is found first; "
            "run the script that lies in a checkout, or put the checkout on PYTHONPATH"
        )
    cueco_solo.register()
    from cueco_solo.host.main_shims import checkpoints_to_cuda, cuda_means_cpu

    with cuda_means_cpu(), checkpoints_to_cuda():
        runpy.run_path(str(script), run_name="__main__")


if __name__ == "__main__":
    main()
