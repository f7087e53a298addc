"""What is done to log-mel spectrograms: a room, another level, noise, a narrow band, loss of what is quiet, gaps.

The built-in encoder heard its mixes so, and its teachers did not: it had to tell them away. On spectrograms all of it costs
next to nothing, so that it is different each time a sound is heard; `sonovec.augment.waveform` does the like to samples, for
any model. It needs PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from sonovec.augment.waveform import TELEPHONE_BAND
from sonovec.features.mel import LogMel, mel_bank

#: How often each is done.
ROOM, GAIN, EQUALISER, BAND, NOISE, LOSS = 0.2, 0.8, 0.3, 0.25, 0.35, 0.15
#: Ranges: decibels of gain, of an equaliser's deviation, signal over noise.
GAIN_RANGE, EQUALISER_DEVIATION, NOISE_RANGE = (-35.0, 8.0), 5.0, (0.0, 30.0)
#: Seconds in which a room's sound falls by 60 dB, and its decibels over the direct sound.
DECAY_RANGE, WET_RANGE = (0.1, 1.5), (-10.0, 3.0)
#: How far below the loudest band of a moment a coder drops others, in decibels.
LOSS_RANGE = (12.0, 40.0)


class Augment:
    """Random changes of spectrograms (n, frames, n_mels).

    Parameters
    ----------
    front_end : LogMel
        That of the spectrograms; one that adds what keeps the natural logarithm of power finite.
    device : torch.device
    gaps : float
        How often there are gaps in time and frequency.
    """

    def __init__(self, front_end: LogMel, device: torch.device, gaps: float = 0.5) -> None:
        self._front_end, self._gaps = front_end, gaps
        bank = torch.tensor(mel_bank(front_end), dtype=torch.float32, device=device)
        hertz = torch.linspace(0, front_end.rate / 2, len(bank), device=device)
        self._hertz = (bank * hertz[:, None]).sum(0) / bank.sum(0).clamp(min=1e-9)
        self._white = bank.sum(0)
        # A band's noise is a sum over bins, and so the smoother the more bins it has.
        self._bins = (bank.sum(0) ** 2 / (bank**2).sum(0).clamp(min=1e-9)).clamp(min=1.0)

    def __call__(self, spectrograms: Tensor) -> Tensor:
        """Changed spectrograms; the given ones stay as they are."""
        power = torch.exp(spectrograms * self._front_end.scale + self._front_end.shift) - self._front_end.log_offset
        power = self._some(ROOM, self._in_room, power.clamp(min=0)) * self._gains(len(power))
        power = self._some(NOISE, self._noisy, power)
        power = self._some(BAND, self._narrow, power)
        power = self._some(LOSS, self._coded, power)
        changed = (torch.log(power + self._front_end.log_offset) - self._front_end.shift) / self._front_end.scale
        return self._some(self._gaps, self._masked, changed)

    def _some(self, share: float, change: Callable[[Tensor], Tensor], spectrograms: Tensor) -> Tensor:
        rows = self._chosen(len(spectrograms), share).flatten()
        changed = spectrograms.clone()
        if rows.any():
            changed[rows] = change(spectrograms[rows])
        return changed

    def _chosen(self, n: int, share: float) -> Tensor:
        return torch.rand(n, 1, 1, device=self._white.device) < share

    def _uniform(self, n: int, low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(n, 1, 1, device=self._white.device)

    def _in_room(self, power: Tensor) -> Tensor:
        """Energy that dies away after each moment, all of a mix at its own speed."""
        n, frames, _ = power.shape
        low, high = DECAY_RANGE
        seconds = low * (high / low) ** torch.rand(n, 1, 1, device=power.device)
        time = (
            torch.arange(1, frames, device=power.device).reshape(1, -1, 1)
            * self._front_end.hop_length
            / self._front_end.rate
        )
        tail = 10 ** (-6 * time / seconds)
        tail = tail / tail.sum(1, keepdim=True) * 10 ** (self._uniform(n, *WET_RANGE) / 10)
        response = torch.cat([torch.ones_like(seconds), tail], 1)
        # In double precision, for what is rounded off a loud moment would be heard in a silent one.
        size = 2 * frames
        spectra = torch.fft.rfft(power.double(), size, dim=1) * torch.fft.rfft(response.double(), size, dim=1)
        return torch.fft.irfft(spectra, size, dim=1)[:, :frames].clamp(min=0).float()

    def _coded(self, power: Tensor) -> Tensor:
        """Without what a coder at a low rate leaves out."""
        least = power.amax(2, keepdim=True) * 10 ** (-self._uniform(len(power), *LOSS_RANGE) / 10)
        return torch.where(power < least, torch.zeros_like(power), power)

    def _gains(self, n: int) -> Tensor:
        level = self._uniform(n, *GAIN_RANGE) * self._chosen(n, GAIN)
        points = EQUALISER_DEVIATION * torch.randn(n, 1, 6, device=self._white.device)
        curve = torch.nn.functional.interpolate(points, size=self._front_end.n_mels, mode="linear", align_corners=True)
        return 10 ** ((level + curve * self._chosen(n, EQUALISER)) / 10)

    def _noisy(self, power: Tensor) -> Tensor:
        n = len(power)
        colour = self._white * (self._hertz / 1000) ** -self._uniform(n, -0.3, 1.8)
        grains = torch._standard_gamma(self._bins.expand_as(power)) / self._bins
        level = power.mean((1, 2), keepdim=True) / colour.mean(2, keepdim=True)
        return power + grains * colour * level * 10 ** (-self._uniform(n, *NOISE_RANGE) / 10)

    def _narrow(self, power: Tensor) -> Tensor:
        """A telephone's band, or another."""
        n = len(power)
        telephone = self._chosen(n, 0.5)
        low = torch.where(telephone, TELEPHONE_BAND[0], self._uniform(n, 20, 400))
        high = torch.where(telephone, self._uniform(n, TELEPHONE_BAND[1], 4000), torch.exp(self._uniform(n, 7.4, 9.4)))
        return power * ((self._hertz >= low) & (self._hertz <= high))

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
