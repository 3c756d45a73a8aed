import pytest
from omegaconf import OmegaConf

from cueco_solo.errors import ConfigError
from cueco_solo.methods.cueco_options import OPTIONS
from cueco_solo.options import Option, fill_options


def filled(**kwargs):
    return fill_options(OmegaConf.create({"method_kwargs": kwargs}), OPTIONS).method_kwargs


def test_defaults_are_filled_in_and_a_second_pass_changes_nothing():
    cfg = fill_options(OmegaConf.create({}), OPTIONS)
    assert cfg.method_kwargs.cluster_warmup_steps == 313
    assert set(cfg.method_kwargs) == set(OPTIONS)
    before = OmegaConf.to_container(cfg)
    assert OmegaConf.to_container(fill_options(cfg, OPTIONS)) == before


def test_an_integer_is_welcome_where_a_float_is():
    value = filled(temperature=1).temperature
    assert value == 1.0 and isinstance(value, float)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("temperature", 0, "must be a number above 0"),
        ("temperature", -0.2, "must be a number above 0"),
        ("temperature", "0.2", "must be a number above 0"),
        ("temperature", float("nan"), "must be a number above 0"),
        ("temperature", float("inf"), "must be a number above 0"),
        ("temperature", None, "must be a number above 0"),
        ("temperature", [0.2], "must be a number above 0"),
        ("queue_size", 0, "must be an integer of at least 2"),
        ("queue_size", 128.0, "must be an integer of at least 2"),
        ("queue_size", True, "must be an integer of at least 2"),
        ("num_clusters", 1, "must be an integer of at least 2"),
        ("centroid_momentum", 1.01, r"must be a number in \[0, 1\]"),
        ("centroid_momentum", -0.01, r"must be a number in \[0, 1\]"),
        ("symmetric", 1, "must be True or False"),
        ("symmetric", "yes", "must be True or False"),
        ("assignment", "fuzzy", "must be one of hard, soft"),
        ("clustering", 3, "must be one of online, offline"),
        ("variance_weight", -1, "must be a number of at least 0"),
    ],
)
def test_bad_values_name_key_value_and_what_is_allowed(key, value, message):
    with pytest.raises(ConfigError, match=f"^method_kwargs.{key}=.*{message}; the default ") as e:
        filled(**{key: value})
    assert repr(value) in str(e.value) and "\n" not in str(e.value)


def test_unknown_keys_are_errors_with_a_suggestion():
    with pytest.raises(ConfigError, match=r"queue_sise=8 is not .*did you mean .*queue_size\?"):
        filled(queue_sise=8)
    with pytest.raises(ConfigError, match=r"zebra=1 is not an option.*; remove it\. Allowed: proj"):
        filled(zebra=1)


def test_a_section_that_is_no_mapping():
    with pytest.raises(ConfigError, match=r"method_kwargs=.* must be a mapping"):
        fill_options(OmegaConf.create({"method_kwargs": [1]}), OPTIONS)


RADII = Option([0.8, 0.6], items=Option(0.0, low=0, high=2, above=True))
EITHER = Option(None, items=Option(2, low=2), or_item=True)


@pytest.mark.parametrize("value", [[0.5], [2, 0.1, 1], (0.5,), []])
def test_lists_are_accepted_item_by_item(value):
    assert RADII.accepts(value)


@pytest.mark.parametrize("value", [0.5, [0], [0.5, 2.1], [0.5, "0.4"], [[0.5]], "0.5", None])
def test_lists_are_refused_for_one_item(value):
    cfg = OmegaConf.create({"method_kwargs": {"radii": value}})
    with pytest.raises(ConfigError) as error:
        fill_options(cfg, {"radii": RADII})
    assert str(error.value) == (
        f"method_kwargs.radii={value!r} must be a list, each item a number in (0, 2]; "
        "the default is [0.8, 0.6]"
    )


@pytest.mark.parametrize("value", [3, [3], [2, 2], None])
def test_an_item_may_stand_for_a_list(value):
    assert EITHER.accepts(value)


@pytest.mark.parametrize("value", [1, [3, 1], 2.5, True])
def test_an_item_that_stands_for_a_list_is_checked_as_one(value):
    assert not EITHER.accepts(value)
    assert EITHER.allowed == "must be an integer of at least 2, or a list of such"


def test_a_default_list_is_not_shared():
    options, cfgs = {"radii": RADII}, [OmegaConf.create({}), OmegaConf.create({})]
    first, second = (fill_options(cfg, options).method_kwargs.radii for cfg in cfgs)
    first[0] = 0.1
    assert list(second) == RADII.default == [0.8, 0.6]
