"""Odd values, and what a command may do about them: accept them, or say so in one line.

``FUZZ_EXAMPLES=2000 pytest tests/fuzz --timeout 0`` tries that many, drawn anew each time.
"""

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from cueco_solo.cli import main

_EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))
# none that is a folder with much in it, or costs memory or minutes where it is valid
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 3, 2**31, 2**40, 2**63, 2**70, -(2**70)),
    *(0.0, 0.5, -0.5, 1.5, 1e-30, 1e30, 1e300, float("nan"), float("inf"), float("-inf")),
    *(
        "",
        " ",
        "x",
        "0",
        "1e400",
        "nan",
        "null",
        "???",
        "${oc.env:HOME}",
        "${seed}",
        "$",
        "{",
        "a.b",
    ),
    *("auto", "none", "\0", "\n", "ü", "\u2028", "a" * 300, "../x", "=", "%s"),
    *([], [None], [1], [0, 0], ["x"], [[1]], [{}], [1e300, -1], [float("nan")]),
    *({}, {"x": 1}, {"": None}, {"name": []}, {"x": {"y": [float("nan")]}}),
)


def odd() -> st.SearchStrategy[Any]:
    return st.sampled_from(ODD)


def fuzzed(examples: int) -> settings:
    """The same few examples each time, unless more are asked for."""
    return settings(
        max_examples=_EXAMPLES or examples,
        derandomize=not _EXAMPLES,
        database=None,
        deadline=None,
        report_multiple_bugs=True,
        suppress_health_check=list(HealthCheck),
    )


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of each value in nested content, sections included."""
    pairs: Any = node.items() if isinstance(node, dict) else ()
    pairs = enumerate(node) if isinstance(node, list) else pairs
    return [place for key, value in pairs for place in ((*path, key), *places(value, (*path, key)))]


def put(content: Any, path: tuple[Any, ...], value: Any) -> None:
    """Set a value in place; nothing where an earlier change took its section."""
    node = content
    for part in path[:-1]:
        try:
            node = node[part]
        except (KeyError, IndexError, TypeError):
            return
    if isinstance(node, dict) or (isinstance(node, list) and path[-1] in range(len(node))):
        node[path[-1]] = value


def checked(words: list[str], capsys: pytest.CaptureFixture[str], codes: tuple[int, ...]) -> int:
    """Run ``cueco-solo``: its exit code, one of ``codes``, or 2 with one line that says why."""
    capsys.readouterr()
    code = main(words)
    out = capsys.readouterr()
    assert "Traceback (most recent call last)" not in out.out + out.err
    errors = [line for line in out.err.splitlines() if line.startswith("cueco-solo: error: ")]
    assert (code == 2 and len(errors) == 1) or (code in codes and not errors), (code, out.err)
    if code == 2:
        text = out.err[out.err.index("cueco-solo: error: ") :]
        assert text.count("\n") == 1, text
        assert text.removeprefix("cueco-solo: error: ").strip()
    return code
