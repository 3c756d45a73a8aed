"""The folder of an export, checked before torch is imported."""

from pathlib import Path

from cueco_solo.errors import ConfigError, config_error


def check_folder(out: Path) -> None:
    """Refuse a folder in which something lies already.

    Raises:
        ConfigError: it isn't empty, is a file or can't be read.
    """
    try:
        taken = out.exists() and any(out.iterdir())
    except OSError as error:
        raise unusable(out, error) from error
    if taken:
        remedy = "give a new folder, or remove what is there"
        raise config_error("--out", str(out), "isn't empty", remedy)


def unusable(out: Path, error: OSError) -> ConfigError:
    """What to say of a folder that can't be read or written."""
    reason = f"can't be written ({error.strerror or error})"
    return config_error("--out", str(out), reason, "give a folder of yours")
