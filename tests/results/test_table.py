"""The table of figures: rows, means, differences, what is shown and what is best."""

import pytest
from report_document import figure, runs
from report_run import RunFigures

from cueco_solo.errors import ConfigError
from cueco_solo.results.columns import Key, make_columns
from cueco_solo.results.rows import Row
from cueco_solo.results.runs import labels, series_names
from cueco_solo.results.table import make_table


def top1(run: RunFigures, value: float, **other: object) -> None:
    run.figures = [figure(run, "linear", "top1", value, **other)]


def shown(rows: list[Row]) -> list[tuple[str, int, float]]:
    return [(row.label, len(row.singles), cell.mean) for row in rows for cell in row.cells if cell]


def test_a_row_is_the_mean_over_its_runs():
    found = runs(3)[:3]
    for run, value in zip(found, (70.0, 74.0, 78.0), strict=True):
        top1(run, value)
        run.untrained = []
    found[2].figures.append(figure(found[2], "knn", "knn20", 50.0))
    (row,) = make_table(found).rows
    first, knn = row.cells
    assert first and (first.mean, first.std, first.n) == (74.0, pytest.approx(4.0), 3)
    assert knn and (knn.mean, knn.std, knn.n) == (50.0, None, 1)
    assert list(row.by_seed(Key("linear", "top1"))) == [5, 6, 7]


def test_the_untrained_backbone_is_one_row_with_a_value_per_seed():
    found = runs(2)
    for run in found:  # evaluated for each method, but the seed decides it
        names = {"method": "untrained", "epochs": 0}
        run.untrained = [figure(run, "linear", "top1", 30.0 + (run.seed or 0), **names)]
        top1(run, 60.0)
    table = make_table(found, "mocov2plus")
    assert shown(table.rows) == [
        ("untrained", 2, 35.5),
        *((method, 2, 60.0) for method in ("mocov2plus", "cueco", "rcl")),
    ]
    assert {d.row.series for d in table.differences} == {"cueco", "rcl"}
    apart = make_table(found, "mocov2plus", same_setting=False)
    assert {d.row.series for d in apart.differences} == {"untrained", "cueco", "rcl"}
    assert len(table.figures()) == 8


def test_untrained_figures_of_several_runs_complete_each_other():
    found = runs(1)[:2]
    for run, key, value in zip(
        found, (("knn", "knn20"), ("clustering", "nmi")), (41.0, 9.0), strict=True
    ):
        run.untrained = [figure(run, *key, value, method="untrained", epochs=0)]
    (row, *_) = make_table(found).rows
    assert {key[:2]: f["value"] for single in row.singles for key, f in single.figures.items()} == {
        ("knn", "knn20"): 41.0,
        ("clustering", "nmi"): 9.0,
    }
    assert len(row.singles) == 1


def test_a_baseline_in_two_rows_gives_one_difference():
    """As where a run of a grid was stopped early."""
    found = [run for run in runs(2) if run.series != "rcl"]
    for run, epochs in zip(found, (100, 60, 80, 80), strict=True):
        run.epochs, run.untrained = epochs, []
        top1(run, 50.0 + epochs)
    (item,) = make_table(found, "mocov2plus", same_setting=False).differences
    assert (item.row.series, item.paired.n, item.paired.difference) == ("cueco", 2, 0.0)
    assert make_table(found, "mocov2plus").differences == []


@pytest.mark.parametrize("key", ["method_kwargs.temperature", "data.fraction"])
def test_runs_of_other_settings_are_no_repetitions(key: str):
    found = runs(3)[:3]
    found[0].config["data.fraction"] = "-1"  # the default
    found[1].config[key], found[1].name = "0.7", "hot"
    assert series_names(found) == {
        found[0].id: "mocov2plus · mocov2plus-digits-placed",
        found[1].id: "mocov2plus · hot",
        found[2].id: "mocov2plus · mocov2plus-digits-placed",
    }


