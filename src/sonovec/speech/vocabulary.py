"""What a CTC model writes with: its tokens by their numbers, and texts as sequences of these."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonovec.errors import UsageError, WeightsError
from sonovec.models.pretrained import read_json
from sonovec.paths import display

FILE, SETTINGS, SPECIAL, ADDED = "vocab.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"
#: What the tokenizer of CTC models takes where a checkpoint does not say.
DEFAULTS: Mapping[str, Any] = {
    "pad_token": "<pad>", "unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "word_delimiter_token": "|",
    "do_lower_case": False, "target_lang": None,
}  # fmt: skip
#: Signs that people type for one that models know.
SIGNS = str.maketrans("‘’ʼ`´“”–—‐‑", "'''''\"\"----")
#: How a character may be written otherwise, in the order in which it is tried.
FORMS: tuple[Callable[[str], str], ...] = (
    lambda text: text,
    str.upper,
    str.lower,
    lambda text: text.translate(SIGNS),
    lambda text: unicodedata.normalize("NFKC", text),
    lambda text: unicodedata.normalize("NFKC", text).upper(),
    lambda text: unicodedata.normalize("NFKC", text).lower(),
    lambda text: _unaccented(text),
    lambda text: _unaccented(text).upper(),
    lambda text: _unaccented(text).lower(),
)


def _unaccented(text: str) -> str:
    return "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))


@dataclass(frozen=True)
class Vocabulary:
    """Tokens of a CTC model.

    Attributes
    ----------
    tokens : tuple of str
        By their numbers.
    blank : int
        The token of CTC that writes nothing.
    delimiter : int or None
        The token between words; None where words are parted by spaces within tokens, or not at all.
    mute : frozenset of int
        Tokens that write nothing either: those of the beginning and the end of a text.
    unknown : int or None
        The token that stands for characters that the model does not know.
    lowered : bool
        Whether what was written is put into lower case.

    Examples
    --------
    >>> vocabulary = Vocabulary(("<pad>", "|", "A", "B"), blank=0, delimiter=1)
    >>> vocabulary.spell("bá!")
    ([3, 2], ['!'])
    >>> vocabulary.text([3, 2, 1, 2])
    'BA A'
    """

    tokens: tuple[str, ...]
    blank: int
    delimiter: int | None
    mute: frozenset[int] = frozenset()
    unknown: int | None = None
    lowered: bool = False

    @cached_property
    def _numbers(self) -> dict[str, int]:
        """Tokens that a text can be spelled with."""
        kept_out = {self.blank, self.delimiter, self.unknown, *self.mute}
        return {token: number for number, token in enumerate(self.tokens) if number not in kept_out and token}

    @property
    def alphabet(self) -> Collection[str]:
        """Tokens that words are spelled with."""
        return self._numbers.keys()

    @cached_property
    def _longest(self) -> int:
        return max(map(len, self._numbers), default=1)

    def spell(self, word: str) -> tuple[list[int], list[str]]:
        """Spell a word: the numbers of its tokens, and the characters that no form of theirs is a token of.

        The longest tokens first. A character without a token is tried in the other case, in other forms of Unicode, and
        without its accents.
        """
        numbers: list[int] = []
        left_out: list[str] = []
        place = 0
        word = unicodedata.normalize("NFC", word)
        while place < len(word):
            for length in range(min(self._longest, len(word) - place), 0, -1):
                if (found := self._number(word[place : place + length])) is not None:
                    numbers.append(found)
                    place += length
                    break
            else:
                several = self._several(word[place])
                numbers += several
                left_out += [] if several else [word[place]]
                place += 1
        return numbers, left_out

    def _number(self, text: str) -> int | None:
        return next((self._numbers[form] for write in FORMS if (form := write(text)) in self._numbers), None)

    def _several(self, character: str) -> list[int]:
        """A character as several tokens, such as the two letters of a ligature."""
        for write in FORMS:
            if (form := write(character)) and all(sign in self._numbers for sign in form):
                return [self._numbers[sign] for sign in form]
        return []

    def text(self, numbers: Sequence[int]) -> str:
        """What a sequence of tokens without blanks writes."""
        text = "".join(" " if number == self.delimiter else self.tokens[number] for number in numbers)
        return text.lower() if self.lowered else text

    def parts_words(self, number: int) -> bool:
        """Whether a token stands between words."""
        return number == self.delimiter or not self.tokens[number].strip()

    def log_posteriors(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Log probabilities of the tokens in each frame, of a network's scores: arrays (frames, tokens), float32.

        What is mute counts as blank.
        """
        exact = scores.astype(np.float64)
        exact -= exact.max(axis=1, keepdims=True)
        exact -= np.log(np.exp(exact).sum(axis=1, keepdims=True))
        if self.mute:
            silent = [self.blank, *self.mute]
            exact[:, self.blank] = np.logaddexp.reduce(exact[:, silent], axis=1)
            exact[:, list(self.mute)] = -np.inf
        return exact.astype(np.float32)


