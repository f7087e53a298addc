"""The parts of a recommendation: fusion, hubs, variety, songs, weights and wishes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sonovec.errors import UsageError
from sonovec.library.recommend.fusion import fused, ranks
from sonovec.library.recommend.hubs import NEIGHBOURS, corrected, crowding, nearness
from sonovec.library.recommend.same import maker, song_title, songs
from sonovec.library.recommend.variety import diverse
from sonovec.library.recommend.weights import Weights
from sonovec.library.recommend.wishes import wished
from sonovec.library.records import Track

UNIT = st.floats(0, 1, width=32)
SCORES = st.integers(1, 5).flatmap(lambda m: st.integers(1, 12).flatmap(lambda n: arrays(float, (m, n), elements=UNIT)))


@given(SCORES, st.randoms())
def test_the_order_of_seeds_changes_no_bit(scores, random):
    order = random.sample(range(len(scores)), len(scores))
    assert np.array_equal(fused(scores), fused(scores[order]))


@given(SCORES)
def test_ranks_are_those_of_a_sort_and_fusion_of_one_keeps_them(scores):
    placed = ranks(scores)
    assert (np.sort(placed, axis=1) == np.arange(1, scores.shape[1] + 1)).all()
    for row, places in zip(scores, placed, strict=True):
        assert (np.diff(row[np.argsort(places)]) <= 0).all()
    found = fused(scores[:1])
    assert (np.argsort(-found, kind="stable") == np.argsort(placed[0])).all() and 0 <= found.min() <= found.max() <= 1


def test_what_seeds_agree_on_comes_before_what_one_of_them_likes_best():
    # The first is loved by one and far from the other; the second is liked by both.
    both = np.array([[0.9, 0.8, *np.linspace(0.7, 0.1, 98)], [0.0, 0.8, *np.linspace(0.1, 0.9, 98)]])
    found = fused(both)
    assert found[1] > found[0]


@given(arrays(np.float32, st.tuples(st.integers(1, 40), st.just(4)), elements=st.floats(-1, 1, width=32)))
def test_crowding_is_the_mean_of_the_nearest_others(vectors):
    lengths = np.linalg.norm(vectors.astype(float), axis=1)
    units = vectors / np.where(lengths > 1e-15, lengths, 1)[:, None] * (lengths > 1e-15)[:, None]
    expected = []
    for n in range(len(units)):
        others = np.sort(np.delete(units, n, axis=0) @ units[n])[::-1][:NEIGHBOURS]
        expected.append(others.mean() if len(others) else 0.0)
    np.testing.assert_allclose(crowding(vectors), expected, atol=1e-5)


def test_hubs_are_corrected():
    """Of points around a centre that is itself one of them, the centre is near to all, and is so no more."""
    from scipy.stats import skew

    draw = np.random.default_rng(0)
    vectors = draw.standard_normal((300, 40)).astype(np.float32) + 0.4
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    similar = (units @ units.T).astype(float)
    crowded = crowding(vectors)

    def occurrence(values):
        values = values.copy()
        np.fill_diagonal(values, -np.inf)
        return np.bincount(np.argsort(-values, axis=1)[:, :10].ravel(), minlength=len(values))

    before, after = skew(occurrence(similar)), skew(occurrence(corrected(similar, crowded, crowded)))
    assert before > 1 and after < 0.6 * before


@given(UNIT, UNIT, st.floats(0, 0.99))
def test_nearness_rises_with_likeness_and_stays_between_0_and_1(one, other, crowded):
    low, high = sorted((one, other))
    values = nearness(np.array([[low, high]]), np.full(2, crowded))[0]
    assert 0 <= values[0] <= values[1] <= 1
    assert nearness(np.ones((1, 1)), np.array([crowded]))[0, 0] == 1


@given(st.integers(0, 12).flatmap(lambda n: arrays(float, n, elements=UNIT)), st.integers(0, 14))
def test_without_variety_the_order_is_that_of_the_scores(scores, limit):
    alike = np.ones((len(scores), len(scores)))
    assert diverse(scores, alike, limit) == np.argsort(-scores, kind="stable")[:limit].tolist()


@given(
    st.lists(st.tuples(UNIT, st.sampled_from(["a", "b", None])), max_size=12),
    st.integers(1, 3),
    st.floats(0, 0.9),
)
def test_no_artist_comes_up_more_often_than_wished(rows, most, variety):
    scores, makers = np.array([row[0] for row in rows]), [row[1] for row in rows]
    chosen = diverse(scores, np.eye(len(rows)), len(rows), variety, makers, most)
    assert len(set(chosen)) == len(chosen)
    for each in ("a", "b"):
        assert sum(makers[n] == each for n in chosen) == min(most, makers.count(each))
    assert sum(makers[n] is None for n in chosen) == makers.count(None)


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("Heroes", "Heroes (Live)", True),
        ("Heroes - Remastered 2011", "HEROES", True),
        ("Song [Radio Edit]", "Song (feat. Ann)", True),
        ("Song ft. Ann", "Song", True),
        ("Live", "Live Forever", False),
        ("Part One", "Part Two", False),
        ("Symphony No. 1 - Allegro", "Symphony No. 1 - Largo", False),
        ("(Live)", "(Demo)", False),
    ],
)
def test_titles_of_versions(one, other, is_same):
    assert (song_title(one) == song_title(other)) is is_same


def track(id, vector, **fields):
    return Track(id, np.array(vector, np.float32), {"path": f"/{id}", "duration": 10.0, **fields})


def test_one_song_is_one_group():
    near, far = [1, 0.1, 0], [0, 0, 1]
    tracks = [
        track("a", [1, 0, 0], artist="Ann", title="Stir", duration=100.0),
        track("b", near, artist="ANN", title="Stir (Live)", duration=130.0),
        track("c", far, artist="Ann", title="Stir", duration=100.0),  # another sound of the same name
        track("d", near, artist="Bob", title="Stir", duration=90.0),  # a cover is another song
        track("e", [0, 1, 0], duration=70.0),
        track("f", [0, 1, 0.001], duration=70.1),
    ]
    assert songs(tracks) == [[0, 1], [2], [3], [4, 5]]
    assert songs([]) == [] and songs(tracks[:1]) == [[0]]
    assert maker({"artist": " "}) is None and maker({}) is None


@pytest.mark.parametrize("given", [{"tempo": -1}, {"tempo": float("nan")}, {"tempo": True}, {"tempo": "1"}])
def test_weights_are_numbers(given):
    with pytest.raises(UsageError, match="weight tempo=.*give a number of 0 or more"):
        Weights.of(given)


def test_weights_that_rank_nothing():
    with pytest.raises(UsageError, match="all weights are 0"):
        Weights(0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"octaves": True}, "octaves is how tempo_like compares"),
        ({"energy": "more"}, "energy='more' is unknown; give one of: up, down, like"),
        ({"artist_limit": 0}, "artist_limit=0 leaves nothing"),
        ({"artist_limit": -1}, "artist_limit=-1 is negative"),
        ({"limit": 1.5}, "limit=1.5 is not a whole number"),
        ({"variety": 1}, "variety=1: give a number from 0 to less than 1"),
        ({"prefer": "ours"}, "prefer='ours'"),
        ({"mood": ""}, "mood is empty"),
        ({"tempo": "126..118"}, "the slower one first"),
        ({"tempo": (126, 118)}, "the slower one first"),
        ({"tempo": 120}, "give two tempos"),
    ],
)
def test_wishes_that_are_wrong(wrong, told):
    names = ("tempo", "tempo_like", "octaves", "key_compatible", "mood", "energy", "artist_limit")
    usual = {**dict.fromkeys(names), "limit": 20, "variety": 0.2, "prefer": "heard"}
    with pytest.raises(UsageError, match=told):
        wished(**{**usual, **wrong})
