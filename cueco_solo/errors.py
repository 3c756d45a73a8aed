"""Errors that a user can cause and mend: one line, with the key, the value and the remedy."""

import difflib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any


class ConfigError(ValueError):
    """A configuration, an argument or a file that can't be used as it is.

    Attributes:
        exit_code: of a command that it ends.
    """

    exit_code = 2


class HostError(ImportError):
    """solo-learn is missing, too old, or can't do what was asked of it."""


def config_error(key: str, value: Any, allowed: str, remedy: str = "") -> ConfigError:
    """Build a :class:`ConfigError` with the one wording that every message of this package has.

    Args:
        key: the dotted configuration key or the command-line argument, as the user writes it.
        value: what stands there now.
        allowed: what is allowed there, as a sentence part: ``"must be in (0, 1]"``.
        remedy: what to do about it, as an imperative; left out where ``allowed`` says it all.
    """
    message = f"{key}={value!r} {allowed}"
    return ConfigError(f"{message}; {remedy}" if remedy else message)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``"did you mean X or Y"``; empty where nothing is close to a misspelt word."""
    close = difflib.get_close_matches(str(word), sorted(known), n=3)
    return f"did you mean {' or '.join(close)}" if close else ""


@contextmanager
def as_config_error(what: str, *kinds: type[Exception]) -> Iterator[None]:
    """Turn what other libraries raise about a configuration into a :class:`ConfigError`.

    Args:
        what: the sentence that their message completes.
        kinds: what is turned, besides TypeError and ValueError; ours pass as they are.
    """
    turned: tuple[type[Exception], ...] = (TypeError, ValueError, *kinds)
    try:
        yield
    except (ConfigError, HostError):
        raise
    except turned as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ConfigError(f"{what}: {reason}") from error


def moved(module: str, **names: str) -> Callable[[str], Any]:
    """A module's ``__getattr__`` under which imports of moved names fail with the new one."""

    def getattribute(name: str) -> Any:
        if name in names:
            raise ImportError(f"{module}.{name} is now cueco_solo.{names[name]}")
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return getattribute


def one_line(error: BaseException) -> str:
    """The message in one line; a worker process wraps it in a traceback, whose last line it is."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    text = lines[-1] if lines[0].startswith("Caught ") else " ".join(lines)
    return text.removeprefix(f"{type(error).__module__}.{type(error).__qualname__}: ")


__getattr__ = moved(__name__, told="errors.as_config_error")
