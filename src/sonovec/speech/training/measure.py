"""How well a recogniser writes what is held out: errors in words and characters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sonovec.evaluation.metrics import Score
from sonovec.extras import require
from sonovec.learn.measures import ratios


@dataclass(frozen=True)
class Figures:
    """What was measured behind an epoch.

    Attributes
    ----------
    wer, cer : float
        Errors in words and in characters, as shares of those that were said; above 1 where much is made up.
    loss : float
        Mean of the losses by character, of the utterances that can be written.
    silent : float
        Share of the utterances for which nothing was written.
    """

    wer: float
    cer: float
    loss: float
    silent: float

    def is_better_than(self, other: Self | None) -> bool:
        """Whether these are better: by words, then by characters, then by the loss."""
        if other is None:
            return True
        return (self.wer, self.cer, self.loss) < (other.wer, other.cer, other.loss)

    @property
    def told(self) -> str:
        """In words."""
        if self.silent == 1:
            return f"held out: nothing written yet, only blanks; loss {self.loss:.3f}"
        return f"held out: WER {100 * self.wer:.1f} %, CER {100 * self.cer:.1f} %"


@dataclass(frozen=True)
class Scores:
    """Errors with their 95 % intervals, by bootstrap over groups.

    Attributes
    ----------
    wer, cer, ser : Score
        In words, in characters, and the share of utterances that are not right as a whole.
    utterances, groups : int
    worst : tuple of (str, str)
        Texts that differ from what was written, and what was written; those with the most errors first.
    """

    wer: Score
    cer: Score
    ser: Score
    utterances: int
    groups: int
    worst: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """All by their names."""
        rates = {name: {key: asdict(score)[key] for key in ("value", "low", "high")} for name, score in self._rates()}
        return {
            **rates,
            "utterances": self.utterances,
            "groups": self.groups,
            "worst": [{"said": said, "written": written} for said, written in self.worst],
        }

    def _rates(self) -> tuple[tuple[str, Score], ...]:
        return ("wer", self.wer), ("cer", self.cer), ("ser", self.ser)


#: Mistakes that are named.
NAMED = 10


def scores(said: Sequence[str], written: Sequence[str], groups: Sequence[str], seed: int = 0) -> Scores:
    """Compare what was written with what was said.

    Parameters
    ----------
    said, written : sequence of str, length n
        None of what was said is empty.
    groups : sequence of str, length n
        What is drawn together in the bootstrap, such as speakers.
    seed : int

    Raises
    ------
    MissingExtraError
        If jiwer is not installed.

    Examples
    --------
    >>> found = scores(["one two", "six"], ["one too", "six"], ["ann", "bob"])
    >>> round(found.wer.value, 3), found.worst
    (0.333, (('one two', 'one too'),))
    """
    words, characters = (errors(said, written, of) for of in ("words", "characters"))
    lengths = [[len(text.split()), len(text), 1] for text in said]
    wer, cer, ser = ratios(np.stack([words, characters, characters > 0], axis=1), lengths, list(groups), seed)
    assert wer is not None and cer is not None and ser is not None
    order = [number for number in np.argsort(-characters, kind="stable") if characters[number]]
    worst = tuple((said[number], written[number]) for number in order[:NAMED])
    return Scores(wer, cer, ser, len(said), len(set(groups)), worst)


def errors(said: Sequence[str], written: Sequence[str], of: str) -> NDArray[np.int64]:
    """Words or characters of each text that were replaced, left out or made up, by jiwer's alignment."""
    require("jiwer", "counting errors in words", "speech")
    import jiwer

    found = getattr(jiwer, f"process_{of}")(list(said), list(written))
    return np.array(
        [
            sum(
                max(part.ref_end_idx - part.ref_start_idx, part.hyp_end_idx - part.hyp_start_idx)
                for part in parts
                if part.type != "equal"
            )
            for parts in found.alignments
        ],
        np.int64,
    )
