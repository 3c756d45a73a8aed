"""User errors are reported, and help is printed, before libraries that take seconds to import."""

import json
from pathlib import Path

from gathering import copied
from support import python

OLD_RUN = Path(__file__).parents[1] / "fixtures" / "written_by_0.1.0" / "cueco"
SLOW = "lightning sklearn solo timm torch torchvision"
# command line, what the message says
ERRORS = {
    "knn nowhere": "RUN='nowhere' must be a run folder",
    "knn run --train-path nowhere": "--train-path='nowhere' doesn't exist",
    "linear nowhere --cached": "RUN='nowhere' must be a run folder",
    "linear run --config-name linear-cus": "choose one of linear-custom",
    "linear run --config-path nowhere": "--config-path='nowhere' must be a folder",
    "linear run max_epoch=3": "max_epoch=3 is no known key; did you mean max_epochs",
    "linear run optimizer.lr=abc": "optimizer.lr='abc' must be a number",
    "linear run mixup=0.2": "mixup=0.2 is beyond a linear evaluation",
    "linear run --weight-decay 0": "--weight-decay=[0.0] goes with --sweep",
    "linear run --sweep optimizer.lr=1": "optimizer.lr='1' is chosen by --sweep",
    "fewshot nowhere": "RUN='nowhere' must be a run folder",
    "cluster nowhere": "RUN='nowhere' must be a run folder",
    "cluster run --superclasses": "--superclasses=True is for data.dataset=cifar100",
    "finetune nowhere --percent 1": "RUN='nowhere' must be a run folder",
    "finetune run --percent 1 --subset none.txt": "--subset='none.txt' can't be read",
    "finetune run --percent 1 seed=-1": "seed=-1 must be",
    "finetune run --percent 50 finetune=False": "finetune=False is another evaluation; run cueco-",
    "finetune run --percent 1 --choose validation": "--choose='validation' goes with --sweep",
    "finetune run --percent 1 --sweep optimizer.lr=1": "optimizer.lr='1' is chosen by --sweep",
    "export nowhere": "RUN='nowhere' must be a run folder",
    "export images": "holds no readable args.json",
    "export run --out run": "--out='run' isn't empty; give a new folder",
    "export run --out file": "can't be written (Not a directory)",
    "embed nowhere --images images --out f.npz": "RUN='nowhere' must be a run folder",
    "embed run --images nowhere --out f.npz": "--images='nowhere' must be a folder of images",
    "embed run --images empty --out f.npz": "--images='empty' holds no image",
    "embed run --images images --out f.txt": "--out='f.txt' must end with .npz, .csv, .parquet",
    "embed run --images images --out file/f.npz": "--out='file/f.npz' can't be written",
    "embed run --images images --out f.npz --num-workers 9999": "--num-workers=9999 must be at",
    "report nowhere": "RUNS='nowhere' must be a run folder",
    "report images": "RUNS='images' holds no run",
    "report run --out images": "is a folder; give images/report.html",
    "report run --out file/page.html": "can't be written (",
    "compare": "GRID='' must be one grid; a YAML file or one of cifar10, cifar10-small, ",
    "compare digits quickstart": "GRID='digits quickstart' must be one grid",
    "compare digits --evaluation knn": "--evaluation goes with --runs",
    "compare digits --runs x": "--runs takes no grid",
    "compare nogrid": "GRID='nogrid' doesn't exist",
    "compare digits seed=x": "seeds=['x'] must be",
    "compare digits max_epoch=3": "methods.SimCLR: max_epoch=3 is no known key",
    "compare digits --baseline CueCu": "baseline='CueCu' must be one of SimCLR, NNCLR",
    "compare digits --jobs-per-gpu 2": "--jobs-per-gpu goes with --gpus",
    "compare digits --gpus 0 --jobs 2": "--jobs is for places without GPUs",
    "compare digits --launcher slurm --gpus 0": "--gpus goes with --launcher local",
    "compare digits --slurm-time 01:00:00": "--slurm-time goes with --launcher slurm",
    "compare digits --launcher slurm": "slurm.time=None is missing; add it to the grid",
    "compare digits --jobs 2 devices=3": "methods.SimCLR: devices=3 needs 3 places, but there are",
    "compare --runs run --status": "--runs takes no --status",
    "compare --job nowhere": "--job='nowhere' holds no readable job",
    "compare digits --only SimCLr": "--only='SimCLr' must be one of SimCLR, NNCLR",
    "compare self_classifier/table1 --check-all": "data.train_path='datasets/imagenet/train' does",
    "compare --runs x --smoke": "--runs takes no --smoke",
    "compare --runs nowhere": "RUNS='nowhere' must be a run folder",
    "compare --runs run --evaluation kn": "evaluations='kn' must start with one of",
    "quickstart seed=x": "seeds=['x'] must be",
    "quickstart max_epoch=3": "max_epoch=3 is no known key; did you mean max_epochs",
    "data digits --out file/below": "file/below",
    "data check nowhere": "FOLDER='nowhere' must be a folder of images",
    "data imagenet100 --from images --out out": "--from='images' has no train/n01558993",
    "pretrain --config-name cueco-dig": "CONFIG='cueco-dig' doesn't exist; choose",
    "pretrain cueco-dig": "CONFIG='cueco-dig' doesn't exist; choose one of cueco-digits",
    "pretrain": "CONFIG is missing; choose one of those of cueco-solo list",
    "pretrain cueco-digits --config-name rcl-digits": "must be one configuration, and over",
    "pretrain cueco-digits --cfg data.train_path=nowhere": "data.train_path='nowhere' does",
    "pretrain cueco-digits --cfg optimizer.lr=abc": "optimizer.lr='abc' must be a number",
    "compare digit": "GRID='digit' doesn't exist; did you mean digits",
    "list runs nowhere": "RUNS='nowhere' must be a run folder",
    "pretrain --config-name cueco-digits data.train_path=nowhere": "data.train_path='nowhere' does",
    "pretrain --config-name cueco-digits max_epoch=3": "max_epoch=3 is no known key; did you mean",
    **{
        f"pretrain --config-name cueco-custom data.train_path=images/train {override}": text
        for override, text in {
            "data.val_path=nowhere": "data.val_path='nowhere' doesn't exist",
            "seed=-1": "seed=-1 must be",
            "optimizer.batch_size=0": "optimizer.batch_size=0 must be",
            "online_clustering.every_n_epochs=0": "online_clustering.every_n_epochs=0 must be",
            "checkpoint.dir=file/below": "checkpoint.dir='file/below' can't be written (Not a dir",
            "resume_from_checkpoint=no.ckpt": "resume_from_checkpoint='no.ckpt' doesn't exist",
            "hardware=cpu devices=none": "devices='none' must be a number of devices",
            "accelerator=tpu": "accelerator='tpu' must be auto, cpu, gpu or mps",
        }.items()
    },
}
PROGRAM = """
import contextlib, io, json, sys
from cueco_solo.cli import _parser, main

def outcome(line):
    err = io.StringIO()
    with contextlib.redirect_stderr(err), contextlib.redirect_stdout(io.StringIO()):
        try:
            code = main(line.split())
        except SystemExit as stop:
            code = stop.code
    return code, err.getvalue(), [name for name in sys.argv[1].split() if name in sys.modules]

commands = [""] + list(_parser()._subparsers._group_actions[0].choices)
lines = sys.argv[2:] or [f"{command} --help" for command in commands]
print(json.dumps({line: outcome(line) for line in lines}))
"""


