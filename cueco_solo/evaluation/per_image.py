"""What an evaluation found of each validation image, kept beside its figures.

From it the tables take intervals over images, see :mod:`cueco_solo.results.bootstrap`.
"""

import base64
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

_DTYPES = ("uint8", "uint16", "uint32", "float16")


class PerImage:
    """Labels of M validation images, and what was found of each, by figure.

    Attributes:
        hits: by figure, as ``top1``: share of right answers, 0 or 1 of a single answer, ``[M]``.
        clusters: by what stands before ``nmi``, ``acc``, ...: the image's cluster, ``[M]``.
    """

    def __init__(self, of: str = "") -> None:
        """Of images that ``of``, a digest of their names and sizes, stands for."""
        self.of, self._labels = of, _packed([])
        self.hits: dict[str, str] = {}
        self.clusters: dict[str, str] = {}

    def __bool__(self) -> bool:
        """Whether anything was noted."""
        return bool(self.hits or self.clusters)

    def add_hits(self, figure: str, hits: ArrayLike, labels: ArrayLike) -> None:
        """Note the share of right answers of each image, ``[M]``, that a figure is the mean of.

        Labels are int ``[M]``, the same at each call.
        """
        self.hits[figure], self._labels = _packed(hits), _packed(labels)

    def add_clusters(self, prefix: str, clusters: ArrayLike, labels: ArrayLike) -> None:
        """Note the cluster of each image, int ``[M]``; labels as above."""
        self.clusters[prefix], self._labels = _packed(clusters), _packed(labels)

    def to_json(self) -> dict[str, Any]:
        """For the evaluation's file; each array is one text."""
        arrays = {"labels": self._labels, "hits": self.hits, "clusters": self.clusters}
        return {"of": self.of, **arrays}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "PerImage":
        """What :meth:`to_json` gave.

        Raises:
            AttributeError, KeyError, TypeError, ValueError: it isn't that.
        """
        made = cls(str(content["of"]))
        made._labels, made.hits, made.clusters = (
            content[name] for name in ("labels", "hits", "clusters")
        )
        for text in (*made.hits.values(), *made.clusters.values()):
            if len(unpacked(text)) != len(made.labels):
                raise ValueError("of another number of images than there are labels")
        return made

    @property
    def labels(self) -> NDArray[Any]:
        """Labels, int ``[M]``."""
        return unpacked(self._labels)

    def same_images(self, other: "PerImage") -> bool:
        """Whether both are of the same images in the same order, as far as names and labels say."""
        return self.of == other.of and np.array_equal(self.labels, other.labels)


def _packed(values: ArrayLike) -> str:
    """An array as text: its dtype, and its compressed bytes in base64."""
    array = np.asarray(values)
    if array.dtype.kind == "f" and not np.isin(array, (0, 1)).all():
        array = array.astype("float16")
    else:
        array = array.astype(np.min_scalar_type(int(array.max(initial=0))))
    little = array.astype(array.dtype.newbyteorder("<"))
    return f"{array.dtype.name}:{base64.b64encode(zlib.compress(little.tobytes(), 9)).decode()}"


def unpacked(text: str) -> NDArray[Any]:
    """The array of a text of :class:`PerImage`.

    Raises:
        ValueError: it is damaged.
    """
    dtype, _, data = text.partition(":")
    if dtype not in _DTYPES:
        raise ValueError(f"dtype {dtype!r}")
    try:
        content = zlib.decompress(base64.b64decode(data, validate=True))
    except zlib.error as error:
        raise ValueError(str(error)) from error
    return np.frombuffer(content, np.dtype(dtype).newbyteorder("<"))
