"""The YAML of a comparison: what is in it, and one line for what is wrong with it."""

from pathlib import Path

import pytest
import tiny

from cueco_solo.comparison.grid import only, packaged_grids, read_grid
from cueco_solo.comparison.jobs import Job, jobs
from cueco_solo.errors import ConfigError

GRID = """
methods:
  CueCo: cueco-{data}
  MoCo V2+:
    config: mocov2plus-{data}
    overrides: [optimizer.lr=1e-3]
data:
  digits-placed: [max_epochs=3]
seeds: [6, 5]
overrides: [max_epochs=2, checkpoint.frequency=7]
evaluations: [knn --k 5, linear --cached max_epochs=2 --device cpu]
baseline: MoCo V2+
"""


def write(folder: Path, text: str = GRID) -> str:
    path = folder / "grid.yaml"
    path.write_text(text)
    return str(path)


def test_every_method_seed_and_data_set(tmp_path: Path):
    grid = read_grid(write(tmp_path))
    found = jobs(grid)
    assert [(job.dataset, job.seed, job.method) for job in found] == [
        ("digits-placed", seed, method) for seed in (6, 5) for method in ("CueCo", "MoCo V2+")
    ]
    assert [job.cfg.method for job in found[:2]] == ["cueco", "mocov2plus"]
    assert (grid.name, grid.baseline, grid.untrained) == ("grid", "MoCo V2+", False)
    assert str(grid.evaluations[0]) == "knn --k 5"


def test_the_nearer_override_wins(tmp_path: Path):
    grid = read_grid(write(tmp_path))
    cueco, moco = jobs(grid, ["checkpoint.frequency=9"])[:2]
    for job in (cueco, moco):
        assert job.cfg.max_epochs == 3  # of the data set, over that of every pre-training
        assert job.cfg.checkpoint.frequency == 9  # typed
        assert job.cfg.auto_resume.enabled
    assert moco.cfg.optimizer.lr == 1e-3
    assert cueco.cfg.optimizer.lr != 1e-3


def test_a_typed_seed_stands_for_the_grids(tmp_path: Path):
    found = jobs(read_grid(write(tmp_path)), ["seed=9"])
    assert [job.seed for job in found] == [9, 9]
    assert [job.cfg.seed for job in found] == [9, 9]


def test_the_command_makes_the_same_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    from omegaconf import OmegaConf

    from cueco_solo.cli import main
    from cueco_solo.training.run_folder import run_id
    from cueco_solo.training.settings import with_defaults

    job: Job = jobs(read_grid(write(tmp_path)))[1]
    main([*job.command, "--cfg"])  # printed before it is found that there are no data
    printed = OmegaConf.create(capsys.readouterr().out)
    assert run_id(with_defaults(printed)) == run_id(job.cfg)  # type: ignore[arg-type]


def test_configurations_of_ones_own(tmp_path: Path):
    tiny.write_config(tmp_path / "own", tmp_path / "images")
    text = "methods:\n  mine: {config: tiny, config_path: own}\n"
    (job,) = jobs(read_grid(write(tmp_path, text)))
    assert (job.method, job.dataset, job.seed) == ("mine", "images", 5)
    assert job.cfg.method == "mocov2plus"


def test_without_evaluations_there_are_three(tmp_path: Path):
    grid = read_grid(write(tmp_path, "methods: {a: cueco-cifar10}"))
    assert list(map(str, grid.evaluations)) == ["linear --cached", "knn", "cluster"]


GENERAL = [name for name in packaged_grids() if "/" not in name]  # others: test_papers.py


@pytest.mark.parametrize("name", GENERAL)
def test_packaged_grids(name: str):
    grid = read_grid(name)
    assert grid.name == name
    found = jobs(grid)
    data = grid.data or {"": ()}
    assert len(found) == len(grid.methods) * len(grid.seeds) * len(data)


def test_packaged_grids_are_the_documented_ones():
    assert [
        *("cifar10", "cifar10-small", "cifar10-small-others", "cifar10-small-pilot"),
        *("cifar100", "digits", "quickstart"),
    ] == GENERAL


