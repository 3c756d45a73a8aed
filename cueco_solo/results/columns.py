"""What a table has figures of: metrics of protocols, in the words that people use for them."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from cueco_solo.results.published import UNKNOWN


class Key(NamedTuple):
    """What a column shows: a metric of a protocol, and the settings that tell it from another."""

    protocol: str
    metric: str
    settings: str = ""


_PROTOCOLS = {
    "linear": "Linear",
    "linear-cached": "Linear, cached features",
    "linear-sweep": "Linear, swept",
    "linear-online": "Linear, online",
    UNKNOWN: "Linear, online or offline",
    "fewshot": "Few-shot",
    "knn": "k-NN",
    "clustering": "Clustering",
    "clustering-first-head": "Own labels, first head",
    "clustering-best-head": "Own labels, best head",
    **{
        f"semi-supervised-{percent}pct{kind}": f"Fine-tuned, {percent} % of labels{words}"
        for percent in (1, 10)
        for kind, words in (
            ("", ""),
            ("-sweep", ", swept"),
            ("-sweep-on-validation", ", swept on validation images"),
        )
    },
    "training": "Training",
}
_METRICS = {
    "mean_per_class": "mean per class",
    "top1": "top-1",
    "top5": "top-5",
    "nmi": "NMI",
    "ami": "AMI",
    "ari": "ARI",
    "acc": "ACC",
    "acc_many_to_one": "ACC, many to one",
    "rankme_train": "RankMe, train",
    "rankme_test": "RankMe, test",
    "seconds": "seconds",
}
_KNN_WORDS = {"euclidean": "Euclidean", "top5": "top-5", "mean_per_class": "mean per class"}
# what every renderer shows; the others stand in CSV and JSON, and in the report on demand. A
# protocol that has none of these shows all of its metrics.
_PRIMARY = {
    *("mean_per_class", "top1", "knn20-mean_per_class", "knn20"),
    *(f"{k}-shot{of}" for k in (1, 5, 20) for of in ("", "-mean_per_class")),
    *("nmi", "ami", "ari", "acc", "seconds"),
}
INTERVAL = "-interval"
# neither a high rank nor a long training is an aim in itself
_NOT_RANKED = ("rankme", "seconds")


@dataclass(frozen=True)
class Column:
    """One metric of one protocol; ``primary`` ones are shown by every renderer.

    ``settings`` are those that differ between figures of the protocol on one data set, as text:
    what was measured with other settings stands in another column.
    """

    protocol: str
    metric: str
    primary: bool
    settings: str = ""

    @property
    def key(self) -> Key:
        return Key(self.protocol, self.metric, self.settings)

    @property
    def ranked(self) -> bool:
        """Whether more is better."""
        return not self.metric.startswith(_NOT_RANKED) and not self.metric.endswith(INTERVAL)

    @property
    def main(self) -> bool:
        """Whether methods are compared by it in words."""
        return self.primary and self.ranked and self.protocol != "training"

    @property
    def condition(self) -> str:
        """What the metrics of a group have in common."""
        return f"{self.protocol}: {self.settings}" if self.settings else self.protocol

    @property
    def group(self) -> str:
        """The protocol as people write it, with the settings; an unknown one as it is."""
        name = _PROTOCOLS.get(self.protocol, self.protocol)
        return f"{name} ({self.settings})" if self.settings else name

    @property
    def title(self) -> str:
        """The metric as people write it: ``knn20-euclidean`` is "20-NN, Euclidean"."""
        if self.metric.endswith(INTERVAL):
            return f"{self.metric.removesuffix(INTERVAL)}, 95 % interval ±"
        if not self.metric.startswith("knn"):
            return _METRICS.get(self.metric, self.metric)
        k, *rest = self.metric.removeprefix("knn").split("-")
        words = [_KNN_WORDS.get(word, word) for word in rest]
        return ", ".join([f"{k}-NN", *words])


def make_columns(keys: Iterable[tuple[str, ...]]) -> list[Column]:
    """The protocols and metrics that occur, known ones first."""
    metrics: dict[str, dict[str, dict[str, None]]] = {}
    for protocol, metric, settings in (Key(*key) for key in keys):
        metrics.setdefault(protocol, {}).setdefault(settings, {})[metric] = None
    found = []
    for protocol in sorted(metrics, key=_order(_PROTOCOLS)):
        variants = metrics[protocol]
        primary = _PRIMARY.intersection(name for names in variants.values() for name in names)
        for settings in sorted(variants, key=_natural):
            names = sorted(variants[settings], key=_order(_METRICS))
            found += [
                Column(protocol, name, name in primary or not primary, settings) for name in names
            ]
    return found


def _natural(text: str) -> list[tuple[float, str]]:
    """A sorting key by which numbers in a text count as such: 9 before 10."""
    parts = re.split(r"(\d+(?:\.\d+)?)", text)
    return [(float(part), "") if i % 2 else (0.0, part) for i, part in enumerate(parts)]


def _order(known: dict[str, str]) -> Callable[[str], tuple[int, int, str]]:
    """A sorting key: known names first; then by number, as text would put 100 before 20."""
    places = {name: place for place, name in enumerate(known)}

    def place(name: str) -> tuple[int, int, str]:
        k, rest = found.groups() if (found := re.match(r"(?:knn)?(\d+)(.*)", name)) else (0, "")
        return places.get(name, len(places)), int(k), rest

    return place
