"""The data sets of the papers as their folders should be: classes, numbers of images.

:data:`IMAGENET100` are the 100 classes that CMC has chosen (Tian et al. 2020, its repository's
``imagenet100.txt``), which solo-learn takes too. CIFAR-100-20 is a rule on CIFAR-100's labels, see
:mod:`.superclasses`.
"""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass

_CMC = """
n01558993 n01692333 n01729322 n01735189 n01749939 n01773797 n01820546 n01855672 n01978455
n01980166 n01983481 n02009229 n02018207 n02085620 n02086240 n02086910 n02087046 n02089867
n02089973 n02090622 n02091831 n02093428 n02099849 n02100583 n02104029 n02105505 n02106550
n02107142 n02108089 n02109047 n02113799 n02113978 n02114855 n02116738 n02119022 n02123045
n02138441 n02172182 n02231487 n02259212 n02326432 n02396427 n02483362 n02488291 n02701002
n02788148 n02804414 n02859443 n02869837 n02877765 n02974003 n03017168 n03032252 n03062245
n03085013 n03259280 n03379051 n03424325 n03492542 n03494278 n03530642 n03584829 n03594734
n03637318 n03642806 n03764736 n03775546 n03777754 n03785016 n03787032 n03794056 n03837869
n03891251 n03903868 n03930630 n03947888 n04026417 n04067472 n04099969 n04111531 n04127249
n04136333 n04229816 n04238763 n04336792 n04418357 n04429376 n04435653 n04485082 n04493381
n04517823 n04589890 n04592741 n07714571 n07715103 n07753275 n07831146 n07836838 n13037406
n13040303
"""
IMAGENET100 = tuple(_CMC.split())


@dataclass(frozen=True)
class Known:
    """What a data set of folders holds.

    Attributes:
        name: solo-learn's.
        classes: number of class folders.
        images: by split.
        per_class: by split, the least and the most images of a class.
    """

    name: str
    classes: int
    images: dict[str, int]
    per_class: dict[str, tuple[int, int]]


_IMAGENET = Known(
    "imagenet", 1000, {"train": 1_281_167, "val": 50_000}, {"train": (732, 1300), "val": (50, 50)}
)
_IMAGENET100 = Known(
    "imagenet100", 100, {"train": 126_689, "val": 5_000}, {"train": (732, 1300), "val": (50, 50)}
)


def list_hash(names: Iterable[str]) -> str:
    """SHA-256 of the names in their order, one a line."""
    return hashlib.sha256("".join(f"{name}\n" for name in names).encode()).hexdigest()


def recognised(classes: Collection[str]) -> Known | None:
    """The known data set that folders of these names are, or nearly are."""
    here = set(classes)
    common = len(here.intersection(IMAGENET100))
    if common >= 0.8 * len(IMAGENET100) and common >= 0.8 * len(here):
        return _IMAGENET100
    wordnet = [name for name in here if len(name) == 9 and name[0] == "n" and name[1:].isdigit()]
    return _IMAGENET if len(wordnet) >= 800 and len(wordnet) == len(here) else None
