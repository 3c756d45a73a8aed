"""Draws a report as one HTML text that needs nothing but itself: no network, no other file."""

import json
from collections.abc import Sequence
from datetime import datetime
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from cueco_solo.report.differences import difference_views, forest, verdicts
from cueco_solo.report.document import Document, RunPart
from cueco_solo.report.verdict import health, is_untrained, verdict
from cueco_solo.results.table import DIFFERENCE_OVER_IMAGES, ResultTable, Row, Single

_SCRIPTS = ("base.js", "plots.js", "tables.js", "charts.js", "features.js", "config.js")
_PLOTLY = "plotly-cartesian"


def render(document: Document) -> str:
    """The whole page of a report.

    Args:
        document: what it shows. Strings in it are shown as they are, never as markup.

    Returns:
        HTML with styles, scripts (plotly.js among them) and data inline.

    Raises:
        ValueError: a number in the document is NaN or infinite.
    """
    return _template().render(
        **_view(document),
        style=Markup(_asset("style.css")),
        theme=_script(_asset("theme.js")),
        scripts=_script("\n".join(_asset(name) for name in _SCRIPTS)),
        plotly=_script(_comment(_asset(f"{_PLOTLY}.LICENSE.txt")) + _asset(f"{_PLOTLY}.min.js")),
        data=embedded_json(_payload(document)),
    )