def outcomes(slow: str, folder: Path, *lines: str) -> dict[str, tuple[int, str, list[str]]]:
    """Exit code, stderr, and which of ``slow`` are imported by then, by command line."""
    done = python("-c", PROGRAM, slow, *lines, cwd=folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_user_errors_come_before_slow_imports(images: Path, tmp_path: Path):
    (tmp_path / "images").symlink_to(images)  # where the old run has its data
    (tmp_path / "run").symlink_to(OLD_RUN)
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    for line, (code, error, imported) in outcomes(SLOW, tmp_path, *ERRORS).items():
        assert ERRORS[line] in error, line
        assert error.startswith("cueco-solo: error: ") and error.count("\n") == 1, line
        assert (code, imported) == (2, []), line
    assert {path.name for path in tmp_path.iterdir()} == {"images", "run", "file", "empty"}


def test_help_comes_before_slow_imports(tmp_path: Path):
    """Of the program, and of each of its commands."""
    found = outcomes(f"{SLOW} hydra numpy omegaconf pydantic", tmp_path)
    assert len(found) > 10
    for line, outcome in found.items():
        assert outcome == [0, "", []], line


def test_kept_features_are_evaluated_without_lightning(trained: Path, tmp_path: Path):
    """Nor solo-learn: their import takes longer than the evaluation."""
    run = copied(trained, tmp_path / "run")
    kept = outcomes("", tmp_path, f"knn {run} --k 2")
    assert [code for code, _, _ in kept.values()] == [0]
    found = outcomes("lightning solo timm torchmetrics", tmp_path, f"knn {run} --k 2")
    assert [(code, imported) for code, _, imported in found.values()] == [(0, [])]
