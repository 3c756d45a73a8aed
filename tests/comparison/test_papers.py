"""The grids of the papers' tables: their rows are the paper's, also made small, and can be run."""

from functools import cache
from pathlib import Path

import pytest

from cueco_solo.comparison.grid import only, packaged_grids, read_grid
from cueco_solo.comparison.jobs import Job, jobs
from cueco_solo.comparison.ready import check_ready
from cueco_solo.comparison.smoke import smoke_grid
from cueco_solo.errors import ConfigError, HostError
from cueco_solo.host import HostInfo
from cueco_solo.methods.cueco_options import fill_cueco
from cueco_solo.methods.rcl_options import fill_rcl
from cueco_solo.results.paper import paper_parts
from cueco_solo.results.published import published_figures, same_method

NAMES = [name for name in packaged_grids() if "/" in name]
PAPERS = {"cueco": "cueco", "rcl": "rcl", "self_classifier": "self-classifier"}
# rows of ours that a paper's table hasn't
BESIDE = {
    "MoCo V2+, solo-learn's settings",
    "SimCLR, solo-learn's settings",
    "RCL (400 epochs)",
    "RCL, nearest entry alone",
}


@cache
def whole(name: str) -> list[Job]:
    """All runs of a grid; not to be changed."""
    return jobs(read_grid(name))


@cache
def small(name: str) -> list[Job]:
    """Those on the first data set, made small; not to be changed."""
    grid = read_grid(name)
    return jobs(smoke_grid(only(grid, list(grid.data)[:1])))


def changed(name: str, section: str = "method_kwargs") -> list[dict[str, object]]:
    """What each row has other than the first."""
    found = [dict(job.cfg[section]) for job in whole(name)]
    return [{k: v for k, v in one.items() if found[0].get(k) != v} for one in found]


def test_every_table_with_a_number_has_a_grid():
    tables = {f["source"] for f in published_figures() if not f["source"].startswith("solo-learn")}
    assert {read_grid(name).paper for name in NAMES} - {None} == tables
    for name in NAMES:
        paper, _, rest = name.partition("/")
        grid = read_grid(name)
        assert grid.name == f"{paper}-{rest}"
        expected = f"{PAPERS[paper]}, Table {rest[5:]}" if rest.startswith("table") else None
        assert grid.paper == expected


@pytest.mark.parametrize("name", [name for name in NAMES if "table" in name])
def test_rows_and_data_sets_are_the_papers(name: str):
    grid = read_grid(name)
    parts = paper_parts([f for f in published_figures() if f["source"] == grid.paper], None)
    assert list(grid.data) == [part.dataset for part in parts]
    labels = [row.label for row in parts[0].rows]
    ours = [method.name for method in grid.methods if method.name not in BESIDE]
    found = [next(label for label in labels if same_method(label, one)) for one in ours]
    assert sorted(found, key=labels.index) == found  # in the paper's order
    assert found


@pytest.mark.parametrize("name", NAMES)
def test_every_row_composes_whole_and_small(name: str):
    grid = read_grid(name)
    number = len(grid.methods)
    assert (len(whole(name)), len(small(name))) == (number * len(grid.data), number)
    for one, few in zip(whole(name)[:number], small(name), strict=True):
        assert (one.method, f"{one.dataset} (smoke)") == (few.method, few.dataset)
        assert one.cfg.method == few.cfg.method
        assert (few.cfg.max_epochs, few.cfg.data.train_path) == (2, "datasets/digits-few/train")
        assert few.cfg.backbone.name == "resnet18"
        assert {view.crop_size for view in few.cfg.augmentations} == {32}
    for evaluation in smoke_grid(grid).evaluations:
        trained = evaluation.words[0] in ("linear", "finetune")
        assert ("max_epochs=1" in evaluation.words) == trained


def test_a_small_row_keeps_what_makes_it_a_row():
    """Clusters, learning rates, widths: they are what the rows of a table differ in."""
    found = small("cueco/clusters")
    assert [job.cfg.method_kwargs.num_clusters for job in found] == [4, 20, 40]
    found = small("self_classifier/table6")
    assert [job.cfg.optimizer.lr for job in found] == [0.05, 0.1, 0.2, 0.3, 0.4, 0.5]
    assert {tuple(job.cfg.method_kwargs.mlp_dims) for job in found} == {(32, 32, 16)}
    found = small("self_classifier/table5")
    assert [len(job.cfg.method_kwargs.mlp_dims) for job in found] == [2, 2, 3, 3, 0]


def test_what_only_one_data_set_names_is_made_small_too():
    """DINO's teacher warms up for 50 epochs on ImageNet-100 alone."""
    grid = smoke_grid(only(read_grid("cueco/table1"), ["DINO", "imagenet100", "cifar10"]))
    epochs = [job.cfg.method_kwargs.warmup_teacher_temperature_epochs for job in jobs(grid)]
    assert epochs == [0, 0]


