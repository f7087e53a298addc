"""Words of a text, and how well texts fit words, for stores that cannot search for words themselves."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

#: The usual constants of BM25.
_K, _B = 1.2, 0.75


def tokens(text: str) -> list[str]:
    """The words of a text, in small letters.

    Examples
    --------
    >>> tokens("Hello, the World!")
    ['hello', 'the', 'world']
    """
    return re.findall(r"\w+", text.lower())


def bm25(words: str, texts: Sequence[str], total: int = 0) -> list[float]:
    """Score texts by the words in them (Robertson and Zaragoza 2009); 0 for a text with none of them.

    Where the texts are those of a larger number that hold any of the words, `total` is that number.

    Examples
    --------
    >>> scores = bm25("dog", ["a dog", "two cats", "dog dog"])
    >>> scores[1], scores[2] > scores[0] > 0
    (0.0, True)
    """
    counted = [Counter(tokens(text)) for text in texts]
    mean = sum(map(Counter.total, counted)) / max(len(counted), 1)
    scores = [0.0] * len(texts)
    total = max(total, len(texts))
    for word in set(tokens(words)):
        having = sum(word in counts for counts in counted)
        weight = math.log(1 + (total - having + 0.5) / (having + 0.5))
        for place, counts in enumerate(counted):
            if times := counts[word]:
                scores[place] += weight * times * (_K + 1) / (times + _K * (1 - _B + _B * counts.total() / mean))
    return scores
