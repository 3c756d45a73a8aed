"""Pillow's resampling and blur as matrix products, with a box or a radius for each image.

The libraries that work on batches have others: kornia resamples with another cubic and without
antialiasing, and reads beyond the edge of a crop; its small Gaussians are sampled, which keeps them
from smoothing at all.
"""

import torch
from torch import Tensor

_CUBIC = -0.5  # Pillow's; torch's is -0.75
_PASSES = 3  # of box blurs, for a Gaussian


def rounded(values: Tensor) -> Tensor:
    """Values in levels of 8 bits as whole ones in [0, 255], halves up."""
    return (values + 0.5).floor_().clamp_(0, 255)


def resized_crops(images: Tensor, boxes: Tensor, height: int, width: int) -> Tensor:
    """``image.crop(box).resize((width, height), BICUBIC)``, a box for each image.

    First the width, then the height, which Pillow has the other way round for some shapes.

    Args:
        images: uint8 [B, 3, H, W].
        boxes: int64 [B, 4]; top, left, height, width, within the images.
        height, width: of what is returned.

    Returns:
        float32 [B, 3, height, width], whole levels.
    """
    batch, channels, rows, columns = images.shape
    top, left, high, wide = boxes.to(torch.float32).unbind(1)
    across = _bicubic_weights(left, wide, columns, width)
    down = _bicubic_weights(top, high, rows, height)
    values = images.to(torch.float32).view(batch, channels * rows, columns)
    values = rounded(values @ across.mT)  # Pillow keeps 8 bits in between, too
    return rounded(down.unsqueeze(1) @ values.view(batch, channels, rows, width))


def _bicubic_weights(start: Tensor, length: Tensor, there: int, wanted: int) -> Tensor:
    """[B, wanted, there]: what each pixel of the crop's line has of the image's.

    Pillow's coefficients: the filter is as wide as a pixel of the result, at least as one of the
    image, and ends with the crop.
    """
    start, length = start.view(-1, 1, 1), length.view(-1, 1, 1)
    scale = length / wanted
    width = scale.clamp(min=1)
    middle = (torch.arange(wanted, device=start.device).view(1, -1, 1) + 0.5) * scale
    place = torch.arange(there, device=start.device).view(1, 1, -1) - start  # in the crop
    inside = (place >= 0) & (place < length)
    weights = _cubic((place + 0.5 - middle) / width) * inside
    return weights / weights.sum(-1, keepdim=True)


def _cubic(x: Tensor) -> Tensor:
    x, a = x.abs(), _CUBIC
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return torch.where(x < 1, near, torch.where(x < 2, far, torch.zeros_like(x)))


def blurred(images: Tensor, sigma: Tensor) -> Tensor:
    """``image.filter(ImageFilter.GaussianBlur(sigma))``, a radius for each image.

    Args:
        images: float32 [B, 3, H, W], levels.
        sigma: float32 [B], at most 2 pixels.

    Returns:
        float32 [B, 3, H, W], whole levels.
    """
    height, width = images.shape[-2:]
    down = _blur_weights(sigma, height).unsqueeze(1)
    across = down if width == height else _blur_weights(sigma, width).unsqueeze(1)
    return rounded(down @ images @ across.mT)


def _blur_weights(sigma: Tensor, length: int) -> Tensor:
    """[B, length, length]: three box blurs of a fractional radius; the last pixel goes on."""
    variance = sigma * sigma / _PASSES
    whole = (((12 * variance + 1).sqrt() - 1) / 2).floor()
    part = (2 * whole + 1) * (whole * (whole + 1) - 3 * variance)
    radius = whole + part / (6 * (variance - (whole + 1) ** 2))
    reach = 2  # ceil(radius) for sigmas up to 2
    offsets = torch.arange(-reach, reach + 1, device=sigma.device)
    shares = (radius[:, None] + 1 - offsets.abs()).clamp(0, 1) / (2 * radius[:, None] + 1)
    places = torch.arange(length, device=sigma.device)
    sources = (places + offsets[:, None]).clamp(0, length - 1)
    shifted = (sources[..., None] == places).to(sigma.dtype)
    once = (shares @ shifted.view(len(offsets), -1)).view(-1, length, length)
    return once @ once @ once