def test_variants_of_one_name_are_told_apart_by_their_settings():
    """As two rows of a grid with one configuration are."""
    found = runs(2)[:2]
    assert found[0].method == found[1].method and found[0].name == found[1].name
    for run, weight in zip(found, ("0", "0.1"), strict=True):
        run.config |= {"method_kwargs.centroid_weight": weight}
    assert list(series_names(found).values()) == [
        "mocov2plus · centroid_weight=0",
        "mocov2plus · centroid_weight=0.1",
    ]
    for number in range(5):
        found[0].config[f"optimizer.kwargs.{number}"] = "1"
        found[1].config[f"optimizer.kwargs.{number}"] = "2"
    first, second = found
    assert list(series_names(found).values()) == [
        f"mocov2plus · {first.name}",
        f"mocov2plus · {second.id}",
    ]


def test_other_lengths_are_other_rows_and_not_compared():
    found = runs(2)
    found[1].epochs = 5
    for run in found:
        top1(run, 60.0)
        run.untrained = []
    table = make_table(found, "mocov2plus")
    assert [row.label for row in table.rows] == [
        "mocov2plus, resnet18, 100 epochs",
        "mocov2plus, resnet18, 5 epochs",
        "cueco",
        "rcl",
    ]
    assert {(d.row.series, d.paired.n) for d in table.differences} == {("cueco", 1), ("rcl", 1)}


def test_figures_on_other_data_stand_in_a_row_of_their_own():
    found = runs(2)[:2]
    for run in found:
        run.untrained = []
        top1(run, 30.0)
        run.figures.append(figure(run, "linear", "top1", 90.0, dataset="cifar100-20"))
    rows = make_table(found).rows
    assert [(row.dataset, len(row.singles)) for row in rows] == [
        ("digits-placed", 2),
        ("cifar100-20", 2),
    ]
    assert [value for *_, value in shown(rows)] == [30.0, 90.0]


def test_best_is_marked_within_a_data_set_and_never_for_ranks_or_seconds():
    found = runs(1)
    values = [("a", 50.0), ("a", 60.0), ("b", 99.0)]
    for run, (dataset, value) in zip(found, values, strict=True):
        run.dataset, run.untrained = dataset, []
        keys = (("linear", "top1"), ("clustering", "rankme_test"), ("training", "seconds"))
        run.figures = [figure(run, *key, value) for key in keys]
    rows = make_table(found).rows
    assert [[cell.best for cell in row.cells if cell] for row in rows] == [
        [False, False, False],
        [True, False, False],
        [False, False, False],
    ]


def test_known_protocols_and_metrics_come_first_and_neighbours_in_order():
    names = [("new", "x"), ("knn", "knn100"), ("knn", "knn20-euclidean"), ("knn", "knn20")]
    columns = make_columns([*names, ("linear", "top5"), ("linear", "top1")])
    assert [(c.group, c.title, c.primary) for c in columns] == [
        ("Linear", "top-1", True),
        ("Linear", "top-5", False),
        ("k-NN", "20-NN", True),
        ("k-NN", "20-NN, Euclidean", False),
        ("k-NN", "100-NN", False),
        ("new", "x", True),
    ]


def test_few_shot_figures_stand_by_number_and_their_intervals_arent_ranked():
    names = ["10-shot", "1-shot-interval", "5-shot", "1-shot", "2-shot"]
    columns = make_columns(("fewshot", name) for name in names)
    assert [(c.group, c.title, c.primary) for c in columns] == [
        ("Few-shot", "1-shot", True),
        ("Few-shot", "1-shot, 95 % interval ±", False),
        ("Few-shot", "2-shot", False),
        ("Few-shot", "5-shot", True),
        ("Few-shot", "10-shot", False),
    ]
    found = runs(1)
    for run, value in zip(found, (40.0, 50.0, 60.0), strict=True):
        run.untrained = []
        keys = ("1-shot", "1-shot-interval")
        run.figures = [figure(run, "fewshot", key, value) for key in keys]
    cells = [cell for row in make_table(found).rows for cell in row.cells if cell]
    assert [cell.best for cell in cells] == [False, False, False, False, True, False]