def test_cuecos_losses_one_by_one():
    found = [job.cfg.method_kwargs for job in whole("cueco/table3")]
    weights = [(k.contrastive_weight, k.centroid_weight, k.variance_weight) for k in found]
    assert weights == [(1, 0, 0), (1, 0.1, 0), (1, 0, 0.01), (1, 0.1, 0.01)]


def test_cuecos_baselines_of_table_2_have_its_heads_views_and_schedule():
    mocov2, simclr, cueco, *_ = whole("cueco/table2")
    assert (mocov2.method, simclr.method, cueco.method) == ("MoCo-v2", "SimCLR", "CueCo")
    for job in (mocov2, simclr):
        for section in ("augmentations", "optimizer", "scheduler", "data", "max_epochs"):
            assert job.cfg[section] == cueco.cfg[section], section
        shared = ("proj_hidden_dim", "proj_output_dim", "temperature")
        for key in shared:
            assert job.cfg.method_kwargs[key] == cueco.cfg.method_kwargs[key]
    assert mocov2.cfg.momentum == cueco.cfg.momentum
    assert mocov2.cfg.method_kwargs.queue_size == cueco.cfg.method_kwargs.queue_size


def test_cuecos_readings_differ_in_one_thing_each():
    for one in whole("cueco/readings"):
        fill_cueco(one.cfg.copy())
    twice = {"contrastive_weight": 2, "centroid_weight": 0.2, "variance_weight": 0.02}
    assert changed("cueco/readings")[1:] == [
        {"assignment": "soft"},
        {"assignment": "soft", "assignment_temperature": 0.05},
        {"clustering": "offline"},
        {"warm_reset": True},
        {"centroid_gradient": True},
        {"symmetric": False},
        {"proj_output_bn": False},
        {"pred_output_bn": True},
        {"pred_output_bias": False},
        {"predictor_init": "identity"},
        {"predictor": "residual"},
        {"predictor": "none"},
        {"variance": "mean"},
        {"variance": "per_dimension"},
        {"before_clustering": "frozen"},
        {"before_clustering": "frozen", "frozen_start": "kmeans"},
        {},  # the momentum
        twice,
        {"proj_output_bn": False, "pred_output_bn": False, **twice},
    ]
    momenta = [m for m in changed("cueco/readings", "momentum") if m]
    assert momenta == [{"base_tau": 0.99}] * 2


def test_rcls_tables_3_and_4_on_cifar100():
    found = [fill_rcl(one.cfg.copy()).method_kwargs for one in whole("rcl/readings")]
    online = [(1, 1), (1, 2), (1, 3), (1, 4), (3, 3)]
    assert [(k.num_predictors, k.num_levels) for k in found[:5]] == online
    assert {k.hierarchy for k in found[:5]} == {"online"}
    radii = [[], [0.8], [0.8, 0.7], [0.8, 0.7, 0.6], [0.8, 0.7]]
    assert [list(k.dbscan_eps) for k in found[:5]] == radii
    # the similarities at the radii, in the row with its own radii too
    assert [list(k.merge_threshold) for k in found[:5]] == [
        pytest.approx([1 - eps**2 / 2 for eps in row]) for row in radii
    ]
    assert [k.hierarchy for k in found[5:]] == ["kmeans", "dbscan", "none", *["online"] * 3]
    assert [k.symmetric for k in found] == [True] * 8 + [False, True, True]
    starts = [("mlp", "random")] * 9 + [("mlp", "identity"), ("residual", "random")]
    assert [(k.predictor, k.predictor_init) for k in found] == starts


def test_a_missing_data_set_is_said_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATASETS", "nowhere")
    message = "^Self-Classifier on imagenet, seed 5: data.train_path='nowhere/imagenet/train' doesn"
    with pytest.raises(ConfigError, match=message):
        check_ready(jobs(read_grid("self_classifier/table1")))


def test_what_needs_main_is_said_on_the_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cifar10_folder: Path
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATASETS", str(cifar10_folder))
    swav, byol = jobs(only(read_grid("cueco/table1"), ["SwAV", "BYOL", "cifar10"]))[::-1]
    monkeypatch.setattr("cueco_solo.host.availability.host_info", lambda: RELEASE)
    check_ready([byol])
    with pytest.raises(HostError, match=r"^SwAV on cifar10, seed 5: method='swav' is computed"):
        check_ready([byol, swav])
    monkeypatch.setattr("cueco_solo.host.availability.host_info", lambda: MAIN)
    check_ready([swav])


@pytest.fixture
def cifar10_folder(tmp_path: Path) -> Path:
    """Where CIFAR-10 seems to be."""
    (tmp_path / "there" / "cifar-10-batches-py").mkdir(parents=True)
    return tmp_path / "there"


RELEASE, MAIN = HostInfo("release", "1.0.2", ""), HostInfo("main", "1.0.6", "")
