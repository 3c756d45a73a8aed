"""Typed settings: what the models of all configuration sections share.

A model has a section's keys with type, range, default and description, and is the only place that
has them: messages, ``cueco-solo options`` and docs/options.md are derived from it.
"""

import difflib
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Len
from omegaconf import DictConfig, OmegaConf
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from cueco_solo.errors import ConfigError, config_error

Positive = Annotated[float, Gt(0)]
NonNegative = Annotated[float, Ge(0)]
Share = Annotated[float, Ge(0), Le(1)]
Count = Annotated[int, Ge(1)]
Size = Annotated[int, Ge(0)]
Several = Annotated[int, Ge(2)]
Seed = Annotated[int, Ge(0), Le(2**32 - 1)]
# float32 has no use for others
TEMPERATURES = 0.001, 1000
Temperature = Annotated[float, Ge(TEMPERATURES[0]), Le(TEMPERATURES[1])]


_T = TypeVar("_T")


def option(default: _T, description: str) -> _T:
    """A field that may be left out."""
    return Field(default, description=description)


def required(description: str) -> Any:
    """A field that must be given."""
    return Field(description=description)


def derived(description: str) -> Any:
    """A field whose default depends on other settings: None until they are known.

    Its annotation is the type that it then has. None counts as absent.
    """
    return Field(None, description=description)


class Options(BaseModel):
    """A section of the configuration. An ``int`` is welcome where a ``float`` is expected.

    Attributes:
        section: its dotted name, empty for the whole configuration.
        owner: whose options they are, for messages.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True
    )
    section: ClassVar[str] = "method_kwargs"
    owner: ClassVar[str] = "this method"

    @classmethod
    def read(cls, cfg: DictConfig) -> Self:
        """The section of a whole configuration, which stays as it is.

        Raises:
            ConfigError: the section is no mapping, or holds an unknown key, a wrong type, a value
                out of range or values that don't go together.
        """
        given = OmegaConf.select(cfg, cls.section)
        if not isinstance(given, Mapping | None):
            keys = f"allowed keys: {', '.join(cls.model_fields)}"
            raise config_error(cls.section, given, "must be a mapping", keys)
        values: Any = {} if given is None else OmegaConf.to_container(given, resolve=True)
        known = cls.model_fields  # in which ??? counts as absent
        return cls.check({k: values[k] for k in values if values[k] != "???" or k not in known})

    @classmethod
    def check(cls, values: Mapping[str, Any], section: str | None = None) -> Self:
        """The model of plain ``values``.

        Args:
            values: by key.
            section: its name in messages, if not the class's.

        Raises:
            ConfigError: as in :meth:`read`.
        """
        fields = cls.model_fields
        nulls = [k for k in values if k in fields and values[k] is fields[k].default is None]
        try:
            return cls.model_validate({k: values[k] for k in values if k not in nulls})
        except ValidationError as error:
            # the sort is stable: unknown keys first, then the fields in their order
            errors = sorted(error.errors(), key=lambda each: each["type"] not in _UNKNOWN)
        raise cls._config_error(errors[0], values, cls.section if section is None else section)

    @classmethod
    def _config_error(cls, error: Any, values: Any, section: str) -> ConfigError:
        """The error of ours for one of pydantic's."""
        raised = error.get("ctx", {}).get("error")
        if isinstance(raised, ConfigError):
            return raised
        model: Any = cls
        names, field = [section] if section else [], None
        for part in error["loc"]:
            if not is_section(model):
                break  # inside a list
            names.append(str(part))
            keys, field = model.model_fields, model.model_fields.get(part)
            values, model = values.get(part), field and field.annotation
        key = ".".join(names)
        if field is None:
            close = difflib.get_close_matches(names[-1], keys, n=1)
            hint = f"did you mean {'.'.join([*names[:-1], *close])}?" if close else "remove it."
            allowed = f"is not an option of {cls.owner}"
            return config_error(key, values, allowed, f"{hint} Allowed: {', '.join(keys)}")
        if error["type"] == "missing":
            return config_error(key, None, "is missing", f"add {key}=... to the configuration")
        remedy = "the default depends on the other settings"
        if not is_derived(field):
            remedy = "" if field.is_required() else f"the default is {field.default!r}"
        return config_error(key, values, f"must be {kind_of(field)}", remedy)

    def revised(self, **values: Any) -> Self:
        """The same with other values, checked again."""
        return self.check({**self.model_dump(), **values})

    def write(self, cfg: DictConfig) -> DictConfig:
        """Fill the section of ``cfg``, in place, with all values; returns ``cfg`` itself."""
        for key in type(self).model_fields:
            name, value = f"{self.section}.{key}", getattr(self, key)
            OmegaConf.update(cfg, name, value, merge=False, force_add=True)
        return cfg


_UNKNOWN = ("extra_forbidden", "invalid_key")


def is_section(annotation: Any) -> bool:
    """Whether a field of this annotation is a section of its own."""
    return isinstance(annotation, type) and issubclass(annotation, Options)


def is_derived(field: FieldInfo) -> bool:
    """Whether the field's default depends on other settings, see :func:`derived`."""
    optional = field.annotation is Any or NoneType in get_args(field.annotation)
    return field.default is None and not optional


def kind_of(field: FieldInfo) -> str:
    """What may stand in a field: ``"a number in (0, 2]"``; empty where anything may."""
    return _kind(field.annotation, field.metadata)


def _kind(annotation: Any, constraints: Any) -> str:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _kind(args[0], args[1:])
    if origin in (Union, UnionType):  # a type or None; or both types of numbers
        kinds = [arg for arg in args if arg is not NoneType]
        if bool in kinds[:-1]:
            return " or ".join(_kind(kind, ()).removeprefix("one of ") for kind in kinds)
        return _kind(kinds[-1], constraints)
    if origin is Literal:
        return f"one of {', '.join(args)}"
    if origin is list:
        item = _kind(args[0], ())
        if any(isinstance(each, BeforeValidator) for each in constraints):
            return f"{item}, or a list of such"
        sizes = [f" of {each.min_length}" for each in constraints if isinstance(each, Len)]
        return f"a list{''.join(sizes)}, each item {item}"
    if annotation is Any:
        return ""
    words = {bool: "True or False", str: "text", int: "an integer", float: "a number"}
    kind = words.get(annotation, "a mapping")
    limits = {
        name: getattr(each, name)
        for each in constraints
        for name in ("gt", "ge", "le")
        if hasattr(each, name)
    }
    low = limits.get("gt", limits.get("ge"))
    if "le" in limits:
        return f"{kind} in {'(' if 'gt' in limits else '['}{low}, {limits['le']}]"
    return kind if low is None else f"{kind} {'above' if 'gt' in limits else 'of at least'} {low}"
