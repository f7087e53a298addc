"""Encoders as an embedding function of Milvus: the interface that users of ``pymilvus.model`` know.

``pymilvus.model`` comes with a package of its own. Where it is installed, the class here is one of its embedding functions;
where it is not, nothing is missing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

import sonovec
from sonovec.embedding.embedding import Failure
from sonovec.embedding.source import Sound
from sonovec.errors import AudioError, UsageError
from sonovec.vectors import unit

try:
    from pymilvus.model.base import BaseEmbeddingFunction
except ImportError:
    BaseEmbeddingFunction = object


class AudioEmbeddingFunction(BaseEmbeddingFunction):
    """Sounds, and words where the encoder knows them, to vectors for a Milvus collection.

    Parameters
    ----------
    model : str
        A name that `sonovec.load` takes.
    normalize : bool
        Vectors of length 1, the default as in ``pymilvus.model``: the metrics COSINE, IP and L2 then rank alike. A
        vector of zeros stays one.
    queries : {"sound", "text"}
        What `encode_queries` is given. A string is never guessed to be the one or the other: with ``"sound"`` it is a
        path, with ``"text"`` it is words. `encode_documents` always takes sounds, and `encode_texts` always words.
    **settings
        What else `sonovec.load` takes: `weights`, `hop`, `precision`, `device`, the model's own options.

    Attributes
    ----------
    encoder : Encoder
    dim : int
        Length of a vector, for the collection's schema.

    Raises
    ------
    UsageError
        If the model, a setting or `queries` is unknown, or ``queries="text"`` and the encoder cannot embed text.
    WeightsError
        If weights are missing and cannot be fetched, or are not the right ones.

    Examples
    --------
    >>> noise = np.random.default_rng(0).standard_normal(16000).astype(np.float32) / 10
    >>> embed = AudioEmbeddingFunction("logmel")
    >>> (vector,) = embed.encode_documents([(noise, 16000)])
    >>> vector.shape == (embed.dim,), float(np.linalg.norm(vector))
    (True, 1.0)
    """

    def __init__(
        self,
        model: str = "default",
        *,
        normalize: bool = True,
        queries: Literal["sound", "text"] = "sound",
        **settings: Any,
    ) -> None:
        if queries not in ("sound", "text"):
            raise UsageError(f"queries={queries!r} is unknown; give 'sound' or 'text'")
        self.encoder = sonovec.load(model, **settings)
        self.normalize = normalize
        self.queries = queries
        if queries == "text" and not self.encoder.knows_words:
            self.encode_texts(["words"])  # says so, and which encoder does

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self.encoder.dim

    def __call__(self, inputs: Iterable[Sound]) -> list[NDArray[np.float32]]:
        """Vectors of sounds: `encode_documents`."""
        return self.encode_documents(inputs)

    def encode_documents(self, documents: Iterable[Sound]) -> list[NDArray[np.float32]]:
        """Vectors of sounds.

        Parameters
        ----------
        documents : list of sounds
            Paths, Waveforms, or tuples (samples, rate).

        Returns
        -------
        list of array, shape (dim,), float32
            One for each, in their order.

        Raises
        ------
        AudioError
            If some cannot be embedded; the message names all of them.
        UsageError
            If `documents` is one path and not a list.

        Examples
        --------
        >>> AudioEmbeddingFunction("logmel").encode_documents(["missing.wav"])
        Traceback (most recent call last):
        sonovec.errors.AudioError: 1 of 1 sounds cannot be embedded: missing.wav: no such file...
        """
        vectors, failures = [], []
        for result in self.encoder.embed_many(_listed(documents)):
            if isinstance(result, Failure):
                failures.append(result.reason)
            else:
                vectors.append(self._scaled(result.vector))
        if failures:
            count = len(failures) + len(vectors)
            raise AudioError(f"{len(failures)} of {count} sounds cannot be embedded: {'; '.join(failures)}")
        return vectors

    def encode_queries(self, queries: Iterable[Any]) -> list[NDArray[np.float32]]:
        """Vectors of queries: of sounds, or of words if this was made with ``queries="text"``.

        Parameters
        ----------
        queries : list
            As for `encode_documents`, or for `encode_texts`.

        Returns
        -------
        list of array, shape (dim,), float32

        Raises
        ------
        AudioError
            If sounds cannot be embedded; the message names all of them.
        UsageError
            If `queries` is one string and not a list.

        Examples
        --------
        >>> silence = np.zeros(16000, np.float32)
        >>> [vector.shape for vector in AudioEmbeddingFunction("logmel").encode_queries([(silence, 16000)])]
        [(192,)]
        """
        if self.queries == "text":
            return self.encode_texts(list(_listed(queries)))
        try:
            return self.encode_documents(queries)
        except AudioError as error:
            if not self.encoder.knows_words:
                raise
            raise AudioError(f"{error}; for words, call encode_texts, or make this with queries='text'") from None

    def encode_texts(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        """Vectors of words, to search sounds with.

        Parameters
        ----------
        texts : list of str
            Such as ``["glass breaking"]``.

        Returns
        -------
        list of array, shape (dim,), float32

        Raises
        ------
        UsageError
            If the encoder only hears, as most do, or `texts` is no list of texts.

        Examples
        --------
        >>> AudioEmbeddingFunction("logmel").encode_texts(["glass breaking"])
        Traceback (most recent call last):
        sonovec.errors.UsageError: model 'logmel' cannot embed text...
        """
        return [self._scaled(vector) for vector in self.encoder.embed_text(texts)]

    def _scaled(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(unit(vector[None], least=0)[0], np.float32) if self.normalize else vector


def _listed(given: Iterable[Any]) -> Iterable[Any]:
    if isinstance(given, str | os.PathLike):
        raise UsageError(f"{str(given)!r} is one string; give a list, such as [{str(given)!r}]")
    return given
