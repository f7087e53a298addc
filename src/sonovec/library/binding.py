"""Which encoder a library has: the one it was made with, or, for a new one, the one that was asked for."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from sonovec.embedding.encoder import Encoder, load
from sonovec.embedding.passport import Passport
from sonovec.errors import PassportError, SonovecError
from sonovec.library.location import Location
from sonovec.library.records import LibraryConfig
from sonovec.models import registry, storage

SEGMENT_SECONDS = 10.0


@dataclass(frozen=True)
class Binding:
    """What was asked for when a library was opened; None and nothing mean the library's own."""

    location: Location
    model: str | Encoder | None
    weights: str | os.PathLike[str] | None
    segment_seconds: float | None
    options: Mapping[str, object]

    def encoder(self, config: LibraryConfig | None) -> Encoder:
        """The encoder for a library with this config, or for one that is still to be made.

        Raises
        ------
        PassportError
            If other settings were asked for than those that the library was made with.
        """
        if isinstance(self.model, Encoder):
            encoder = self.model
        elif config is None:
            encoder = load(self.model or registry.ALIAS, weights=self.weights, **self.options)  # type: ignore[arg-type]
        else:
            encoder = self._stored(config)
        if config is not None:
            self.check(encoder, config)
        return encoder

    def check(self, encoder: Encoder, config: LibraryConfig) -> None:
        """Refuse an encoder whose vectors are of another kind than the library's."""
        stored = passport_of(config)
        if stored != encoder.passport:
            self._refuse(config, stored.differences(encoder.passport))

    def check_segments(self, config: LibraryConfig) -> None:
        """Refuse another length of segments than the library's."""
        if self.segment_seconds not in (None, config.segment_seconds):
            self._refuse(config, [("segment_seconds", config.segment_seconds, self.segment_seconds)])

    def new_config(self, encoder: Encoder) -> LibraryConfig:
        """What is fixed of a library that is made with an encoder."""
        return LibraryConfig(
            dim=encoder.dim,
            passport=encoder.passport.to_json(),
            segment_seconds=self.segment_seconds or SEGMENT_SECONDS,
            model=encoder.card.name,
            options=dict(encoder.options),
        )

    def classes(self, config: LibraryConfig) -> tuple[str, ...]:
        """Tags that the encoder knows; none where it is not on this machine: it is not fetched only for their names."""
        try:
            if isinstance(self.model, Encoder):
                return self.model.tags
            here = self.weights is not None or storage.is_here(config.model)
            return self._stored(config).tags if here else ()
        except SonovecError:
            return ()

    def _stored(self, config: LibraryConfig) -> Encoder:
        passport = passport_of(config)
        if self.model is not None and registry.resolve(str(self.model)) != config.model:
            self._refuse(config, [("model", config.model, self.model)])
        settings: dict[str, object] = {
            "hop": passport.hop / passport.rate,
            "tail": passport.tail,
            "precision": passport.precision,
            **config.options,
        }
        return load(config.model, weights=self.weights, **{**settings, **self.options})  # type: ignore[arg-type]

    def _refuse(self, config: LibraryConfig, differences: Sequence[tuple[str, object, object]]) -> NoReturn:
        told = "; ".join(f"{name} is {theirs!r} there and {mine!r} here" for name, theirs, mine in differences)
        raise PassportError(
            f"{self.location}: made with another encoder ({told}); leave the option out to use the library's own "
            f"({config.model}), or index into another library: sonovec index PATH -l NEW"
        )


def passport_of(config: LibraryConfig) -> Passport:
    """The passport that a library keeps."""
    return Passport.from_json(config.passport)
