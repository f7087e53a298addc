"""The characters that a recogniser writes: made from transcripts or given, and how transcripts are spelled with them."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from sonovec.brief import Brief
from sonovec.errors import UsageError
from sonovec.paths import display
from sonovec.words import counted

#: The file of a vocabulary, in the layout of Hugging Face.
VOCABULARY = "vocab.json"
#: What is in each vocabulary that is made, in this order: the blank of CTC is the first, and the last parts words.
BLANK, BEGIN, END, UNKNOWN, DELIMITER = SPECIAL = ("<pad>", "<s>", "</s>", "<unk>", "|")
#: Names of blanks in the vocabularies of others.
BLANKS = (BLANK, "[PAD]", "<blank>", "<ctc_blank>")
#: Characters of a word although they are punctuation.
APOSTROPHES = "'’"


@dataclass(frozen=True, repr=False)
class Vocabulary(Brief):
    """Characters and their numbers.

    Attributes
    ----------
    numbers : mapping
        The number of each token: a character, ``|`` between words, and special ones.
    blank : str
        The token that stands for no character.
    """

    numbers: Mapping[str, int]
    blank: str = BLANK

    def __len__(self) -> int:
        return max(self.numbers.values()) + 1

    @property
    def characters(self) -> frozenset[str]:
        """Those of which words are made."""
        return frozenset(each for each in self.numbers if len(each) == 1 and each != DELIMITER)

    def spelled(self, text: str) -> str:
        """A transcript as this vocabulary writes it.

        In small or capital letters as the vocabulary has them, words separated by one space, and without punctuation that is
        not in it.

        Examples
        --------
        >>> made(["it's open, sesame or door"]).spelled("“Open Sesame’s door!”")
        "open sesame's door"
        """
        known = self.characters
        return _words("".join(_written(each, known) for each in unicodedata.normalize("NFC", text)))

    def unknown(self, spelled: str) -> Counter[str]:
        """The characters of a spelled transcript that are not in the vocabulary."""
        return Counter(each for each in spelled if each != " " and each not in self.characters)

    def encoded(self, spelled: str) -> list[int]:
        """The numbers of a spelled transcript, all of whose characters are known.

        Examples
        --------
        >>> made(["ab"]).encoded("b a")
        [6, 4, 5]
        """
        return [self.numbers[DELIMITER if each == " " else each] for each in spelled]

    def decoded(self, numbers: Sequence[int]) -> str:
        """What the best numbers of frames say: repeats are one, and blanks nothing (Graves et al. 2006).

        Examples
        --------
        >>> made(["ab"]).decoded([0, 5, 5, 0, 5, 4, 6, 0])
        'aa b'
        """
        kept = [now for before, now in zip([-1, *numbers], numbers, strict=False) if now != before]
        texts = {number: token for token, number in self.numbers.items()}
        said = "".join(_said(texts.get(number, ""), self.blank) for number in kept)
        return " ".join(said.split())


def least_frames(numbers: Sequence[int]) -> int:
    """The fewest frames in which CTC can write some characters: a blank stands between two of the same.

    Examples
    --------
    >>> least_frames(made(["three"]).encoded("three"))
    6
    """
    return len(numbers) + sum(one == other for one, other in pairwise(numbers))


def _said(token: str, blank: str) -> str:
    if token == DELIMITER:
        return " "
    return "" if token in (blank, BEGIN, END) else token


def _written(character: str, known: frozenset[str]) -> str:
    """A character as a vocabulary has it; a space instead of punctuation between words, nothing for what is unspoken."""
    if character in APOSTROPHES:
        character = next((each for each in APOSTROPHES if each in known), "'")
    for each in (character, character.lower(), character.upper()):
        if each in known or each.isspace():
            return each
    if unicodedata.category(character)[0] in "PSC":
        return "" if character in APOSTROPHES else " "
    return character


def _words(text: str) -> str:
    return " ".join(text.split())


def made(transcripts: Iterable[str]) -> Vocabulary:
    """The vocabulary of transcripts: their letters and figures in small, and the apostrophe within words.

    Examples
    --------
    >>> list(made(["It's 2 o'clock.", "Étude"]).numbers)[5:]
    ["'", '2', 'c', 'd', 'e', 'i', 'k', 'l', 'o', 's', 't', 'u', 'é']
    """
    seen: set[str] = set()
    for text in transcripts:
        plain = unicodedata.normalize("NFC", text).lower()
        seen.update(each for each in plain if unicodedata.category(each)[0] in "LMN")
        seen.update("'" for each in plain if each in APOSTROPHES)
    if not seen - {"'"}:
        raise UsageError("the transcripts have no letters and no figures; give texts of what was said")
    return Vocabulary({token: number for number, token in enumerate([*SPECIAL, *sorted(seen)])})


def read(file: Path) -> Vocabulary:
    """Read a vocabulary: a ``vocab.json``, or the folder of a model that has one.

    Raises
    ------
    UsageError
        It is none: it has no blank, nothing between words, or numbers twice.
    """
    file = file / VOCABULARY if file.is_dir() else file
    remedy = (
        f'give one such as {{"{BLANK}": 0, "{DELIMITER}": 1, "a": 2}}, or leave it out, to make one of the transcripts'
    )
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{display(file)}: cannot be read as a vocabulary ({error}); {remedy}") from None
    if not isinstance(found, dict) or not all(type(number) is int and number >= 0 for number in found.values()):
        raise UsageError(f"{display(file)}: is no vocabulary of one language; {remedy}")
    blank = next((each for each in BLANKS if each in found), None)
    for missing, name in ((blank is None, "blank"), (DELIMITER not in found, f"{DELIMITER!r} between words")):
        if missing:
            raise UsageError(f"{display(file)}: has no {name}; {remedy}")
    if sorted(found.values()) != list(range(len(found))):
        raise UsageError(
            f"{display(file)}: does not give each number from 0 to {len(found) - 1} to one token; {remedy}"
        )
    return Vocabulary(found, str(blank))


def told_unknown(unknown: Counter[str], transcripts: int) -> str:
    """A note about characters that a vocabulary lacks."""
    named = ", ".join(f"{character!r} {count}" for character, count in unknown.most_common(5))
    more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
    return (
        f"{counted(transcripts, 'transcript')} with characters that the vocabulary lacks, left out ({named}{more}); give "
        "--vocabulary made for a new one, or spell them out"
    )


def save(vocabulary: Vocabulary, folder: Path) -> None:
    """Write a vocabulary as the tokenizer that ``transformers`` reads: its words, its special tokens, its settings."""
    import transformers

    file = folder / VOCABULARY
    file.write_text(json.dumps(dict(vocabulary.numbers), ensure_ascii=False, indent=1), encoding="utf-8")
    special = {
        name: next((each for each in tokens if each in vocabulary.numbers), None)
        for name, tokens in (("bos_token", (BEGIN,)), ("eos_token", (END,)), ("unk_token", (UNKNOWN, "[UNK]")))
    }
    tokenizer = transformers.Wav2Vec2CTCTokenizer(
        str(file), pad_token=vocabulary.blank, word_delimiter_token=DELIMITER, do_lower_case=False, **special
    )
    tokenizer.save_pretrained(folder)