def languages(folder: Path) -> tuple[str, ...]:
    """Codes of the languages that a folder has vocabularies for; empty where it has one for all."""
    tokens = read_json(_file(folder))
    return tuple(tokens) if _is_nested(tokens) else ()


def preset(folder: Path) -> str | None:
    """The language that the tokenizer of a folder is set to."""
    language = _settings(folder)["target_lang"]
    return None if language is None else str(language)


def read(folder: Path, outputs: int, language: str | None = None) -> Vocabulary:
    """Read the vocabulary of a checkpoint in Hugging Face's layout.

    Parameters
    ----------
    folder : Path
    outputs : int
        Tokens that the head of the network gives scores for.
    language : str, optional
        Which of the vocabularies, for a checkpoint that has one for each language.

    Raises
    ------
    WeightsError
        If there is none, or it is not that of the checkpoint.
    UsageError
        If it writes phonemes.
    """
    file, settings = _file(folder), _settings(folder)
    if "Phoneme" in str(settings.get("tokenizer_class")):
        raise UsageError(f"{display(folder)} writes phonemes and no words; give a model that writes letters")
    entries = read_json(file)
    if _is_nested(entries):
        entries = entries.get(language or "", {})
    added = read_json(folder / ADDED) if (folder / ADDED).is_file() else {}
    # Tokens that were added behind the end of a head are never written.
    behind = {token: number for token, number in added.items() if number < outputs and token not in entries}
    numbered = {number: token for token, number in {**behind, **entries}.items()}
    if sorted(numbered) != list(range(outputs)):
        raise WeightsError(
            f"{display(file)}: names {len(numbered)} tokens{_of_language(language)}, and the network has {outputs} outputs; "
            f"put the vocabulary of this very checkpoint there"
        )
    numbers = {token: number for number, token in numbered.items()}
    blank = numbers.get(settings["pad_token"])
    if blank is None:
        raise WeightsError(
            f"{display(file)}: has no {settings['pad_token']!r}, which {SETTINGS} names as the blank; put those two "
            f"files of this very checkpoint there"
        )
    return Vocabulary(
        tuple(numbered[number] for number in range(outputs)),
        blank,
        numbers.get(settings["word_delimiter_token"]),
        frozenset(numbers[token] for name in ("bos_token", "eos_token") if (token := settings[name]) in numbers)
        - {blank},
        numbers.get(settings["unk_token"]),
        bool(settings["do_lower_case"]),
    )


def _of_language(language: str | None) -> str:
    return f" for language {language!r}" if language else ""


def _file(folder: Path) -> Path:
    if not (folder / FILE).is_file():
        raise WeightsError(f"{display(folder)}: has no {FILE}, which says what its CTC head writes; put it there")
    return folder / FILE


def _is_nested(entries: Mapping[str, Any]) -> bool:
    return bool(entries) and all(isinstance(value, dict) for value in entries.values())


def _settings(folder: Path) -> dict[str, Any]:
    """Settings of the tokenizer; older checkpoints name the special tokens in a file of their own."""
    files = [folder / name for name in (SPECIAL, SETTINGS) if (folder / name).is_file()]
    settings = {name: value for file in files for name, value in read_json(file).items()}
    plain = {
        name: value["content"] if isinstance(value, dict) and "content" in value else value
        for name, value in settings.items()
    }
    return {**DEFAULTS, **plain}