A = "methods: {a: cueco-cifar10}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (A + "seed: [1]", "seed=.* is no known key; did you mean seeds"),
        (A + "x: 1", "x=1 is no known key; known are .*methods"),
        ("methods: {a: {config: b, override: []}}", r"methods\.a\.override=.*mean overrides"),
        ("seeds: [1]", "methods=None must map names"),
        ("methods: []", "methods=.* must map names"),
        ("methods: {a: {overrides: []}}", r"methods\.a\.config=None must be the name"),
        ("methods: {a: 3}", r"methods\.a=3 must be a mapping"),
        ("[]", "GRID=.* must be a mapping"),
        ("methods: {a: b, a: c}", "can't be read as YAML.*duplicate"),
        ("methods: [", "can't be read as YAML"),
        (A + "seeds: [1, 1]", r"seeds=\[1, 1\] holds a seed twice"),
        (A + "seeds: []", r"seeds=\[\] must be a list of integers"),
        (A + "seeds: [true]", r"seeds=\[True\] must be a list of integers"),
        (A + "seeds: [-1]", r"seeds=\[-1\] must be a list of integers"),
        (A + "baseline: b", "baseline='b' must be one of a"),
        (A + "paper: cueco, Table 9", "paper='cueco, Table 9' must be one of cueco, Table 1; "),
        (A + "untrained: 1", "untrained=1 must be true or false"),
        (A + "overrides: max_epochs=1", "overrides='max_epochs=1' must be a list"),
        (A + "overrides: [max_epochs]", r"overrides=\['max_epochs'\] must be a list"),
        (A + "data: [cifar10]", "data=.* must map names"),
        (A + "evaluations: knn", "evaluations='knn' must be a list"),
        (A + "evaluations: [umap]", "evaluations='umap' must start with one of linear, knn"),
        (A + "evaluations: [pretrain]", "evaluations='pretrain' must start with"),
        (A + "evaluations: [knn --k x]", "evaluations='knn --k x' isn't understood; .*'x' must be"),
        (
            A + "evaluations: [knn --kk 3]",
            "isn't understood; unrecognized arguments: --kk 3; did you mean --k?",
        ),
        (A + "evaluations: ['knn \"x']", "isn't understood; No closing quotation"),
        (A + "evaluations: [' ']", "evaluations=' ' must start with one of"),
        ("methods: {untrained: b}\nuntrained: true", r"methods\.untrained='b' is the name of"),
        (A + "name: a/../../b", "name='a/../../b' names the folder of the results"),
        (A + "evaluations: [knn, knn]", "evaluations='knn' stands there twice"),
        ("methods: {a: nope}", r"methods\.a: CONFIG='nope' doesn't exist"),
        (A + "overrides: [max_epoch=1]", r"methods\.a: max_epoch=1 is no known key"),
        (A + "overrides: [max_epochs=-1]", r"methods\.a: max_epochs=-1 "),
        ("methods: {a: 'cueco-{data}'}", r"methods\.a='cueco-\{data\}' has no data set"),
        ("methods: {a: cueco-cifar10, b: cueco-cifar10}", "b on .* are the same configuration"),
    ],
)
def test_bad_yaml(tmp_path: Path, text: str, message: str):
    with pytest.raises(ConfigError, match=message) as error:
        jobs(read_grid(write(tmp_path, text)))
    assert "\n" not in str(error.value)


def test_a_number_may_be_a_name(tmp_path: Path):
    assert read_grid(write(tmp_path, "methods: {1: cueco-cifar10}\nbaseline: 1")).baseline == "1"


def test_no_such_grid():
    with pytest.raises(ConfigError, match="GRID='dijits' doesn't exist; did you mean digits"):
        read_grid("dijits")


def test_a_data_set_may_be_named_in_overrides_and_keys_removed(tmp_path: Path):
    text = """
methods:
  a:
    config: simclr-{data}
    overrides: ["name=mine-{data}", optimizer.name=sgd, ~optimizer.kwargs]
data: {cifar10: [], cifar100: []}
"""
    found = jobs(read_grid(write(tmp_path, text)))
    assert [job.cfg.name for job in found] == ["mine-cifar10", "mine-cifar100"]
    assert all("kwargs" not in job.cfg.optimizer for job in found)


@pytest.mark.parametrize(
    ("names", "methods", "data", "baseline"),
    [
        ([], ["CueCo", "MoCo V2+"], ["digits-placed"], "MoCo V2+"),
        (["digits-placed"], ["CueCo", "MoCo V2+"], ["digits-placed"], "MoCo V2+"),
        (["CueCo"], ["CueCo"], ["digits-placed"], None),
    ],
)
def test_only_some_of_it(
    tmp_path: Path, names: list[str], methods: list[str], data: list[str], baseline: str | None
):
    grid = only(read_grid(write(tmp_path)), names)
    assert [method.name for method in grid.methods] == methods
    assert (list(grid.data), grid.baseline) == (data, baseline)


def test_only_a_name_of_the_grid(tmp_path: Path):
    allowed = "must be one of CueCo, MoCo V2\\+, digits-placed"
    with pytest.raises(ConfigError, match=f"--only='cueco' {allowed}"):
        only(read_grid(write(tmp_path)), ["cueco"])
