"""What the figures say in words, and what the training logged of why; computes no new figure."""

from collections.abc import Sequence
from typing import Any

from cueco_solo.report.document import Document
from cueco_solo.results.figures import UNTRAINED
from cueco_solo.results.rows import Row
from cueco_solo.results.statistics import mean_std
from cueco_solo.results.table import Difference, ResultTable

# logged alike by every method that the monitor watches: curve, title, unit, how it reads
_HEALTH = (
    ("online_rankme", "RankMe", "dimensions in use; a high one is necessary, not sufficient"),
    ("online_alignment", "Alignment", "distance of two views of an image; lower is nearer"),
    ("online_uniformity", "Uniformity", "lower is more evenly spread"),
    ("online_cluster_perplexity", "Cluster perplexity", "clusters in use"),
    ("online_cluster_largest_share", "Largest cluster", "share of the images in it"),
)


def is_untrained(row: Row) -> bool:
    """Whether a row is of a backbone before its first step."""
    return row.series == UNTRAINED


def verdict(document: Document) -> list[str]:
    """Sentences by data set: who leads in how many of the main metrics, by how much, how sure."""
    table = document.table
    sentences = []
    for dataset in dict.fromkeys(row.dataset for row in table.rows):
        trained = [r for r in table.rows if r.dataset == dataset and not is_untrained(r)]
        if len(trained) > 1:
            sentences += _of_data(table, dataset, trained)
    if not sentences:
        return []
    seeds = {s.run.seed for row in table.rows for s in row.singles if s.run.seed is not None}
    if not any(_over_seeds(d) for d in table.differences) and len(seeds) == 1:
        (seed,) = seeds
        sentences.append(
            f"One seed: no evidence for any method. For three, train with seed={seed + 1} and "
            f"seed={seed + 2} too (commands under Reproduce; a grid: cueco-solo compare GRID "
            f"seed={seed + 1}), then cueco-solo report with all run folders."
        )
    return sentences


def _main(table: ResultTable) -> list[int]:
    """The columns that count."""
    return [i for i, c in enumerate(table.columns) if c.primary and c.protocol != "training"]


def _of_data(table: ResultTable, dataset: str, rows: Sequence[Row]) -> list[str]:
    leads: dict[str, int] = {}
    contested = 0
    for i in _main(table):
        cells = [(row.label, cell.mean) for row in rows if (cell := row.cells[i])]
        if len(cells) > 1:
            contested += 1
            best = max(mean for _, mean in cells)
            for label in (label for label, mean in cells if mean == best):
                leads[label] = leads.get(label, 0) + 1
    if not contested:
        return []
    order = sorted(leads, key=lambda label: -leads[label])
    first, *others = order
    of = f"{leads[first]} of {contested}" if leads[first] < contested else f"all {contested}"
    metrics = "the one main metric" if contested == 1 else f"{of} main metrics"
    counts = [f"{first} has the highest mean in {metrics}"]
    counts += [f"{label} in {leads[label]}" for label in others]
    text = f"On {dataset}, {_listed(counts)}."
    return [text, *_over_baseline(table, dataset, order[0])]


def _over_baseline(table: ResultTable, dataset: str, leader: str) -> list[str]:
    """The leader, or the baseline's nearest rival, in the first main metric."""
    main = {table.columns[i].key for i in _main(table)}
    here = [d for d in table.differences if d.row.dataset == dataset and d.column.key in main]
    here = [d for d in here if not is_untrained(d.row) and _over_seeds(d)]
    of = [d for d in here if d.row.label == leader] or here[:1]
    if not of:
        return []
    first, mean, low, high, n = of[0], *of[0].paired
    same = [d for d in here if d.row.label == first.row.label]
    above, below = (sum(test(d) for d in same) for test in (_above, _below))
    unit = f"{first.column.group}: {first.column.title}"
    return [
        f"{first.row.label} minus {table.baseline}, {unit}: {mean:+.1f} (95 % interval "
        f"{low:+.1f} to {high:+.1f}, {n} seeds); of {len(same)} main metrics the interval is above "
        f"zero in {above} and below in {below}."
    ]


def _over_seeds(difference: Difference) -> bool:
    return difference.paired.n > 1 and difference.paired.low is not None


def _above(difference: Difference) -> bool:
    return difference.paired.low is not None and difference.paired.low > 0


def _below(difference: Difference) -> bool:
    return difference.paired.high is not None and difference.paired.high < 0


def _listed(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))


def health(document: Document) -> dict[str, Any]:
    """The last logged figures of the representations, by method: means over its runs.

    Returns:
        ``columns``: title and how it reads; ``rows``: method and text of each figure, or None.
    """
    columns = [each for each in _HEALTH if any(each[0] in r["curves"] for r in document.runs)]
    rows = []
    for series in dict.fromkeys(run["series"] for run in document.runs):
        runs = [run for run in document.runs if run["series"] == series]
        values = []
        for name, _, _ in columns:
            last = [r["curves"][name]["value"][-1] for r in runs if name in r["curves"]]
            values.append(_text(name, mean_std(last).mean) if last else None)
        if any(values):
            rows.append((series, values))
    return {"columns": [(title, reads) for _, title, reads in columns], "rows": rows}


def _text(name: str, value: float) -> str:
    if name.endswith("share"):
        return f"{100 * value:.0f} %"
    digits = 1 if name.endswith(("rankme", "perplexity")) else 2
    return f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")
