"""Which encoder a space has: the one it was made with, held to its passport; a new one has what was asked for."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sonovec.embedding.passport import FLOATING, Passport
from sonovec.errors import PassportError, SonovecError, UsageError
from sonovec.library import model_places
from sonovec.library.location import Location
from sonovec.library.records import MAIN, LibraryConfig, Space
from sonovec.log import LOGGER
from sonovec.models.defaults import ALIAS

# Imported where it is used: what is stored can be searched without an encoder.
if TYPE_CHECKING:
    from sonovec.embedding.encoder import Encoder

SEGMENT_SECONDS = 10.0
Difference = tuple[str, object, object]


@dataclass(frozen=True)
class Binding:
    """What was asked for when a library was opened; None and nothing mean the library's own."""

    location: Location
    model: str | Encoder | None
    weights: str | os.PathLike[str] | None
    segment_seconds: float | None
    options: Mapping[str, object]

    @property
    def isolate(self) -> bool:
        """Whether files are decoded in child processes, also where no encoder is needed."""
        return bool(self.options.get("isolate", getattr(self.model, "isolate", False)))

    @property
    def jobs(self) -> int | None:
        """How many threads work at once, also where no encoder is needed; None for the default."""
        jobs: int | None = self.options.get("jobs", getattr(self.model, "jobs", None))  # type: ignore[assignment]
        return jobs

    def check(self) -> None:
        """Refuse settings beside an encoder that has its own: they would have no effect."""
        given = [*(["weights"] if self.weights is not None else []), *self.options]
        if given and not isinstance(self.model, str | None):
            raise UsageError(
                f"{', '.join(given)}: the model is an encoder that is loaded already, with settings of its own; give them to "
                "sonovec.load, or give the name of the model"
            )

    def new(self) -> Encoder:
        """The encoder that was asked for, for a library or a space to be made."""
        from sonovec.embedding.encoder import Encoder, load

        if isinstance(self.model, Encoder):
            encoder = self.model
        else:
            encoder = load(self.model or ALIAS, weights=self.weights, **self.options)  # type: ignore[arg-type]
        model_places.remember(encoder)
        return encoder

    def of(self, space: Space) -> Encoder:
        """The encoder of a space that is there.

        Raises
        ------
        PassportError
            If other settings were asked for than those that the space was made with.
        """
        encoder = self._stored(space)
        check_comparable(self.location, space, encoder)
        model_places.remember(encoder)
        return encoder

    def check_segments(self, space: Space) -> None:
        """Refuse another length of segments than the space's."""
        if self.segment_seconds not in (None, space.segment_seconds):
            which = "" if space.name == MAIN else f", space {space.name!r}"
            raise PassportError(
                f"{self.location}{which}: segment_seconds is {space.segment_seconds} there and {self.segment_seconds} here; "
                "the stored segments cannot be cut anew from their vectors, and parts of two lengths do not compare: leave "
                f"--segment out, or make another library: sonovec index PATH -l NEW --segment {self.segment_seconds:g}"
            )

    def new_config(self, encoder: Encoder) -> LibraryConfig:
        """What is fixed of a library that is made with an encoder; a warning where parts cannot be as short as asked for."""
        window = encoder.window.length / encoder.rate
        if self.segment_seconds is not None and self.segment_seconds < window:
            LOGGER.warning(
                "segment_seconds=%g: a window of %r is %g s long, and a part is never shorter than that; for shorter parts, "
                "take an encoder with shorter windows",
                *(self.segment_seconds, encoder.card.name, window),
            )
        return LibraryConfig(
            dim=encoder.dim,
            passport=encoder.passport.to_json(),
            segment_seconds=self.segment_seconds or SEGMENT_SECONDS,
            model=encoder.card.name,
            options=dict(encoder.options),
        )

    def classes(self, space: Space) -> tuple[str, ...]:
        """Classes that the encoder scores; none where it is not on this machine: it is not fetched only for their names."""
        from sonovec.embedding.encoder import Encoder

        try:
            here = isinstance(self.model, Encoder) or self.weights is not None or _is_here(self.location, space)
            return self._stored(space).classes if here else ()
        except SonovecError:
            return ()

    def _stored(self, space: Space) -> Encoder:
        from sonovec.embedding.encoder import Encoder

        if isinstance(self.model, Encoder):
            return self.model
        return stored_encoder(self.location, space, self.model, self.weights, self.options)


def passport_of(space: Space) -> Passport:
    """What shapes the vectors of a space."""
    return Passport.from_json(space.passport)


