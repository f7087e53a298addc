"""A stream of samples as windows of one length, each with its place, its coverage and whether it is silent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Literal, get_args

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from sonovec.brief import Brief
from sonovec.errors import UsageError

Tail = Literal["pad", "drop"]

SILENCE_PEAK = 10 ** (-90 / 20)
"""A window whose loudest sample is below -90 dBFS is silent; one unit of 16-bit dither is."""


@dataclass(frozen=True)
class WindowSpec:
    """How samples at the model's rate are cut into windows; window i starts at ``i * hop``.

    Attributes
    ----------
    length, hop
        Samples.
    tail
        ``pad``: windows go on, padded with zeros, while samples are not covered. ``drop``: only full windows. Under
        both, a clip shorter than a window gives one padded window.

    Raises
    ------
    UsageError
        A number is not a positive whole one, or the tail policy is unknown.

    Examples
    --------
    >>> WindowSpec(length=1000, hop=500).count(1600), WindowSpec(1000, 500, tail="drop").count(1600)
    (3, 2)
    """

    length: int
    hop: int
    tail: Tail = "pad"

    def __post_init__(self) -> None:
        for name in ("length", "hop"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
                raise UsageError(
                    f"{name}={value!r} must be a positive whole number of samples; "
                    "for example WindowSpec(length=16000, hop=8000)"
                )
        if self.tail not in get_args(Tail):
            raise UsageError(
                f"tail={self.tail!r} must be 'pad' or 'drop'; "
                f"for example WindowSpec({self.length}, {self.hop}, tail='pad')"
            )

    def count(self, samples: int) -> int:
        """Give the number of windows of a clip of `samples`."""
        if samples <= self.length:
            return min(samples, 1)
        full = (samples - self.length) // self.hop + 1
        if self.tail == "drop":
            return full
        covered = (full - 1) * self.hop + self.length
        # With gaps between windows (hop > length), the next one may begin behind the end.
        return full + (covered < samples and full * self.hop < samples)


@dataclass(frozen=True, eq=False, repr=False)
class Windows(Brief):
    """Some consecutive windows of one clip.

    Attributes
    ----------
    samples
        float32, shape ``(k, length)``; zeros behind the end of the clip.
    starts, ends
        int64, shape ``(k,)``: samples at the model's rate; `ends` never lie behind the end of the clip.
    coverage
        float32, shape ``(k,)``, in (0, 1]: the share of the window that is clip and not padding.
    silent
        bool, shape ``(k,)``: no sample reaches `SILENCE_PEAK`.
    levels
        float32, shape ``(k,)``: the mean power of what is clip, in dB below that of a square wave at full scale; -inf for
        zeros.

    Examples
    --------
    >>> (windows,) = frame([np.ones(1600, dtype=np.float32)], WindowSpec(length=1000, hop=1000))
    >>> windows.coverage, windows.starts, windows.ends
    (array([1. , 0.6], dtype=float32), array([   0, 1000]), array([1000, 1600]))
    """

    samples: NDArray[np.float32]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    coverage: NDArray[np.float32]
    silent: NDArray[np.bool_]
    levels: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.starts)

    def cut(self, part: NDArray[np.integer] | NDArray[np.bool_]) -> Windows:
        """Some of the windows, by their places or by which of them."""
        return Windows(*(getattr(self, field.name)[part] for field in fields(self)))


def frame(blocks: Iterable[NDArray[np.float32]], spec: WindowSpec, max_windows: int = 32) -> Iterator[Windows]:
    """Cut a stream into windows; the result, groups included, does not depend on the sizes of the blocks.

    Parameters
    ----------
    blocks
        float32 `(n,)` each, of any size.
    spec
        Length, hop and tail policy.
    max_windows
        Windows in a group; only the last group may have fewer. It bounds the memory, not the result.

    Yields
    ------
    Windows
        None at all for a stream without samples.
    """
    framer = Framer(spec, max_windows)
    for block in blocks:
        yield from framer.push(block)
    yield from framer.finish()


class Framer:
    """Cuts blocks into windows as they come, as `frame` does, which takes them all.

    Parameters
    ----------
    spec : WindowSpec
    max_windows : int
        Windows in a group.
    """

    def __init__(self, spec: WindowSpec, max_windows: int = 32) -> None:
        if max_windows < 1:
            raise UsageError(
                f"max_windows={max_windows} must be positive; for example frame(blocks, spec, max_windows=32)"
            )
        self._spec, self._count = spec, max_windows
        self._enough = (max_windows - 1) * spec.hop + spec.length
        self._buffer, self._first = _Buffer(), 0

    def push(self, block: NDArray[np.float32]) -> Iterator[Windows]:
        """Take the next block, and give the groups of windows that are complete; read all of them."""
        self._buffer.append(block)
        while self._buffer.length >= self._enough:
            yield _cut(self._buffer.join(), self._spec, self._first, self._count)
            self._first += self._count
            self._buffer.drop(self._count * self._spec.hop)

    def finish(self) -> Iterator[Windows]:
        """The windows behind the last group, where no block follows."""
        total = self._first * self._spec.hop + self._buffer.length
        if total > 0 and (left := self._spec.count(total) - self._first) > 0:
            yield _cut(self._buffer.join(), self._spec, self._first, left)


class _Buffer:
    """Samples that came and are not used up; what is dropped may lie in the future."""

    def __init__(self) -> None:
        self._pieces: list[NDArray[np.float32]] = []
        self.length = 0
        """Samples held, negative while samples that were dropped are still to come."""

    def append(self, block: NDArray[np.float32]) -> None:
        late = max(0, -self.length)
        self.length += len(block)
        if len(block) > late:
            self._pieces.append(block[late:])

    def join(self) -> NDArray[np.float32]:
        if len(self._pieces) != 1:
            self._pieces = [np.concatenate([np.empty(0, dtype=np.float32), *self._pieces])]
        return self._pieces[0]

    def drop(self, samples: int) -> None:
        rest = self.join()[samples:]
        self._pieces = [rest] if len(rest) else []
        self.length -= samples


def _cut(samples: NDArray[np.float32], spec: WindowSpec, first: int, count: int) -> Windows:
    """Give `count` windows from the beginning of `samples`, which belongs to window `first`."""
    reach = (count - 1) * spec.hop + spec.length
    present = samples[:reach]
    if len(present) < reach:
        present = np.concatenate([present, np.zeros(reach - len(present), dtype=np.float32)])
    cut = np.ascontiguousarray(sliding_window_view(present, spec.length)[:: spec.hop], dtype=np.float32)
    if np.shares_memory(cut, samples):  # windows that lie one behind the other need no copy, but then alias the block
        cut = cut.copy()
    starts = (np.arange(count, dtype=np.int64)) * spec.hop
    real = np.minimum(spec.length, len(samples) - starts)
    peak = np.maximum(cut.max(axis=1), -cut.min(axis=1))
    offset = first * spec.hop
    return Windows(
        samples=cut,
        starts=starts + offset,
        ends=starts + real + offset,
        coverage=(real / spec.length).astype(np.float32),
        silent=peak < SILENCE_PEAK,
        levels=_levels(cut, real),
    )


def _levels(windows: NDArray[np.float32], real: NDArray[np.int64]) -> NDArray[np.float32]:
    """Mean power in dB of full scale of the first `real` samples of each window; the others are zeros."""
    with np.errstate(divide="ignore"):
        return np.asarray(10 * np.log10(np.einsum("ij,ij->i", windows, windows) / real), np.float32)
