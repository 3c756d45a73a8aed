"""What the tables call a method: as its paper and solo-learn's README do."""

from collections.abc import Iterable

from cueco_solo.errors import config_error

# between a method's title and what tells its variants apart
MARK = " · "

_TITLES = {
    "cueco": "CueCo",
    "rcl": "RCL",
    "self_classifier": "Self-Classifier",
    "all4one": "All4One",
    "barlow_twins": "Barlow Twins",
    "byol": "BYOL",
    "deepclusterv2": "DeepCluster V2",
    "dino": "DINO",
    "mae": "MAE",
    "mocov2plus": "MoCo V2+",
    "mocov3": "MoCo V3",
    "nnbyol": "NNBYOL",
    "nnclr": "NNCLR",
    "nnsiam": "NNSiam",
    "ressl": "ReSSL",
    "simclr": "SimCLR",
    "simsiam": "SimSiam",
    "supcon": "SupCon",
    "swav": "SwAV",
    "vibcreg": "VIbCReg",
    "vicreg": "VICReg",
    "wmse": "W-MSE",
}


def method_title(name: str) -> str:
    """The title of a method by its name in a configuration; a name that isn't known stays."""
    return _TITLES.get(name, name)


def _titled(series: str) -> str:
    method, mark, rest = series.partition(MARK)
    return f"{method_title(method)}{mark}{rest}"


def check_baseline(
    baseline: str | None, series: Iterable[str], key: str = "--baseline"
) -> str | None:
    """The series that a baseline names, by its method's title or its name in configurations.

    Raises:
        ConfigError: there is none of that name.
    """
    known = list(dict.fromkeys(series))
    if baseline is None or baseline in known:
        return baseline
    titles = {_titled(name): name for name in known}
    if _titled(baseline) in titles:
        return titles[_titled(baseline)]
    raise config_error(key, baseline, f"must be one of {', '.join(known)}")
