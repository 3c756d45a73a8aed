"""The options of a method: declared once, checked against what the user wrote."""

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf

from cueco_solo.errors import config_error


@dataclass(frozen=True)
class Option:
    """One key under ``method_kwargs``.

    Args:
        default: the value of an absent key; its type is the option's type. An ``int`` is welcome
            where a ``float`` is expected, nothing else is converted.
        low: smallest allowed number; excluded where ``above`` is true.
        high: largest allowed number; needs ``low``.
        above: ``low`` itself is not allowed.
        choices: the allowed words of a ``str`` option.
        kind: the type, where it can't be read off ``default`` because that is ``None``.
        items: what each element of a list must be; makes the option a list, which may be empty.
        or_item: one such element is allowed in place of a list.
    """

    default: Any
    low: float | None = None
    high: float | None = None
    above: bool = False
    choices: tuple[str, ...] = ()
    kind: type | None = None
    items: "Option | None" = None
    or_item: bool = False

    @property
    def type(self) -> type:
        return self.kind or type(self.default)

    @property
    def allowed(self) -> str:
        """What may stand there, as a sentence part."""
        if self.items:
            single = self.items.allowed.removeprefix("must be ")
            if self.or_item:
                return f"must be {single}, or a list of such"
            return f"must be a list, each item {single}"
        if self.choices:
            return f"must be one of {', '.join(self.choices)}"
        if self.type is bool:
            return "must be True or False"
        if self.type is str:
            return "must be text"
        words = "an integer" if self.type is int else "a number"
        if self.low is not None and self.high is not None:
            left = "(" if self.above else "["
            return f"must be {words} in {left}{self.low:g}, {self.high:g}]"
        if self.low is not None:
            return f"must be {words} {'above' if self.above else 'of at least'} {self.low:g}"
        return f"must be {words}"

    def accepts(self, value: Any) -> bool:
        if self.default is None and value is None:
            return True
        if self.items:
            if isinstance(value, Sequence) and not isinstance(value, str):
                return all(map(self.items.accepts, value))
            return self.or_item and self.items.accepts(value)
        if isinstance(value, bool) or self.type is bool:
            return isinstance(value, bool) and self.type is bool
        if self.type is str:
            return isinstance(value, str) and (not self.choices or value in self.choices)
        numeric = (int,) if self.type is int else (int, float)
        if not isinstance(value, numeric) or not math.isfinite(value):
            return False
        if self.low is not None and (value < self.low or (self.above and value == self.low)):
            return False
        return self.high is None or value <= self.high


def fill_options(
    cfg: DictConfig, options: Mapping[str, Option], section: str = "method_kwargs"
) -> DictConfig:
    """Check ``cfg.<section>`` against ``options`` and fill in the defaults, in place.

    Args:
        cfg: the whole configuration.
        options: the section's allowed keys.
        section: the dotted name of the section.

    Returns:
        DictConfig: ``cfg`` itself.

    Raises:
        ConfigError: the section is no mapping, or holds an unknown key, a wrong type or a value out
            of range.
    """
    given = OmegaConf.select(cfg, section)
    if given is None:
        given = {}
    if not isinstance(given, Mapping):
        raise config_error(
            section, given, "must be a mapping", f"allowed keys: {', '.join(options)}"
        )
    for key in given:
        if key not in options:
            close = difflib.get_close_matches(str(key), options, n=1)
            hint = f"did you mean {section}.{close[0]}?" if close else "remove it."
            raise config_error(
                f"{section}.{key}",
                OmegaConf.select(cfg, f"{section}.{key}", throw_on_missing=False),
                "is not an option of this method",
                f"{hint} Allowed: {', '.join(options)}",
            )
    for key, option in options.items():
        name = f"{section}.{key}"
        value = OmegaConf.select(cfg, name, default=option.default)
        if not option.accepts(value):
            default = (
                "depends on the other settings"
                if option.default is None
                else f"is {option.default!r}"
            )
            raise config_error(name, value, option.allowed, f"the default {default}")
        if option.type is float and isinstance(value, int):
            value = float(value)
        OmegaConf.update(cfg, name, value, merge=False, force_add=True)
    return cfg
