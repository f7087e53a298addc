"""What the student hears and the teachers do not: another level, noise, a narrow band, gaps. It has to tell them away.

All of it is done to log-mel spectrograms, and so costs next to nothing and is different each time a mix is heard.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sonovec.features.logmel import mel_bank
from sonovec.models.builtin import FRONT_END

#: How often each is done.
GAIN, EQUALISER, BAND, NOISE = 0.8, 0.3, 0.25, 0.35
#: Ranges: decibels of gain, of an equaliser's deviation, signal over noise.
GAIN_RANGE, EQUALISER_DEVIATION, NOISE_RANGE = (-35.0, 8.0), 5.0, (0.0, 30.0)
TELEPHONE = (300.0, 3400.0)


class Augment:
    """Random changes of spectrograms (n, frames, n_mels); `gaps` is how often there are gaps in time and frequency."""

    def __init__(self, device: torch.device, gaps: float = 0.5) -> None:
        self._gaps = gaps
        bank = torch.tensor(mel_bank(FRONT_END), dtype=torch.float32, device=device)
        hertz = torch.linspace(0, FRONT_END.rate / 2, len(bank), device=device)
        self._hertz = (bank * hertz[:, None]).sum(0) / bank.sum(0).clamp(min=1e-9)
        self._white = bank.sum(0)
        # A band's noise is a sum over bins, and so the smoother the more bins it has.
        self._bins = (bank.sum(0) ** 2 / (bank**2).sum(0).clamp(min=1e-9)).clamp(min=1.0)

    def __call__(self, spectrograms: Tensor) -> Tensor:
        """Changed spectrograms; the given ones stay as they are."""
        n = len(spectrograms)
        power = torch.exp(spectrograms * FRONT_END.scale + FRONT_END.shift) - FRONT_END.log_offset
        power = power.clamp(min=0) * self._gains(n)
        power = torch.where(self._some(n, NOISE), power + self._noise(power), power)
        power = torch.where(self._some(n, BAND), power * self._bands(n), power)
        changed = (torch.log(power + FRONT_END.log_offset) - FRONT_END.shift) / FRONT_END.scale
        return torch.where(self._some(n, self._gaps), self._masked(changed), changed)

    def _some(self, n: int, share: float) -> Tensor:
        return torch.rand(n, 1, 1, device=self._white.device) < share

    def _uniform(self, n: int, low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(n, 1, 1, device=self._white.device)

    def _gains(self, n: int) -> Tensor:
        level = torch.where(
            self._some(n, GAIN), self._uniform(n, *GAIN_RANGE), torch.zeros((), device=self._white.device)
        )
        points = EQUALISER_DEVIATION * torch.randn(n, 1, 6, device=self._white.device)
        curve = torch.nn.functional.interpolate(points, size=FRONT_END.n_mels, mode="linear", align_corners=True)
        return 10 ** ((level + torch.where(self._some(n, EQUALISER), curve, torch.zeros_like(curve))) / 10)

    def _noise(self, power: Tensor) -> Tensor:
        n = len(power)
        colour = self._white * (self._hertz / 1000) ** -self._uniform(n, -0.3, 1.8)
        grains = torch._standard_gamma(self._bins.expand_as(power)) / self._bins
        level = power.mean((1, 2), keepdim=True) / colour.mean(2, keepdim=True)
        return grains * colour * level * 10 ** (-self._uniform(n, *NOISE_RANGE) / 10)

    def _bands(self, n: int) -> Tensor:
        low = torch.where(
            self._some(n, 0.5), self._uniform(n, 20, 400), torch.tensor(TELEPHONE[0], device=self._white.device)
        )
        high = torch.exp(self._uniform(n, 7.4, 9.4))
        telephone = self._some(n, 0.5)
        low = torch.where(telephone, torch.tensor(TELEPHONE[0], device=self._white.device), low)
        high = torch.where(telephone, self._uniform(n, TELEPHONE[1], 4000), high)
        return ((self._hertz >= low) & (self._hertz <= high)).float()

    def _masked(self, spectrograms: Tensor) -> Tensor:
        n, frames, mels = spectrograms.shape
        device = spectrograms.device
        hidden = torch.zeros(n, frames, mels, dtype=torch.bool, device=device)
        for _ in range(2):
            for axis, size, most in ((1, frames, 40), (2, mels, 10)):
                width = torch.rand(n, 1, 1, device=device) * most
                start = torch.rand(n, 1, 1, device=device) * (size - width)
                places = torch.arange(size, device=device).reshape((1, -1, 1) if axis == 1 else (1, 1, -1))
                hidden |= (places >= start) & (places < start + width)
        return torch.where(hidden, spectrograms.mean((1, 2), keepdim=True), spectrograms)
