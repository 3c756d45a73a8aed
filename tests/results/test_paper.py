"""A paper's table beside ours: its order of rows, and differences of like with like alone."""

import csv
from pathlib import Path

import pytest
from report_document import figure, runs
from report_run import RunFigures

from cueco_solo.results.paper import NOT_RUN, cell_texts, paper_parts, write_paper
from cueco_solo.results.published import Published, published_figures
from cueco_solo.results.table import make_table


def ours(series: str, dataset: str = "cifar10", epochs: int = 1000, seed: int = 5) -> RunFigures:
    run = runs(1)[0]
    run.series, run.method, run.dataset, run.epochs, run.seed = (
        series,
        series,
        dataset,
        epochs,
        seed,
    )
    run.folder = Path(f"runs/{series}-{seed}")
    run.untrained, run.figures = [], []
    return run


def measured(run: RunFigures, **values: float) -> RunFigures:
    """With figures by protocol and metric: ``linear__top1=90``."""
    for key, value in values.items():
        protocol, metric = key.replace("0", "-").split("__")
        one = figure(run, protocol, metric, value)
        run.figures.append({**one, "dataset": run.dataset, "epochs": run.epochs})
    return run


def of(source: str) -> list[Published]:
    return [f for f in published_figures() if f["source"] == source]


def texts(source: str, *found: RunFigures, mark: str = "") -> dict[str, dict[str, list[str]]]:
    """By data set and row, the cells as they are written."""
    table = make_table(list(found)) if found else None
    cells: dict[str, dict[str, list[str]]] = {}
    for part in paper_parts(of(source), table, mark):
        cells[part.dataset] = {
            row.label: [text for cell in row.cells for text in cell_texts(cell, part.notes)]
            for row in part.rows
        }
    return cells


def test_rows_stand_as_in_the_paper_and_what_wasnt_run_says_so():
    found = texts("cueco, Table 1")
    assert list(found) == ["cifar10", "cifar100", "imagenet100"]
    printed = ["BYOL", "DINO", "SimSiam", "MoCo-v2", "MoCo-v3", "ReSSL", "VICReg", "SwAV"]
    assert list(found["cifar10"]) == [*printed, "SimCLR", "BarlowTwins", "CueCo"]
    assert found["cifar10"]["CueCo"] == ["91.4", NOT_RUN, "-", "99.79", NOT_RUN, "-"]


def test_a_difference_is_taken_in_the_protocol_of_the_printed_figure():
    """CueCo's own figure is offline, ReSSL's is solo-learn's online one, BYOL's may be either."""
    values = {"linear__top1": 90.0, "linear0online__top1": 89.0}
    found = texts(
        "cueco, Table 1",
        *(measured(ours(name), **values) for name in ("CueCo", "ReSSL", "BYOL")),
    )["cifar10"]
    assert found["CueCo"][:3] == ["91.4", "90.00", "-1.40"]
    printed, value, difference = found["ReSSL"][:3]
    assert printed.startswith("90.63 (") and (value, difference) == ("89.00", "-1.63")
    printed, value, difference = found["BYOL"][:3]
    assert printed.startswith("92.61 (") and (value, difference) == ("89.00 (online)", "-")


@pytest.mark.parametrize(
    ("key", "epochs", "expected"),
    [
        ("linear0cached__top1", 1000, [NOT_RUN, "-"]),
        ("linear0online__top1", 1000, [NOT_RUN, "-"]),
        ("linear__top1", 200, ["90.00 (resnet18, 200 epochs)", "-"]),
        ("linear__top1", 1000, ["90.00", "-1.40"]),
    ],
)
def test_another_protocol_or_length_is_never_subtracted(key: str, epochs: int, expected: list[str]):
    found = texts("cueco, Table 1", measured(ours("CueCo", epochs=epochs), **{key: 90.0}))
    assert found["cifar10"]["CueCo"][1:3] == expected


