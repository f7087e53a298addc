"""Makes a playlist: hears the seeds, finds candidates, chooses and orders them, and says what there is to say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from sonovec.jobs import Job, Progress
from sonovec.library.playlist.candidates import Candidates, Pool, nearest_seed
from sonovec.library.playlist.choosing import Choice
from sonovec.library.playlist.lists import Listed, Playlist, Step
from sonovec.library.playlist.remarks import remarks, why_none
from sonovec.library.playlist.seeds import Seed, must_be_playable, seed_of, unknown_music
from sonovec.library.playlist.songs import Song
from sonovec.library.playlist.steps import Steps
from sonovec.library.playlist.usual import usual_of
from sonovec.library.playlist.wishes import MOST, USUAL
from sonovec.library.queries import Asked


def make(pool: Pool, index: str, job: Job) -> Playlist:
    """Make a playlist; see `sonovec.Library.playlist`.

    `index` is the command that hears the music of the library's tracks.
    """
    wish = pool.wish
    pool.check(index)
    job.report(Progress("looking for tracks"))
    seeds = [_heard(pool, asked) for asked in wish.seeds]
    end = None if wish.to is None else _heard(pool, wish.to)
    last = None if end is None or wish.to is None else must_be_playable(end, wish.to)
    if end is not None:
        must_be_playable(seeds[0], wish.seeds[0])
    usual = usual_of(pool.queries.store, pool.queries.space.name)
    least = usual.fits if wish.grow and wish.min_score is None else wish.min_score
    found = _fitting(_candidates(pool, seeds, end), seeds, least)
    job.report(Progress("ordering tracks"))
    choice = Choice(wish, seeds, last, found, usual.unrelated)
    songs = choice.songs()
    heard = [*seeds, *([] if end is None else [end])]
    notes = [*(note for each in heard for note in each.query.notes), *filter(None, map(unknown_music, heard))]
    notes += remarks(choice, songs, index) if songs else []
    return Playlist(
        _listed(choice, songs) if songs else (),
        asdict(wish.weights),
        least,
        tuple(dict.fromkeys(notes)),
        None if songs else why_none(choice),
    )


def _heard(pool: Pool, asked: Asked) -> Seed:
    return seed_of(pool.queries, asked, pool.shown, pool.wish.prefer)


def _candidates(pool: Pool, seeds: Sequence[Seed], end: Seed | None) -> Candidates:
    wish = pool.wish
    if end is not None:
        return pool.along(seeds[0], end, wish.limit or USUAL)
    wanted = wish.limit or (MOST if wish.grow or wish.minutes else USUAL)
    return pool.near(seeds, wanted) if seeds else pool.all()


def _fitting(found: Candidates, seeds: Sequence[Seed], least: float | None) -> Candidates:
    """The candidates that score enough with a seed."""
    if least is None:
        return found
    scores = nearest_seed(found.songs, [seed.query for seed in seeds])
    score_of = {song.id: score for song, score in zip(found.songs, scores, strict=True)}

    def fits(song: Song) -> bool:
        score = score_of[song.id]
        return score is not None and score >= least

    return Candidates(found.sieve.keep(found.songs, fits, f"score {least:.3f} or more with a seed"), found.sieve)


def _listed(choice: Choice, songs: Sequence[Song]) -> tuple[Listed, ...]:
    """Songs in order, each with its step from the one before."""
    steps = Steps.of(songs, choice.unrelated)
    cost = steps.cost(choice.wish.weights)
    scores = nearest_seed(songs, [seed.query for seed in choice.seeds])

    def step(n: int) -> Step:
        sound, tempo, key = (float(term[n - 1, n]) for term in (steps.sound, steps.tempo, steps.key))
        return Step(round(sound, 4), _known(tempo), _known(key), round(float(cost[n - 1, n]), 4))

    return tuple(
        Listed(
            id=song.id,
            path=song.path,
            seconds=round(choice.seconds(song), 3),
            tempo=song.tempo,
            key=song.key,
            score=scores[n],
            step=step(n) if n else None,
            cues=choice.cues(song),
            fields=song.fields,
        )
        for n, song in enumerate(songs)
    )


def _known(number: float) -> float | None:
    return None if np.isnan(number) else round(number, 4)
