"""Figures of the three papers and of solo-learn's README, to stand beside ours."""

import csv
from functools import cache
from importlib import resources

from cueco_solo.results.figures import Figure

# what solo-learn calls offline is a linear classifier on the frozen backbone, as the papers' linear
_PROTOCOLS = {"linear-offline": "linear"}
# not results of the protocol that they stand under
_COSTS = ("seconds_per_epoch",)


@cache
def published_figures() -> list[Figure]:
    """All of them; ``source`` names the publication and its table: ``"cueco, Table 1"``."""
    text = resources.files("cueco_solo.results").joinpath("published.csv").read_text("utf-8")
    return [_figure(row) for row in csv.DictReader(text.splitlines())]


def _figure(row: dict[str, str]) -> Figure:
    table, protocol, metric = row["table"], row["protocol"], row["metric"]
    place = "README" if table == "readme" else f"Table {table}"
    return Figure(
        source=f"{row['source']}, {place}",
        dataset=row["dataset"],
        method=row["method"],
        backbone=row["backbone"],
        epochs=int(row["epochs"]) if row["epochs"] else None,
        protocol="training" if metric in _COSTS else _PROTOCOLS.get(protocol, protocol),
        metric=metric,
        value=float(row["value"]),
        seed=None,
        run=None,
    )


def same_method(one: str, other: str) -> bool:
    """Whether two spellings name the same method: ``MoCoV2+`` and ``mocov2plus``."""
    return _plain(one) == _plain(other)


def _plain(name: str) -> str:
    # what stands in brackets or between words of an ablation counts
    return "".join(c for c in name.casefold().replace("+", "plus") if c not in " -_")
