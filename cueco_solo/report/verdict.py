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
    alone: list[Row] = []  # of a single seed, where that leaves nothing to go by
    for dataset in dict.fromkeys(row.dataset for row in table.rows):
        trained = [r for r in table.rows if r.dataset == dataset and not is_untrained(r)]
        order, contested = _leaders(table, trained)
        if order:
            sentences += _of_data(table, dataset, order, contested)
            leader = next(iter(order))
            single = [row for row in trained if _is_of_one_seed(row)]
            if any(row.label == leader for row in single) or len(single) >= len(trained) - 1:
                alone += single
    if alone and _seeds(table.rows):
        sentences.append(_one_seed(alone, sorted(_seeds(table.rows))))
    return sentences


def _is_of_one_seed(row: Row) -> bool:
    """Whether its runs have one seed; each unknown one counts as another."""
    known = {s.run.seed for s in row.singles if s.run.seed is not None}
    return len(known) + sum(s.run.seed is None for s in row.singles) < 2


def _seeds(rows: Sequence[Row]) -> set[int]:
    trained = [row for row in rows if not is_untrained(row)]
    return {s.run.seed for row in trained for s in row.singles if s.run.seed is not None}


def _one_seed(alone: Sequence[Row], seeds: Sequence[int]) -> str:
    """What to do about rows of a single seed; ``seeds`` are those of all rows."""
    then = "then cueco-solo report with all run folders."
    if len(seeds) == 1:
        more = seeds[0] + 1
        return (
            f"One seed: no evidence for any method. For three, train with seed={more} and "
            f"seed={more + 1} too (commands under Reproduce; a grid: cueco-solo compare GRID "
            f"seed={more}), {then}"
        )
    common = [*seeds, seeds[-1] + 1, seeds[-1] + 2][:3]
    names = _listed(list(dict.fromkeys(row.label for row in alone)))
    return (
        f"One seed of {names}: no evidence for any method. Train each with "
        f"{_listed([f'seed={seed}' for seed in common])} (commands under Reproduce), {then}"
    )


def _main(table: ResultTable) -> list[int]:
    """The columns that count."""
    return [i for i, column in enumerate(table.columns) if column.main]


def _leaders(table: ResultTable, rows: Sequence[Row]) -> tuple[dict[str, int], int]:
    """In how many main metrics a row has the highest mean, most first; of how many."""
    leads: dict[str, int] = {}
    contested = 0
    for i in _main(table):
        cells = [(row.label, cell.mean) for row in rows if (cell := row.cells[i])]
        if len(cells) > 1:
            contested += 1
            best = max(mean for _, mean in cells)
            for label in (label for label, mean in cells if mean == best):
                leads[label] = leads.get(label, 0) + 1
    return dict(sorted(leads.items(), key=lambda item: -item[1])), contested


def _of_data(table: ResultTable, dataset: str, leads: dict[str, int], contested: int) -> list[str]:
    first, *others = leads
    of = f"{leads[first]} of {contested}" if leads[first] < contested else f"all {contested}"
    metrics = "the one main metric" if contested == 1 else f"{of} main metrics"
    counts = [f"{first} has the highest mean in {metrics}"]
    counts += [f"{label} in {leads[label]}" for label in others]
    text = f"On {dataset}, {_listed(counts)}."
    return [text, *_over_baseline(table, dataset, first)]


def _over_baseline(table: ResultTable, dataset: str, leader: str) -> list[str]:
    """The leader, or the baseline's nearest rival, in the first main metric."""
    main = {table.columns[i].key for i in _main(table)}
    here = [d for d in table.differences if d.row.dataset == dataset and d.column.key in main]
    here = [d for d in here if not is_untrained(d.row) and _over_seeds(d)]
    if not here:
        return []
    own = [d for d in here if d.row.label == leader]
    columns = [column.key for column in table.columns]
    place = min(columns.index(d.column.key) for d in here)
    rivals = [d for d in here if d.column.key == columns[place]]
    first = own[0] if own else max(rivals, key=lambda d: d.paired.difference)
    mean, low, high, n = first.paired
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
    """The last logged figures of the representations, by method and data set: means over runs.

    Returns:
        ``columns``: title and how it reads; ``rows``: method, its name with the data set
        where there are several, and text of each figure, or None.
    """
    columns = [each for each in _HEALTH if any(each[0] in r["curves"] for r in document.runs)]
    rows = []
    several = len({run["dataset"] for run in document.runs}) > 1
    for series, dataset in dict.fromkeys((run["series"], run["dataset"]) for run in document.runs):
        runs = [r for r in document.runs if (r["series"], r["dataset"]) == (series, dataset)]
        values = []
        for name, _, _ in columns:
            last = [r["curves"][name]["value"][-1] for r in runs if name in r["curves"]]
            values.append(_text(name, mean_std(last).mean) if last else None)
        if any(values):
            rows.append((series, f"{series} · {dataset}" if several else series, values))
    return {"columns": [(title, reads) for _, title, reads in columns], "rows": rows}


def _text(name: str, value: float) -> str:
    if name.endswith("share"):
        return f"{100 * value:.0f} %"
    digits = 1 if name.endswith(("rankme", "perplexity")) else 2
    return f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")
