"""What the tables call a method: as its paper and solo-learn's README do."""

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
