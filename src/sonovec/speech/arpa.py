"""Language models of n-grams, in the ARPA format that SRILM and KenLM write: any order, with back-off."""

from __future__ import annotations

import gzip
import math
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sonovec.brief import shortened
from sonovec.errors import WeightsError
from sonovec.models.weights import sha256_of
from sonovec.paths import display
from sonovec.words import counted

START, END, UNKNOWN = "<s>", "</s>", "<unk>"
#: log10 of the probability of a word that a model without <unk> does not have.
UNSEEN = -10.0
#: The first bytes of a gzip file.
GZIP = b"\x1f\x8b"

#: The words before, of which a probability depends.
State = tuple[str, ...]


@dataclass(frozen=True, repr=False)
class LanguageModel:
    """An n-gram language model with back-off (Katz 1987).

    Attributes
    ----------
    order : int
        Words of its longest n-grams.
    grams : dict
        n-grams to log10 of their probability and of their back-off weight.
    digest : str
        SHA-256 of the file.

    Examples
    --------
    >>> grams = {("<s>",): (-99.0, -0.5), ("</s>",): (-1.0, 0.0), ("one",): (-0.5, -0.25), ("one", "one"): (-0.125, 0.0)}
    >>> model = LanguageModel(2, grams)
    >>> state = model.begin()
    >>> score, state = model.score(state, "one")
    >>> score, model.score(state, "one")[0], model.end(state)
    (-1.0, -0.125, -1.25)
    """

    order: int
    grams: dict[tuple[str, ...], tuple[float, float]]
    digest: str = ""

    def __repr__(self) -> str:
        return f"LanguageModel(order={self.order}, grams={len(self.grams)}, digest={self.digest!r})"

    def begin(self) -> State:
        """The state at the beginning of a sentence."""
        return (START,) if (START,) in self.grams and self.order > 1 else ()

    def score(self, state: State, word: str) -> tuple[float, State]:
        """log10 of the probability of a word after those of a state, and the state behind it."""
        return self._score(state, self.known(word))

    def end(self, state: State) -> float:
        """log10 of the probability that the sentence ends here; 0 for a model without ends."""
        return self._score(state, END)[0] if (END,) in self.grams else 0.0

    def known(self, word: str) -> str:
        """A word as the model writes it: as it is, in lower or in upper case; else what stands for unknown ones."""
        return next((form for form in (word, word.lower(), word.upper()) if (form,) in self.grams), UNKNOWN)

    def _score(self, state: State, word: str) -> tuple[float, State]:
        backed_off = 0.0
        history = state
        while (*history, word) not in self.grams:
            if not history:
                return backed_off + UNSEEN, ()
            backed_off += self.grams[history][1] if history in self.grams else 0.0
            history = history[1:]
        return backed_off + self.grams[(*history, word)][0], self._shortened((*state, word))

    def _shortened(self, words: State) -> State:
        """The last words, as many as a longer n-gram may begin with."""
        words = words[max(0, len(words) - self.order + 1) :]
        while words and words not in self.grams:
            words = words[1:]
        return words


def read(file: Path) -> LanguageModel:
    r"""Read a language model in ARPA format, also compressed by gzip.

    Raises
    ------
    WeightsError
        If there is none, or it is damaged; the message names the line.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp(), "digits.arpa")
    >>> _ = file.write_text("\\data\\\nngram 1=2\n\n\\1-grams:\n-0.3\tone\n-0.3\ttwo\n\n\\end\\\n")
    >>> read(file)
    LanguageModel(order=1, grams=2, digest='...')
    """
    if not file.is_file():
        raise WeightsError(f"{display(file)}: no such file; give a language model in ARPA format")
    with file.open("rb") as raw:
        is_packed = raw.read(len(GZIP)) == GZIP
    with gzip.open(file, "rt", encoding="utf-8") if is_packed else file.open(encoding="utf-8") as lines:
        return _Reader(file, lines).read()


class _Reader:
    """Reads line by line, and knows which one it is at."""

    def __init__(self, file: Path, lines: Iterable[str]) -> None:
        self._file = file
        self._lines = iter(lines)
        self._number = 0

    def read(self) -> LanguageModel:
        while (line := self._next()) != "\\data\\":  # what stands before is a comment
            if not line:
                raise self._damaged("has no \\data\\")
        counts, line = self._counts()
        grams: dict[tuple[str, ...], tuple[float, float]] = {}
        for order, count in enumerate(counts, 1):
            self._expect(line, f"\\{order}-grams:")
            for _ in range(count):
                self._entry(self._next(), order, grams)
            line = self._next()
        self._expect(line, "\\end\\")
        if len(grams) != sum(counts):
            raise self._damaged(f"has {sum(counts) - len(grams)} n-grams twice")
        return LanguageModel(len(counts), grams, sha256_of(self._file))

    def _counts(self) -> tuple[list[int], str]:
        """How many n-grams there are of each order, and the line behind."""
        counts: list[int] = []
        while found := re.fullmatch(r"ngram\s+(\d+)\s*=\s*(\d+)", line := self._next()):
            if int(found[1]) != len(counts) + 1:
                raise self._damaged(f"has {_shown(line)} where ngram {len(counts) + 1}= should be")
            counts.append(int(found[2]))
        if not counts:
            raise self._damaged(f"has {_shown(line)} where ngram 1= should be")
        return counts, line

    def _entry(self, line: str, order: int, grams: dict[tuple[str, ...], tuple[float, float]]) -> None:
        fields = re.split(r"[ \t]+", line)
        words = tuple(fields[1 : order + 1])
        if line.startswith("\\") or len(words) < order or len(fields) > order + 2:
            raise self._damaged(f"has {_shown(line)} where an n-gram of {counted(order, 'word')} should be")
        try:
            numbers = [float(field) for field in (fields[0], *fields[order + 1 :])]
        except ValueError:
            numbers = [math.nan]
        if not all(map(math.isfinite, numbers)) or numbers[0] > 0:
            raise self._damaged(f"has {_shown(line)}, whose numbers are no log10 of a probability")
        grams[words] = (numbers[0], numbers[1] if len(numbers) > 1 else 0.0)

    def _next(self) -> str:
        """The next line that is not blank; empty at the end of the file."""
        try:
            for line in self._lines:
                self._number += 1
                if text := line.strip():
                    return text
        except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
            self._number += 1
            raise self._damaged(f"cannot be read ({error})") from error
        return ""

    def _expect(self, line: str, expected: str) -> None:
        if line != expected:
            raise self._damaged(f"has {_shown(line)} where {expected} should be")

    def _damaged(self, why: str) -> WeightsError:
        return WeightsError(
            f"{display(self._file)}, line {self._number}: {why}; give a whole language model in ARPA format, as SRILM and "
            f"KenLM write them"
        )


def _shown(line: str) -> str:
    return shortened(repr(line)) if line else "its end"