def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("cueco_solo.report", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["groupby_kept"] = _groups
    return environment.get_template("report.html.j2")


def embedded_json(value: Any) -> Markup:
    """JSON for a script element: nothing in it can end the element or open a comment."""
    # Non-ASCII, U+2028 included, is escaped by json itself.
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def _script(text: str) -> Markup:
    return Markup(text.replace("</script", "<\\/script").replace("<!--", "<\\!--"))


def _comment(text: str) -> str:
    return f"/*\n{text.replace('*/', '* /')}*/\n"


def _asset(name: str) -> str:
    return (resources.files("cueco_solo.report") / "assets" / name).read_text(encoding="utf-8")


def _view(document: Document) -> dict[str, Any]:
    runs, table = document.runs, document.table
    compared = difference_views(table.differences)
    return {
        "title": document.title,
        "created": document.created,
        "created_text": _date(document.created),
        "runs": runs,
        "labels": {run["id"]: run["label"] for run in runs},
        "single_label": lambda row, single: _label(row, single, document),
        "places": {run["id"]: place for place, run in enumerate(runs)},
        "colours": _colours(document),
        "datasets": list(dict.fromkeys(run["dataset"] for run in runs)),
        "methods": list(dict.fromkeys(run["method"] for run in runs)),
        "columns": table.columns,
        "rows": table.rows,
        "published": table.published,
        "published_columns": table.published_columns,
        "notes": table.notes,
        "baseline": table.baseline,
        "constant": _constant(table),
        "varying": _varying(table),
        "is_untrained": is_untrained,
        "verdict": verdict(document),
        "health": health(document),
        "differences": compared,
        "forest": forest(compared),
        "place": lambda row: next(i for i, other in enumerate(table.rows) if other is row),
        "over_images": table.over_images,
        "verdicts": verdicts(compared),
        "differences_over_images": DIFFERENCE_OVER_IMAGES
        if any(view.item.over_images for view in compared)
        else "",
        "knn": [{**sweep, "shades": _shades(sweep["means"])} for sweep in document.knn],
        "has": _parts(runs),
        "missing": _missing(runs),
    }


def _payload(document: Document) -> dict[str, Any]:
    """What the scripts draw from; the tables are in the HTML already."""
    table, colours = document.table, _colours(document)
    shown = ("id", "label", "series", "dataset", "images", "config")
    drawn = ("steps_per_epoch", "curves", "embedding", "clusters", "companions")
    several = len({row.dataset for row in table.rows}) > 1
    return {
        "runs": [
            {name: run[name] for name in (*shown, *drawn)}  # type: ignore[literal-required]
            | {"colour": colours[run["series"]]}
            for run in document.runs
        ],
        "columns": [
            f"{column.group}: {column.title}{_unit(column.metric)}" for column in table.columns
        ],
        "rows": [
            {
                "name": f"{row.label} · {row.dataset}" if several else row.label,
                "colour": colours[row.series],
                "series": row.series,
                "untrained": is_untrained(row),
                "runs": [[_label(row, s, document), _values(s, table)] for s in row.singles],
            }
            for row in table.rows
        ],
        "images": document.images,
    }


def _unit(metric: str) -> str:
    return "" if metric.startswith(("rankme", "seconds")) else ", %"


_SETUP = ("dataset", "backbone", "epochs")


def _trained(table: ResultTable) -> list[Row]:
    return [row for row in table.rows if not is_untrained(row)]


def _varying(table: ResultTable) -> set[str]:
    """What of data, network, epochs and number of runs isn't the same in all trained rows."""
    rows = _trained(table)
    found = {name for name in _SETUP if len({getattr(row, name) for row in rows}) > 1}
    return found | ({"runs"} if len({len(row.singles) for row in rows}) > 1 else set())


def _constant(table: ResultTable) -> str:
    """The rest of that, for the caption."""
    rows, varying = _trained(table), _varying(table)
    if not rows:
        return ""
    row, number = rows[0], len(rows[0].singles)
    words = {
        "dataset": row.dataset,
        "backbone": row.backbone,
        "epochs": row.length,
        "runs": "1 run each" if number == 1 else f"{number} runs each",
    }
    return ", ".join(text for name, text in words.items() if text and name not in varying)


def _label(row: Row, single: Single, document: Document) -> str:
    """The run's label; in the untrained backbone's row its seed."""
    if row.series != single.run.series:
        return f"{row.series} · seed {single.run.seed}"
    return next(run["label"] for run in document.runs if run["id"] == single.run.id)


def _values(single: Single, table: ResultTable) -> list[float | None]:
    found = [single.figures.get(column.key) for column in table.columns]
    return [figure and figure["value"] for figure in found]


def _groups(items: Sequence[Any], attribute: str) -> list[tuple[Any, list[Any]]]:
    """Jinja's groupby without its sorting."""
    groups: dict[Any, list[Any]] = {}
    for item in items:
        groups.setdefault(getattr(item, attribute), []).append(item)
    return list(groups.items())


def _colours(document: Document) -> dict[str, int]:
    """A number for each series, those of runs first, so that curves and rows share theirs."""
    series = [run["series"] for run in document.runs] + [row.series for row in document.table.rows]
    return {name: i for i, name in enumerate(dict.fromkeys(series))}


def _parts(runs: Sequence[RunPart]) -> dict[str, bool]:
    def path(run: RunPart) -> bool:
        return any(
            name.replace("alignment", "uniformity") in run["curves"]
            for name in run["curves"]
            if "alignment" in name
        )

    return {
        "curves": any(run["curves"] for run in runs),
        "path": any(path(run) for run in runs),
        "embedding": any(run["embedding"] for run in runs),
        "clusters": any(run["clusters"] for run in runs),
        "companions": any(run["companions"] for run in runs),
        "config": any(run["config"] for run in runs),
    }


def _shades(means: Sequence[Sequence[float | None]]) -> list[list[int]]:
    """How strong each cell's colour is: 0 percent of the lowest figure, 100 of the highest."""
    there = [value for row in means for value in row if value is not None]
    low, span = min(there), max(there) - min(there)
    return [
        [0 if value is None or not span else round(100 * (value - low) / span) for value in row]
        for row in means
    ]


def _missing(runs: Sequence[RunPart]) -> dict[str, list[RunPart]]:
    """By sentence, the runs that it concerns."""
    sentences: dict[str, list[RunPart]] = {}
    for run in runs:
        for sentence in run["missing"]:
            sentences.setdefault(sentence, []).append(run)
    return sentences


def _date(created: str) -> str:
    try:
        moment = datetime.fromisoformat(created)
    except ValueError:
        return created
    return f"{moment.day} {moment:%B %Y, %H:%M %Z}".strip()
