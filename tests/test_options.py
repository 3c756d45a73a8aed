"""Typed settings: what models refuse, in which words, and the documentation made from them."""

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Gt, Le
from omegaconf import DictConfig, OmegaConf
from pydantic import BeforeValidator, model_validator
from support import python, refusal

from cueco_solo.cli import main
from cueco_solo.errors import config_error
from cueco_solo.host.release import cfg as release
from cueco_solo.methods.cueco_options import CueCoOptions
from cueco_solo.options import Count, Options, Several, derived, option, required
from cueco_solo.training.sections import PretrainingSettings

_Radius = Annotated[int | float, Gt(0), Le(2)]


def _twice(value: Any) -> Any:
    return [value] * 2 if isinstance(value, int) else value


class Inner(Options):
    size: Count = required("")


class Example(Options):
    radii: list[_Radius] = option([0.8, 0.6], "")
    either: Annotated[list[Several], BeforeValidator(_twice)] = derived("")
    words: str | None = option(None, "")
    scale: float = option(1.0, "")

    @model_validator(mode="after")
    def _check_scale(self) -> Any:
        if self.scale == 13:
            raise config_error("method_kwargs.scale", 13, "brings bad luck")
        return self


class Outer(Options):
    section = ""
    inner: Inner
    kind: Literal["a", "b"] = option("a", "")


def cfg(**kwargs: Any) -> DictConfig:
    return OmegaConf.create({"method_kwargs": kwargs})


def message(model: type[Options], kwargs: Any) -> str:
    cfg = OmegaConf.create({"method_kwargs": kwargs})
    return refusal(model.read, cfg).removeprefix("method_kwargs.")


def test_defaults_follow_what_is_given_and_a_second_pass_changes_nothing():
    config = cfg(symmetric=False, temperature="???", num_clusters=7)
    options = CueCoOptions.read(config)
    assert "queue_size" not in config.method_kwargs and options.cluster_warmup_steps == 313
    assert options.write(config) is config
    keys = list(config.method_kwargs)
    assert set(keys) == set(CueCoOptions.model_fields) and keys[0] == "symmetric"
    assert config.method_kwargs.temperature == 0.2
    before = OmegaConf.to_container(config)
    assert OmegaConf.to_container(CueCoOptions.read(config).write(config)) == before


def test_an_integer_is_welcome_where_a_float_is():
    value = CueCoOptions.read(cfg(temperature=1)).temperature
    assert value == 1.0 and isinstance(value, float)


@pytest.mark.parametrize(
    ("keys", "values", "allowed"),
    [
        (
            "temperature",
            (0, -0.2, "0.2", None, [0.2]),
            "a number in [0.001, 1000]; the default is ",
        ),
        ("temperature", (float("nan"), float("inf"), True, 1e-30), "a number in [0.001, 1000]; "),
        ("queue_size", (0, 128.0, True, "9"), "an integer of at least 2; the default is 16384"),
        ("num_clusters", (1, 2.5), "an integer of at least 2; the default depends on the other se"),
        ("centroid_momentum", (1.01, -0.01), "a number in [0, 1]; the default is 0.99"),
        ("symmetric", (1, "yes", None), "True or False; the default is True"),
        ("assignment", ("fuzzy", 3), "one of hard, soft; the default is 'hard'"),
        ("variance_weight", (-1,), "a number of at least 0; the default is 0.01"),
    ],
)
def test_bad_values_name_key_value_what_is_allowed_and_the_default(keys, values, allowed):
    for value in values:
        found = message(CueCoOptions, {keys: value})
        assert found.startswith(f"{keys}={value!r} must be {allowed}")


@pytest.mark.parametrize(
    ("key", "values", "allowed"),
    [
        (
            "radii",
            (0.5, [0], [0.5, 2.1], [0.5, "0.4"], [[0.5]], [True], "0.5", {"a": 0.5}, None),
            "must be a list, each item a number in (0, 2]; the default is [0.8, 0.6]",
        ),
        (
            "either",
            (1, [3, 1], 2.5, True),
            "must be an integer of at least 2, or a list of such; the default depends on the other "
            "settings",
        ),
        ("words", (3,), "must be text; the default is None"),
        ("scale", ("x",), "must be a number; the default is 1.0"),
        ("scale", (13,), "brings bad luck"),
    ],
)
def test_lists_text_and_rules(key, values, allowed):
    for value in values:
        assert message(Example, {key: value}) == f"{key}={value!r} {allowed}"


def test_lists_are_accepted_item_by_item_and_keep_their_integers():
    for given in ([0.5], [2, 0.1, 1], []):
        assert repr(Example.read(cfg(radii=given)).radii) == repr(given)
    for given, found in ((3, [3, 3]), ([3], [3]), (None, None)):
        assert Example.read(cfg(either=given)).either == found


def test_a_default_list_is_not_shared():
    first, second = (Example.read(cfg()).radii for _ in range(2))
    first[0] = 0.1
    assert second == Example.read(cfg()).radii == [0.8, 0.6]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"inner": {}}, "inner.size=None is missing; add inner.size=... to the configuration"),
        ({"inner": {"size": 0}}, "inner.size=0 must be an integer of at least 1"),
        ({"inner": 3}, "inner=3 must be a mapping"),
        (
            {"inner": {"size": 1, "siz": 2}},
            "inner.siz=2 is not an option of this method; did you mean inner.size? Allowed: size",
        ),
    ],
)
def test_sections_within_sections(values: dict[str, Any], expected: str):
    assert refusal(Outer.check, values) == expected


def test_unknown_keys_come_first_and_have_a_suggestion():
    assert message(CueCoOptions, {"temperature": 0, "queue_sise": 8}).startswith(
        "queue_sise=8 is not an option of this method; did you mean method_kwargs.queue_size? Allow"
    )
    assert message(CueCoOptions, {"zebra": "???"}).startswith(
        "zebra='???' is not an option of this method; remove it. Allowed: proj_hidden_dim, "
    )


def test_a_section_that_is_no_mapping():
    found = message(CueCoOptions, [1])
    assert found.startswith("method_kwargs=[1] must be a mapping; allowed keys: proj_hidden_dim, ")


def test_documented_defaults_are_solo_learns():
    defaults = release.METHOD_DEFAULTS | release.MOMENTUM_DEFAULTS | release._PRETRAIN_DEFAULTS
    # each method's own, cueco-solo's, and "None" that Lightning takes for "auto"
    for key in ("momentum.base_tau", "seed", "checkpoint.dir", "strategy"):
        del defaults[key]
    for key, default in defaults.items():
        field: Any = None
        model: Any = PretrainingSettings
        for part in key.split("."):
            field = model.model_fields[part]
            model = field.annotation
        assert field.default == default, key


def test_the_documentation_is_current(capsys: pytest.CaptureFixture[str]):
    """Else: cueco-solo options --markdown > docs/options.md"""
    assert main(["options", "--markdown"]) == 0
    file = Path(__file__).parents[1] / "docs" / "options.md"
    assert capsys.readouterr().out == file.read_text()


def test_options_are_listed_without_torch():
    code = """
import sys
from cueco_solo.cli import main
for args in ([], ["rcl"], ["linear"]):
    main(["options", *args])
print([name for name in ("torch", "lightning", "solo") if name in sys.modules])
"""
    done = python("-c", code)
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "rcl RCL" in lines
    assert "method_kwargs.max_splits 4 an integer of at least 2" in lines
    assert "finetune False" in lines
    assert not any("optimizer.lr" in line for line in lines)  # as in pre-training
    assert lines[-1] == "[]"