def test_published_figures_are_of_our_data_and_columns():
    found = runs(1)
    for run in found:
        top1(run, 60.0)
    names = {"source": "a paper", "method": "BYOL", "seed": None}
    published = [
        figure(found[0], "linear", "top1", 92.6, **names),
        figure(found[0], "linear", "top5", 99.8, **names),
        figure(found[0], "linear", "top1", 92.6, **{**names, "dataset": "elsewhere"}),
    ]
    (row,) = make_table(found, published=published).published
    assert (row.series, row.source, [cell and cell.mean for cell in row.cells]) == (
        "BYOL",
        "a paper",
        [92.6],
    )


def test_other_settings_are_other_columns_and_other_seeds_a_mean():
    found = runs(1)
    for run, hot in zip(found, (False, True, True), strict=True):
        run.untrained = []
        usual = figure(run, "knn", "knn20", 50.0, settings={"temperature": "0.07"})
        other = figure(run, "knn", "knn20", 40.0, settings={"temperature": "0.1"})
        # which doesn't depend on the temperature
        plain = figure(run, "knn", "knn20-euclidean", 45.0)
        seeds = [figure(run, "clustering", "nmi", v, evaluation_seed=int(v)) for v in (5.0, 7.0)]
        run.figures = [other if hot else usual, plain, *(seeds if hot else seeds[:1])]
    found[2].figures.append(
        figure(found[2], "knn", "knn20", 60.0, settings={"temperature": "0.07"})
    )
    table = make_table(found, "mocov2plus")
    heads = [(column.group, column.title) for column in table.columns]
    assert heads == [
        ("k-NN", "20-NN, Euclidean"),
        ("k-NN (temperature=0.07)", "20-NN"),
        ("k-NN (temperature=0.1)", "20-NN"),
        ("Clustering", "NMI"),
    ]
    values = [[cell and cell.mean for cell in row.cells] for row in table.rows]
    assert values == [[45.0, 50.0, None, 5.0], [45.0, None, 40.0, 6.0], [45.0, 60.0, 40.0, 6.0]]
    compared = {(d.row.series, d.column.group): d.paired.difference for d in table.differences}
    # never a difference between two temperatures
    assert ("cueco", "k-NN (temperature=0.07)") not in compared
    assert compared["rcl", "k-NN (temperature=0.07)"] == 10.0
    assert sum(f["metric"] == "nmi" for f in table.figures()) == 5


def test_the_usual_temperature_of_k_nn_is_shown_where_it_is_there():
    found = runs(1)
    for run, temperatures in zip(found, (("0.05", "0.07"), ("0.07", "0.2"), ()), strict=True):
        run.untrained = []
        run.figures = [
            figure(run, "knn", f"knn{k}", 50.0 + k, settings={"temperature": t})
            for t in temperatures
            for k in (20, 100)
        ]
    heads = [(column.group, column.title) for column in make_table(found).columns if column.primary]
    assert heads == [("k-NN (temperature=0.07)", "20-NN")]
    # a run that has no other figure keeps it
    hot = {"temperature": "0.2"}
    found[2].figures = [figure(found[2], "knn", "knn20", 60.0, settings=hot)]
    heads = [(column.group, column.title) for column in make_table(found).columns if column.primary]
    assert heads == [("k-NN (temperature=0.07)", "20-NN"), ("k-NN (temperature=0.2)", "20-NN")]


def test_labels_are_short_and_unique():
    found = runs(2)[:2]
    assert list(labels(found).values()) == ["mocov2plus · seed 5", "mocov2plus · seed 6"]
    found[1].seed = 5
    assert all(label.endswith(run) for run, label in labels(found).items())


def test_a_baseline_that_is_none_of_the_methods():
    with pytest.raises(ConfigError, match="--baseline='moco' must be one of mocov2plus, cueco"):
        make_table(runs(1), "moco")
