"""``cueco-solo options``: the keys of a configuration, what is allowed, defaults and meaning."""

import argparse
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from cueco_solo.arguments import add_command

if TYPE_CHECKING:
    from cueco_solo.options import Options

_TITLES = {
    "cueco": "CueCo",
    "rcl": "RCL",
    "self_classifier": "Self-Classifier",
    "training": "Pre-training",
    "linear": "Linear evaluation and fine-tuning: what differs from pre-training",
}
_INTRODUCTION = """\
# Options

The keys that a configuration may have, as `cueco-solo options NAME` prints them. `derived` defaults
depend on other settings and stand in the description. Where no range is given, solo-learn or
Lightning check the value. The options of solo-learn's own methods under `method_kwargs` are
solo-learn's. Written by `cueco-solo options --markdown > docs/options.md`."""


class _Row(NamedTuple):
    key: str
    allowed: str
    default: str
    description: str


def add_parsers(commands: Any) -> None:
    parser = add_command(
        commands,
        "options",
        run,
        "list the keys of a configuration",
        """List the options of a method, of pre-training or of linear evaluation: key, default, what
        is allowed, description. Without a name, list the names.""",
        "cueco-solo options cueco",
        "cueco-solo options training",
    )
    parser.add_argument(
        "name", nargs="?", choices=list(_TITLES), help="whose options (default: list the names)"
    )
    parser.add_argument("--markdown", action="store_true", help="all tables, as docs/options.md")


def run(args: argparse.Namespace) -> None:
    """Print the names, one table or, as Markdown, all of them."""
    if args.markdown:
        print(_INTRODUCTION)
        for name, rows in _tables().items():
            print(f"\n## {_TITLES[name]}\n", *_markdown(rows), sep="\n")
    elif args.name:
        print(*_text(_tables()[args.name]), sep="\n")
    else:
        print(*(f"{name:16}{title}" for name, title in _TITLES.items()), sep="\n")


def _tables() -> dict[str, list[_Row]]:
    from cueco_solo.methods.cueco_options import CueCoMomentum, CueCoOptions
    from cueco_solo.methods.rcl_options import RCLMomentum, RCLOptions
    from cueco_solo.methods.self_classifier_options import SelfClassifierOptions
    from cueco_solo.training.augmentations import ViewOptions
    from cueco_solo.training.sections import LinearSettings, PretrainingSettings
    from cueco_solo.training.settings import DEFAULTS, UNCHECKED_IN_LINEAR

    training = [*_rows(PretrainingSettings), *_rows(ViewOptions)]
    linear = _rows(LinearSettings)
    return {
        "cueco": [*_rows(CueCoOptions), *_rows(CueCoMomentum)],
        "rcl": [*_rows(RCLOptions), *_rows(RCLMomentum)],
        "self_classifier": list(_rows(SelfClassifierOptions)),
        "training": [
            row._replace(default=str(DEFAULTS.get(row.key, row.default))) for row in training
        ],
        "linear": [
            row
            for row in linear
            if row not in training and not row.key.startswith(UNCHECKED_IN_LINEAR)
        ],
    }


def _rows(model: "type[Options]", section: str = "") -> Iterator[_Row]:
    from cueco_solo.options import is_derived, is_section, kind_of

    for key, field in model.model_fields.items():
        name, kind = f"{section or model.section}.{key}".removeprefix("."), field.annotation
        if is_section(kind):
            yield from _rows(kind, name)  # type: ignore[arg-type]
            continue
        default = "null" if field.default is None else str(field.default)
        if field.is_required() or is_derived(field):
            default = "required" if field.is_required() else "derived"
        yield _Row(name, kind_of(field), default, field.description or "")


def _text(rows: list[_Row]) -> Iterator[str]:
    """For terminals of 80 columns, with each description below the rest."""
    wide = [max(len(row[column]) for row in rows) for column in (0, 2)]
    for row in rows:
        yield f"{row.key:{wide[0]}}  {row.default:{wide[1]}}  {row.allowed}".rstrip()
        yield from textwrap.wrap(row.description, 80, initial_indent="  ", subsequent_indent="  ")


def _markdown(rows: list[_Row]) -> Iterator[str]:
    yield "| key | allowed | default | description |"
    yield "|-----|---------|---------|-------------|"
    for key, *cells in rows:
        escaped = (cell.replace("|", r"\|") for cell in cells)
        yield f"| `{key}` | {' | '.join(escaped)} |"
