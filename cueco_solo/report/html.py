"""Draws a report as one HTML text that needs nothing but itself: no network, no other file."""

import itertools
import json
from collections.abc import Sequence
from datetime import datetime
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from cueco_solo.report.document import Document, Figure, RunPart
from cueco_solo.results import tables
from cueco_solo.results.differences import differences, verdicts

_SCRIPTS = ("base.js", "tables.js", "plots.js", "charts.js", "features.js", "config.js")


def render(document: Document) -> str:
    """The whole page of a report.

    Args:
        document: what it shows. Strings in it are shown as they are, never as markup.

    Returns:
        HTML with styles, scripts (plotly.js among them) and data inline.

    Raises:
        ValueError: a number in the document is NaN or infinite.
    """
    from plotly.offline import get_plotlyjs

    return _template().render(
        **_view(document),
        style=Markup(_asset("style.css")),
        theme=_script(_asset("theme.js")),
        scripts=_script("\n".join(_asset(name) for name in _SCRIPTS)),
        plotly=_script(get_plotlyjs()),
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


def _asset(name: str) -> str:
    return (resources.files("cueco_solo.report") / "assets" / name).read_text(encoding="utf-8")


def _view(document: Document) -> dict[str, Any]:
    runs = document["runs"]
    figures = [figure for run in runs for figure in run["figures"]]
    ours, others = tables.columns(figures), tables.columns(document["published"])
    series = tables.series_names(runs)
    compared = differences(document["comparisons"])
    return {
        "title": document["title"],
        "created": document["created"],
        "created_text": _date(document["created"]),
        "runs": runs,
        "labels": tables.run_labels(runs, series),
        "places": {run["id"]: place for place, run in enumerate(runs)},
        "colours": _colours(list(series.values())),
        "datasets": list(dict.fromkeys(run["dataset"] for run in runs)),
        "methods": list(dict.fromkeys(run["method"] for run in runs)),
        "columns": ours,
        "rows": tables.summary(runs, ours),
        "published_columns": others,
        "repeated": _repeated(document["published"]),
        "published": tables.published_rows(document["published"], others),
        "baseline": document["baseline"],
        "differences": compared,
        "verdicts": verdicts(compared),
        "protocol_title": tables.protocol_title,
        "has": _parts(runs),
        "missing": _missing(runs),
    }


def _payload(document: Document) -> dict[str, Any]:
    """What the scripts draw from; the tables are in the HTML already."""
    runs = document["runs"]
    series = tables.series_names(runs)
    labels = tables.run_labels(runs, series)
    colours = _colours(list(series.values()))
    rows = tables.summary(runs, [])
    place = {
        run["id"]: i
        for i, row in enumerate(rows)
        for run, _ in row.runs
        if row.dataset == run["dataset"]
    }
    own = {run["id"]: [f for f in run["figures"] if f["dataset"] == run["dataset"]] for run in runs}
    shown = ("id", "dataset", "images", "curves", "embedding", "clusters", "companions", "config")
    return {
        "runs": [
            {name: run[name] for name in shown}  # type: ignore[literal-required]
            | {
                "label": labels[run["id"]],
                "series": series[run["id"]],
                "colour": colours[series[run["id"]]],
                "row": place[run["id"]],
                "figures": [[f["protocol"], f["metric"], f["value"]] for f in own[run["id"]]],
            }
            for run in runs
        ],
        "rows": _row_names(rows),
        "columns": [
            [c.protocol, c.metric, f"{tables.protocol_title(c.protocol)}: {c.title}"]
            for c in tables.columns(itertools.chain.from_iterable(own.values()))
        ],
        "images": document["images"],
    }


def _groups(items: Sequence[Any], attribute: str) -> list[tuple[Any, list[Any]]]:
    """Jinja's groupby without its sorting."""
    groups: dict[Any, list[Any]] = {}
    for item in items:
        groups.setdefault(getattr(item, attribute), []).append(item)
    return list(groups.items())


def _colours(series: list[str]) -> dict[str, int]:
    return {name: i for i, name in enumerate(dict.fromkeys(series))}


def _repeated(published: Sequence[Figure]) -> bool:
    """Whether a source states something twice, with values that may differ."""
    named = [tuple(v for k, v in figure.items() if k != "value") for figure in published]
    return len(set(named)) < len(named)


def _row_names(rows: Sequence[tables.Row]) -> list[str]:
    """Methods, with what else tells the rows apart."""
    varying = [
        name
        for name in ("dataset", "backbone", "epochs")
        if len({getattr(r, name) for r in rows}) > 1
    ]
    return [
        " · ".join([row.series, *(_said(name, getattr(row, name)) for name in varying)])
        for row in rows
    ]


def _said(name: str, value: object) -> str:
    return f"{value or 'unknown'} epochs" if name == "epochs" else str(value)


def _parts(runs: Sequence[RunPart]) -> dict[str, bool]:
    def path(run: RunPart) -> bool:
        return any(
            name.replace("alignment", "uniformity") in run["curves"]
            for name in run["curves"]
            if "alignment" in name
        )

    return {
        "figures": any(run["figures"] for run in runs),
        "curves": any(run["curves"] for run in runs),
        "path": any(path(run) for run in runs),
        "embedding": any(run["embedding"] for run in runs),
        "clusters": any(run["clusters"] for run in runs),
        "companions": any(run["companions"] for run in runs),
        "config": any(run["config"] for run in runs),
    }


def _missing(runs: Sequence[RunPart]) -> dict[str, list[RunPart]]:
    """By sentence, the runs that it is said of."""
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