def test_own_labels_arent_compared_with_k_means():
    run = ours("Self-Classifier", epochs=800)
    values = {"clustering__nmi": 10.0, "clustering0first0head__nmi": 61.7}
    found = texts("self-classifier, Table 2", measured(run, **values))["cifar10"]
    assert found["Self-Classifier"][:3] == ["60.7", "61.70", "+1.00"]


def test_rows_of_several_lengths_and_our_own_rows():
    long, mine = (
        ours("RCL (800 epochs)", "imagenet", 800),
        ours("RCL (400 epochs)", "imagenet", 400),
    )
    for run in (long, mine):
        run.backbone = "resnet50"
        measured(run, linear__top1=75.0)
        run.figures = [{**one, "backbone": "resnet50"} for one in run.figures]
    found = texts("rcl, Table 1", long, mine)["imagenet"]
    assert found["RCL (800 epochs)"][:3] == ["75.8", "75.00", "-0.80"]
    assert found["RCL (200 epochs)"][1] == NOT_RUN
    assert list(found)[-1] == "RCL (400 epochs)"
    assert found["RCL (400 epochs)"][:3] == ["-", "75.00", "-"]


def test_seconds_of_an_epoch_stand_beside_those_of_other_hardware():
    run = measured(ours("RCL[online]", "imagenet", 200), training__seconds=4000.0)
    run.backbone = "resnet50"
    (row,) = [r for name, r in texts("rcl, Table 4", run)["imagenet"].items() if name == run.series]
    assert "20.00 (on other hardware)" in row and row[row.index("776") + 2] == "-"


def test_where_the_paper_names_no_length_there_is_no_difference():
    run = ours("RCL", "imagenet", 2)
    run.backbone = "resnet50"
    measured(run, semi0supervised01pct__top1=1.0)
    run.figures = [{**run.figures[0], "backbone": "resnet50"}]
    assert {f["epochs"] for f in of("rcl, Table 2") if f["method"] == "RCL"} == {None}
    cells = texts("rcl, Table 2", run)["imagenet"]["RCL"]
    assert cells[cells.index("1.00 (resnet50, 2 epochs)") + 1] == "-"


def test_figures_on_data_that_a_network_wasnt_trained_on_stay_out():
    run = measured(ours("CueCo", "cifar100"), linear__top1=77.0)
    run.figures = [{**run.figures[0], "dataset": "cifar10"}]
    found = texts("cueco, Table 1", run)["cifar10"]
    assert found["CueCo"][1:3] == [NOT_RUN, "-"]


def test_digits_in_place_of_a_data_set_have_no_difference():
    run = measured(ours("CueCo", "cifar10 (smoke)"), linear__top1=90.0)
    found = texts("cueco, Table 1", run, mark=" (smoke)")["cifar10"]
    assert found["CueCo"][:3] == ["91.4", "90.00", "-"]


def test_files_name_the_run_folders(tmp_path: Path):
    seeds = [measured(ours("CueCo", seed=s), linear__top1=90.0 + s) for s in (5, 6)]
    text = write_paper(tmp_path, "cueco, Table 1", published_figures(), make_table(seeds))
    assert (tmp_path / "paper.md").read_text() == text
    assert "95.50 ± 0.71 (n = 2)" in text and "- CueCo: `runs/CueCo-6`" in text
    with (tmp_path / "paper.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["ours"]]
    (row,) = rows
    assert (row["dataset"], row["method"], row["metric"]) == ("cifar10", "CueCo", "top1")
    assert (row["paper"], row["ours"], row["difference"]) == ("91.4", "95.5", "4.1")
    assert row["runs"] == "runs/CueCo-5 runs/CueCo-6" and row["ours_differs_in"] == ""
    short = make_table([measured(ours("CueCo", epochs=200), linear__top1=90.0)])
    write_paper(tmp_path, "cueco, Table 1", published_figures(), short)
    with (tmp_path / "paper.csv").open(newline="") as file:
        (row,) = [row for row in csv.DictReader(file) if row["ours"]]
    assert (row["difference"], row["ours_differs_in"]) == ("", "resnet18, 200 epochs")