def stored_encoder(
    place: object,
    space: Space,
    model: str | None,
    weights: str | os.PathLike[str] | None,
    options: Mapping[str, object],
) -> Encoder:
    """The encoder that a space was made with; `options` of the user's go before its own.

    Where this machine cannot compute in the space's precision, another is taken, for searches: see `check_comparable`.
    """
    from sonovec.embedding.encoder import load_with, settings_of

    passport = passport_of(space)
    name = _named(place, space, model)
    settings: dict[str, object] = {
        "hop": passport.hop / passport.rate,
        "tail": passport.tail,
        "precision": passport.precision,
        **_steps(place, passport),
        **space.options,
        **options,
    }
    try:
        encoder = load_with(name, settings_of(weights, **settings))  # type: ignore[arg-type]
        encoder.passport  # noqa: B018 - it opens the network, which settles the precision
    except UsageError as error:
        if not str(error).startswith("precision=") or "precision" in options or passport.precision not in FLOATING:
            raise
        return load_with(name, settings_of(weights, **{**settings, "precision": "auto"}))  # type: ignore[arg-type]
    return encoder


def _steps(place: object, passport: Passport) -> dict[str, bool]:
    """How the sounds of a space are cleaned, as settings."""
    from sonovec.cleaning.chain import NAMES

    stored = {name: method for name in NAMES if (method := getattr(passport, name))}
    for name, method in stored.items():
        if method != NAMES[name]:
            raise PassportError(
                f"{place}: {name} is {method!r} there, and this version of sonovec has {NAMES[name]!r}; index into another "
                "library: sonovec index PATH -l NEW"
            )
    return dict.fromkeys(stored, True)


def _named(place: object, space: Space, model: str | None) -> str:
    """What `load` takes: the space's own model, where it lies, or, of the user's own, where `model` says that it does."""
    from sonovec.models import registry

    if model is None or registry.resolve(model) == space.model:
        return model_places.source_of(place, space)
    if Path(model).expanduser().exists() and not registry.is_listed(model) and (found := registry.card(model).place):
        return found
    raise _refusal(place, space, [("model", space.model, model)])


def _is_here(place: object, space: Space) -> bool:
    from sonovec.models import storage

    name = model_places.source_of(place, space)
    return name != space.model or storage.is_here(name)


def _stored_for(space: Space, ours: Passport, is_own: bool) -> Passport:
    """The passport of a space, to be compared with an encoder's.

    One's own model is the same by its content, whatever it is called now; former versions knew it by its path, and did not
    say which of its tensors is the vector.
    """
    stored = passport_of(space)
    if is_own and stored.weights == ours.weights:
        former = Path(stored.model).is_absolute() and ours.front_end.startswith(f"{stored.front_end}, to ")
        return replace(stored, model=ours.model, front_end=ours.front_end if former else stored.front_end)
    return stored


def check_same(place: object, space: Space, encoder: Encoder) -> None:
    """Refuse an encoder whose vectors may not be stored with those of a space.

    Raises
    ------
    PassportError
        Something differs; the message says what.
    """
    stored = _stored_for(space, encoder.passport, bool(encoder.card.place))
    if stored != encoder.passport:
        raise _refusal(place, space, stored.differences(encoder.passport))


def check_comparable(place: object, space: Space, encoder: Encoder) -> None:
    """Refuse an encoder whose vectors may not be compared with those of a space; say it where the precision differs.

    Raises
    ------
    PassportError
        Something else differs; the message says what.
    """
    ours = encoder.passport
    stored = _stored_for(space, ours, bool(encoder.card.place))
    if not stored.is_comparable(ours):
        raise _refusal(place, space, stored.differences(ours))
    if stored != ours:
        LOGGER.warning(
            "%s: made with precision %s; this search uses %s, so scores differ a little; to add sounds, use a "
            "machine with %s",
            place, stored.precision, ours.precision, stored.precision,
        )  # fmt: skip


def check_embedding(space: Space, ours: Passport) -> None:
    """Refuse an embedding whose vectors may not be compared with those of a space.

    Raises
    ------
    UsageError
        If an analyser fills the space.
    PassportError
        If its passport differs; the message says how.
    """
    if space.analyser is not None:
        raise UsageError(
            f"the space {space.name!r} is filled by an analyser; search for the sound, not for its embedding"
        )
    stored = _stored_for(space, ours, is_own=bool(ours.weights))
    if not stored.is_comparable(ours):
        differences = stored.differences(ours)
        # Of another model everything differs, and only its name tells people something.
        shown = _shown([each for each in differences if each[0] == "model"] or differences)
        raise PassportError(
            f"this embedding cannot be compared with the library ({shown}); embed the sound with the library's encoder: "
            f"library.encoder_of({space.name!r}).embed(sound)"
        )


def _shown(differences: Sequence[Difference]) -> str:
    return "; ".join(f"{name} is {theirs!r} there and {mine!r} here" for name, theirs, mine in differences)


def _refusal(place: object, space: Space, differences: Sequence[Difference]) -> PassportError:
    shown = _shown(differences)
    if [name for name, _, _ in differences] == ["precision"]:
        remedy = f"leave --precision out; add sounds on a machine that computes in {differences[0][1]}"
    else:
        remedy = f"leave the option out to use the library's own ({space.model})"
    which, other = (place, "index into another library: sonovec index PATH -l NEW")
    if space.name != MAIN:
        which, other = (
            f"{place}, space {space.name!r}",
            f"make another space: sonovec index PATH -l {place} --space NEW",
        )
    return PassportError(f"{which}: made with another encoder ({shown}); {remedy}, or {other}")
