"""An export: the files of a backbone and its model card, in a folder of their own."""

from collections.abc import Iterable
from pathlib import Path

from cueco_solo.errors import ConfigError
from cueco_solo.export.card import model_card
from cueco_solo.export.folder import check_folder, unusable
from cueco_solo.export.formats import FORMATS, Written, check_format, export_file
from cueco_solo.export.subject import Subject
from cueco_solo.files import write_text

CARD = "README.md"


def possible_formats(subject: Subject) -> tuple[list[str], list[str]]:
    """Formats that this backbone can be had in here, and why not in the others, a line each."""
    possible, reasons = [], []
    for format in FORMATS:
        try:
            check_format(format, subject)
            possible.append(format)
        except ConfigError as error:
            reasons.append(str(error))
    return possible, reasons


def export_backbone(subject: Subject, formats: Iterable[str], out: Path) -> dict[str, Written]:
    """Write the files and the card, all of them or none; returns the files by format.

    Args:
        formats: of :data:`FORMATS`.
        out: a new or empty folder.

    Raises:
        ConfigError: the folder can't be written or isn't empty, a format can't be had, or what was
            written gives other features than the run.
    """
    check_folder(out)
    chosen = list(dict.fromkeys(formats))
    for format in chosen:
        check_format(format, subject)
    try:
        out.mkdir(parents=True, exist_ok=True)
        written = {format: export_file(format, subject, out) for format in chosen}
        write_text(out / CARD, model_card(subject, written))
    except BaseException as error:
        for name in (CARD, *(kind.file for kind in FORMATS.values())):
            if out.is_dir():
                (out / name).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise unusable(out, error) from error
        raise
    return written
