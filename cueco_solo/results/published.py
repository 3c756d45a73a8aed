"""Figures of the three papers and of solo-learn's README, to stand beside ours.

``published.csv`` has what the sources say: ``linear`` is a protocol that its source doesn't call
online or offline, ``adapted_from`` the source that a table's caption says its figures are taken
from. :func:`_with_protocol` decides which protocol a figure stands under.
"""

import csv
from collections.abc import Sequence
from functools import cache
from importlib import resources

from cueco_solo.results.figures import Figure

# a linear classifier on the frozen backbone, which solo-learn calls offline; one that was trained
# along with the backbone; and either of them
OFFLINE, ONLINE, UNKNOWN = "linear", "linear-online", "linear-unknown"
_STATED = {"linear-offline": OFFLINE, "linear-online": ONLINE}
_WORDS = {OFFLINE: "offline", ONLINE: "online"}
# whose "clustering" scores the labels that a network gives itself, not K-means on its features; the
# authors' code scores those of the first head
_OWN_LABELS = (("self-classifier", "clustering"),)
# not results of the protocol that they stand under
_COSTS = ("seconds_per_epoch",)


class Published(Figure, total=False):
    """A figure of others.

    Attributes:
        note: a footnote: why its protocol isn't simply the one that its source names.
    """

    note: str


@cache
def published_figures() -> list[Published]:
    """All of them; ``source`` names the publication and its table: ``"cueco, Table 1"``."""
    text = resources.files("cueco_solo.results").joinpath("published.csv").read_text("utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    stated = [row for row in rows if row["protocol"] in _STATED]
    return [_with_protocol(_figure(row), row, stated) for row in rows]


def _figure(row: dict[str, str]) -> Published:
    protocol, metric = row["protocol"], row["metric"]
    if (row["source"], protocol) in _OWN_LABELS:
        protocol = "clustering-first-head"
    return Published(
        source=_source(row),
        dataset=row["dataset"],
        method=row["method"],
        backbone=row["backbone"],
        epochs=int(row["epochs"]) if row["epochs"] else None,
        protocol="training" if metric in _COSTS else _STATED.get(protocol, protocol),
        metric=metric,
        value=float(row["value"]),
        seed=None,
        run=None,
        settings={},
        evaluation_seed=None,
    )


def _source(row: dict[str, str]) -> str:
    place = "README" if row["table"] == "readme" else f"Table {row['table']}"
    return f"{row['source']}, {place}"


def _with_protocol(
    figure: Published, row: dict[str, str], stated: Sequence[dict[str, str]]
) -> Published:
    """The protocol as far as it can be known.

    A figure "linear" that equals another source's online figure to the last digit, of the same
    method, data, network, epochs and metric, is that figure, and so is one that equals an offline
    figure. One that equals neither, or both, is of unknown protocol if its table is adapted from
    elsewhere. What a source has measured itself is of the protocol that it names.
    """
    if figure["protocol"] != OFFLINE or row["protocol"] in _STATED:
        return figure
    same = [other for other in stated if _same_figure(row, other)]
    protocols = {_STATED[other["protocol"]] for other in same}
    if len(protocols) == 1:
        (protocol,) = protocols
        note = (
            f"printed as a linear evaluation, equals the {_WORDS[protocol]} figure of "
            f"{_source(same[0])}"
        )
        return {**figure, "protocol": protocol, "note": note}
    if same:
        note = f"equals an online and an offline figure of {_source(same[0])}"
        return {**figure, "protocol": UNKNOWN, "note": note}
    if row["adapted_from"]:
        note = (
            f"adapted from {row['adapted_from']}, some of it online figures; equals none of them, "
            "so that it may be either"
        )
        return {**figure, "protocol": UNKNOWN, "note": note}
    return figure


def _same_figure(row: dict[str, str], other: dict[str, str]) -> bool:
    names = ("dataset", "backbone", "epochs", "metric")
    return (
        row["source"] != other["source"]
        and all(row[name] == other[name] for name in names)
        and float(row["value"]) == float(other["value"])
        # solo-learn's MoCoV2+ is what others call MoCo v2
        and _plain(row["method"]).removesuffix("plus")
        == _plain(other["method"]).removesuffix("plus")
    )


def same_method(one: str, other: str) -> bool:
    """Whether two spellings name the same method: ``MoCoV2+`` and ``mocov2plus``."""
    return _plain(one) == _plain(other)


def _plain(name: str) -> str:
    # what stands in brackets or between words of an ablation counts
    return "".join(c for c in name.casefold().replace("+", "plus") if c not in " -_")
