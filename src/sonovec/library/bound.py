"""The encoder of a space: loaded as the space was made, and held to its passport."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from sonovec.embedding.encoder import Encoder, load
from sonovec.embedding.passport import Passport
from sonovec.errors import PassportError, UsageError
from sonovec.library.records import MAIN, Space
from sonovec.log import LOGGER
from sonovec.models import registry

Difference = tuple[str, object, object]


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
    passport = passport_of(space)
    if model is not None and registry.resolve(model) != space.model:
        raise _refusal(place, space, [("model", space.model, model)])
    settings: dict[str, object] = {
        "hop": passport.hop / passport.rate,
        "tail": passport.tail,
        "precision": passport.precision,
        **space.options,
        **options,
    }
    encoder = load(space.model, weights=weights, **settings)  # type: ignore[arg-type]
    try:
        encoder.passport  # noqa: B018 - it opens the network, which settles the precision
    except UsageError as error:
        if not str(error).startswith("precision=") or "precision" in options:
            raise
        return load(space.model, weights=weights, **{**settings, "precision": "auto"})  # type: ignore[arg-type]
    return encoder


def check_same(place: object, space: Space, encoder: Encoder) -> None:
    """Refuse an encoder whose vectors may not be stored with those of a space.

    Raises
    ------
    PassportError
        Something differs; the message says what.
    """
    stored = passport_of(space)
    if stored != encoder.passport:
        raise _refusal(place, space, stored.differences(encoder.passport))


def check_comparable(place: object, space: Space, encoder: Encoder) -> None:
    """Refuse an encoder whose vectors may not be compared with those of a space; say it where the precision differs.

    Raises
    ------
    PassportError
        Something else differs; the message says what.
    """
    stored, own = passport_of(space), encoder.passport
    if not stored.is_comparable(own):
        raise _refusal(place, space, stored.differences(own))
    if stored != own:
        LOGGER.warning(
            "%s: made in %s, and this search computes in %s: scores differ a little; to add sounds needs %s",
            place, stored.precision, own.precision, stored.precision,
        )  # fmt: skip


def refusal_of_setting(place: object, space: Space, name: str, stored: object, asked: object) -> PassportError:
    """The error for a setting that was asked for and is another there."""
    return _refusal(place, space, [(name, stored, asked)])


def _refusal(place: object, space: Space, differences: Sequence[Difference]) -> PassportError:
    told = "; ".join(f"{name} is {theirs!r} there and {mine!r} here" for name, theirs, mine in differences)
    if [name for name, _, _ in differences] == ["precision"]:
        remedy = f"add sounds on a machine that computes in {differences[0][1]}"
    else:
        remedy = f"leave the option out to use the library's own ({space.model})"
    which, other = (place, "index into another library: sonovec index PATH -l NEW")
    if space.name != MAIN:
        which, other = (
            f"{place}, space {space.name!r}",
            f"make another space: sonovec index PATH -l {place} --space NEW",
        )
    return PassportError(f"{which}: made with another encoder ({told}); {remedy}, or {other}")
