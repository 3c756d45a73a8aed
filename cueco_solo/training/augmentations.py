"""The keys of a view in ``augmentations``."""

from typing import Annotated, Self

from annotated_types import Ge, Le, Len
from pydantic import model_validator

from cueco_solo.errors import config_error
from cueco_solo.options import (
    Count,
    NonNegative,
    Options,
    Positive,
    Share,
    option,
    required,
)


class CropOptions(Options):
    enabled: bool = option(True, "random crops; False: the image is resized")
    crop_min_scale: Share = option(0.08, "smallest share of the image's area")
    crop_max_scale: Share = option(1.0, "largest share of the image's area")

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.crop_min_scale > self.crop_max_scale:
            raise config_error(
                "crop_min_scale",
                self.crop_min_scale,
                f"must be at most crop_max_scale={self.crop_max_scale}",
            )
        return self


class ChanceOptions(Options):
    prob: Share = option(0.0, "probability")


class JitterOptions(ChanceOptions):
    brightness: NonNegative = option(0.0, "largest change of the brightness")
    contrast: NonNegative = option(0.0, "largest change of the contrast")
    saturation: NonNegative = option(0.0, "largest change of the saturation")
    hue: Annotated[float, Ge(0), Le(0.5)] = option(0.0, "largest change of the hue")


class ViewOptions(Options):
    """One of ``augmentations``. solo-learn has no defaults: a file names all keys but the last."""

    section = "augmentations.N"
    owner = "an augmentation"

    rrc: CropOptions
    color_jitter: JitterOptions
    grayscale: ChanceOptions
    gaussian_blur: ChanceOptions
    solarization: ChanceOptions
    equalization: ChanceOptions
    horizontal_flip: ChanceOptions
    crop_size: Count = required("pixels of a side")
    num_crops: Count = required("crops of each image")
    mean: Annotated[list[float], Len(3, 3)] | None = option(
        None, "of the channels; used with data.dataset=custom"
    )
    std: Annotated[list[Positive], Len(3, 3)] | None = option(
        None, "of the channels; used with data.dataset=custom"
    )
