"""Cosine transforms along the axes of positions, which a Gaussian blur with mirrored edges multiplies by a number."""

import math

import torch
from jaxtyping import Float
from torch import Tensor


def blurred(
    array: Float[Tensor, "batch channels *positions"], sigma: float
) -> Float[Tensor, "batch channels *positions"]:
    """The array after a Gaussian blur of `sigma` positions along every axis after the second, edges mirrored."""
    waves = waves_of(array, axes=array.ndim - 2)
    return of_waves(waves * torch.exp(-0.5 * sigma**2 * squared_frequencies(waves)), array.ndim - 2)


def squared_frequencies(waves: Float[Tensor, "batch channels *positions"]) -> Float[Tensor, "*positions"]:
    """In radians per position, squared and summed over the axes."""
    total = waves.new_zeros(())
    for axis, length in enumerate(waves.shape[2:]):
        squares = (torch.arange(length, device=waves.device, dtype=waves.dtype) * (math.pi / length)) ** 2
        total = total + squares.reshape(-1, *[1] * (waves.ndim - 3 - axis))
    return total


def waves_of(array: Tensor, axes: int) -> Tensor:
    """The cosine transform (II, not normalised) along each of the last axes, by Fourier's of the even
    entries and then the odd ones backwards (Makhoul 1980)."""
    for axis in range(-axes, 0):
        array = array.movedim(axis, -1)
        length = array.shape[-1]
        turned = torch.cat([array[..., ::2], array[..., 1::2].flip(-1)], -1)
        found = torch.fft.rfft(turned) * _twist(array, -1)
        array = torch.cat([found.real, -found.imag[..., 1 : length - length // 2].flip(-1)], -1).movedim(-1, axis)
    return array


def of_waves(waves: Tensor, axes: int) -> Tensor:
    """The array with these waves: `waves_of` backwards."""
    for axis in range(-axes, 0):
        waves = waves.movedim(axis, -1)
        length = waves.shape[-1]
        mirrored = torch.cat([torch.zeros_like(waves[..., :1]), -waves[..., 1:].flip(-1)], -1)
        half = slice(length // 2 + 1)
        turned = torch.fft.irfft(torch.complex(waves[..., half], mirrored[..., half]) * _twist(waves, 1), n=length)
        first, last = turned[..., : length - length // 2], turned[..., length - length // 2 :].flip(-1)
        waves = torch.empty_like(waves)
        waves[..., ::2], waves[..., 1::2] = first, last
        waves = waves.movedim(-1, axis)
    return waves


def _twist(array: Tensor, sign: int) -> Tensor:
    length = array.shape[-1]
    angle = torch.arange(length // 2 + 1, device=array.device, dtype=array.dtype) * (sign * math.pi / (2 * length))
    return torch.complex(angle.cos(), angle.sin())
