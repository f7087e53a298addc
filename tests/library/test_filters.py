"""The filter language: what is read, what is refused and how, and that each store means the same by it."""

from __future__ import annotations

import operator
import threading
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sonovec.errors import UsageError
from sonovec.library.columns import Owner, heard_columns
from sonovec.library.filters import (
    MAX_CONDITIONS,
    MAX_DEPTH,
    And,
    Compare,
    Contains,
    Filter,
    Has,
    In,
    IsNull,
    Not,
    Or,
    StartsWith,
    normal,
    parse,
    quote,
)
from sonovec.library.open import open_store
from sonovec.library.records import LibraryConfig, Track

COLUMNS = {
    "title": str,
    "genre": str,
    "year": int,
    "tempo": float,
    "silent": bool,
    "sound_tags": list[str],
    "sound_tags_scores": list[float],
    "words": list[str],
}
PRESENT = Not(IsNull("year"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("year = 1990", Compare("year", "=", 1990)),
        ("year == -5", Compare("year", "=", -5)),
        ("year != 1990", And((PRESENT, Not(Compare("year", "=", 1990))))),
        ("year >= 1990.0", Compare("year", ">=", 1990)),
        ("tempo < 1e-3", Compare("tempo", "<", 0.001)),
        ("tempo <= .5", Compare("tempo", "<=", 0.5)),
        ("tempo > 120", Compare("tempo", ">", 120.0)),
        ("silent = TRUE", Compare("silent", "=", True)),
        ("year in (1990, 1991,1990)", In("year", (1990, 1991))),
        ("year not in (1990)", And((PRESENT, Not(In("year", (1990,)))))),
        ("title contains '50%_'", Contains("title", "50%_")),
        ('title startswith "it\'s"', StartsWith("title", "it's")),
        ("sound_tags has 'Dog'", Has("sound_tags", "Dog")),
        ("sound_tags has 'Dog' > 0.3", Has("sound_tags", "Dog", "sound_tags_scores", ">", 0.3)),
        ("words not has 'a'", And((Not(IsNull("words")), Not(Has("words", "a"))))),
        ("words contains 'a'", Contains("words", "a", listed=True)),
        ("year is null", IsNull("year")),
        ("year IS NOT NULL", PRESENT),
        (r"title = 'a\'b\\c\n\u00e9'", Compare("title", "=", "a'b\\c\né")),
        (r"title = '\ud834\udd1e'", Compare("title", "=", "𝄞")),
        ("title = '🎵'", Compare("title", "=", "🎵")),
        (
            "year = 1 or year = 2 and not year = 3",
            Or((Compare("year", "=", 1), And((Compare("year", "=", 2), Not(Compare("year", "=", 3)))))),
        ),
        (
            "(year = 1 or year = 2) and year = 3",
            And((Or((Compare("year", "=", 1), Compare("year", "=", 2))), Compare("year", "=", 3))),
        ),
    ],
)
def test_expressions_are_read(text, expected):
    assert parse(text, COLUMNS) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "it is empty; write for example year >= 1990"),
        (
            "yaer = 1990",
            "character 1: no field 'yaer', did you mean 'year'? The fields are genre, silent, sound_tags, sound_tags_scores",
        ),
        ("year > 1 and zzz = 1", "character 14: no field 'zzz'. The fields are"),
        ("year = '1990'", "year is a whole number, '1990' is not; write 1990"),
        ("year = 1990.5", "write 1990"),
        ("tempo = 'fast'", "a number without quotes"),
        ("title = 1990", "title is text, 1990 is not; write '1990'"),
        ("title = rock", "title is text, rock is not; write 'rock'"),
        ("silent = 1", "silent is true or false, 1 is not; write true or false"),
        ("silent < true", "has no order; write silent = true"),
        ("silent in (true)", "write silent = true"),
        ("year = null", "write year is null"),
        ("year != null", "write year is not null"),
        ("title has 'Dog'", "title is text, has is for a list of text; write title contains 'text'"),
        ("year has 'Dog'", "has is for a list of text; compare with =, < or >"),
        ("tags has 'Dog'", "no field 'tags', did you mean 'sound_tags'?"),
        ("sound_tags has Dog", "write 'Dog'"),
        ("sound_tags = 'Dog'", "sound_tags is a list of text, = is not for lists; write sound_tags has 'text'"),
        ("sound_tags in ('Dog')", "in is not for lists; write sound_tags has 'text'"),
        ("sound_tags", "a comparison is not for lists; write sound_tags has 'text'"),
        ("sound_tags startswith 'Dog'", "startswith is for text; write has or contains"),
        ("sound_tags has 'Dog' > 'x'", "is a number, 'x' is not"),
        ("sound_tags has 'Dog' != 0.5", "!= is not for scores; write < or >"),
        ("words has 'Dog' > 0.5", "the items of words have no scores"),
        ("sound_tags_scores > 0.5", "is a list of numbers, > is not for lists; write sound_tags has 'text'"),
        ("year contains '19'", "contains is for text; compare with =, < or >"),
        ("title", "a comparison is expected after title; write title = 'text'"),
        ("1990 = year", "a field is expected before '1990'; the field comes first"),
        ("title = 'x", "character 9: the quote ' is not closed"),
        (r"title = '\x'", r"\x is not an escape; write \\ for a backslash"),
        ("year = 1990 genre = 'x'", "'genre' is not expected; join conditions with and, or"),
        ("(year = 1990", "')' is expected before 'the end'; close the parenthesis"),
        ("year in 1990", "write year in (1990, ...)"),
        ("year is 1990", "write year is null or year is not null"),
        ("year = 9223372036854775808", "beyond 64 bits"),
        ("tempo = 1e999", "too large for a number"),
        ("year = 19x", "this is not a number"),
        ("year; drop table", "';' is not expected"),
        ("(" * 60 + "year = 1" + ")" * 60, "nested more than 50 deep"),
        (" or ".join(["year = 1"] * 501), "more than 500 conditions; write field in (a, b, ...)"),
    ],
)
def test_what_is_wrong_is_said_with_the_correction(text, says):
    with pytest.raises(UsageError) as raised:
        parse(text, COLUMNS)
    assert says in str(raised.value) and "\n" not in str(raised.value)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_quoted_text_is_read_back(text):
    assert parse(f"title = {quote(text)}", COLUMNS) == Compare("title", "=", text)


@given(st.text("()=<>!'\"\\ andortilenull019.,x", max_size=40))
def test_nothing_but_a_usage_error_comes_out_of_nonsense(text):
    with suppress(UsageError):
        assert isinstance(parse(text, COLUMNS), Filter)


def test_conditions_on_null_are_false_and_not_turns_them_round():
    row = {"year": None}
    for text in (
        "year = 1",
        "year != 1",
        "year in (1)",
        "year not in (1)",
        "title contains 'x'",
        "sound_tags has 'x'",
        "sound_tags not has 'x'",
        "title not contains 'x'",
    ):
        assert not parse(text, COLUMNS).matches(row)
        assert parse(f"not ({text})", COLUMNS).matches(row)
    assert parse("year is null and title is null", COLUMNS).matches(row)


# What stores stumble over: quotes, wildcards, escapes, code points on both sides of the surrogates.
PIECES = ["", "a", "A", "b", "'", '"', "%", "_", "\\", "\n", "\r", "\t", "\0", "é", "e\u0301", "🎵", "\ud7ff", "\ue000"]
TEXT = st.lists(st.sampled_from([*PIECES, "\U0010ffff"]), max_size=3).map("".join)
WHOLE = st.sampled_from([-(2**63) + 1, -5, 0, 1, 2, 2**53 + 1, 2**63 - 1])
NUMBER = st.sampled_from([-1.5, 0.0, 1.0, 1 / 3, 1e-300, 1e300, 5e-324])
VALUES = {"title": TEXT, "genre": TEXT, "year": WHOLE, "tempo": NUMBER, "silent": st.booleans()}
ORDERED = ["title", "genre", "year", "tempo"]


def _compare(field):
    return st.builds(Compare, st.just(field), st.sampled_from(["=", "<", "<=", ">", ">="]), VALUES[field])


def _in(field):
    return st.builds(In, st.just(field), st.lists(VALUES[field], min_size=1, max_size=4).map(tuple))


LEAVES = st.one_of(
    st.sampled_from(ORDERED).flatmap(_compare),
    st.sampled_from(ORDERED).flatmap(_in),
    st.builds(Compare, st.just("silent"), st.just("="), st.booleans()),
    st.builds(StartsWith, st.sampled_from(["title", "genre"]), TEXT),
    st.builds(Contains, st.sampled_from(["title", "genre"]), TEXT),
    st.builds(IsNull, st.sampled_from(list(COLUMNS))),
)


def _join(inner):
    parts = st.lists(inner, min_size=1, max_size=3).map(tuple)
    return st.one_of(st.builds(Not, inner), st.builds(And, parts), st.builds(Or, parts))


FILTERS = st.recursive(LEAVES, _join, max_leaves=6)
ROWS = st.lists(st.fixed_dictionaries({name: st.none() | value for name, value in VALUES.items()}), max_size=12)


@pytest.fixture(scope="module")
def emptied(any_location):
    """A store that each example fills anew."""
    with open_store(any_location) as store:
        store.create(LibraryConfig(dim=2, passport={}, segment_seconds=10.0, model="test"))
        store.add_columns({"tempo": float, "words": list[str]})
        store.declare(heard_columns(Owner("encoder", "1")))
        yield store


def fill(store, rows):
    vector = np.ones(2, np.float32)
    store.put_many((Track(f"{n:04}", vector, {"path": "/", **row}), []) for n, row in enumerate(rows))


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(rows=ROWS, filters=st.lists(FILTERS, min_size=1, max_size=8))
def test_stores_agree_with_the_language(emptied, rows, filters):
    emptied.delete([track.id for track in emptied.tracks()])
    fill(emptied, rows)
    stored = {track.id: {name: track.fields[name] for name in VALUES} for track in emptied.tracks()}
    assert stored == {f"{n:04}": row for n, row in enumerate(rows)}
    for condition in filters:
        expected = [id for id, row in stored.items() if condition.matches(row)]
        assert [track.id for track in emptied.tracks(condition)] == expected, condition


# Names that begin, end or hold one another, and what stores or the list itself could stumble over.
HEARD = [
    "Rain",
    "Rain on surface",
    "Acid Rain",
    "Raindrop",
    "rain",
    "Rain 0",
    "50%_",
    'it\'s "a" \\\\',
    "Rain; Dog",
    "é🎵",
]
SCORE = st.floats(0.01, 1)


def listed(row):
    """What an encoder heard, as columns; a list may be empty, too."""
    return {"sound_tags": [name for name, _ in row], "sound_tags_scores": [score for _, score in row]}


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(rows=st.lists(st.lists(st.tuples(st.sampled_from(HEARD), SCORE), unique_by=lambda tag: tag[0]), max_size=8))
def test_every_store_finds_one_tag_and_none_that_is_like_it(emptied, rows):
    emptied.delete([track.id for track in emptied.tracks()])
    fill(emptied, [listed(row) for row in rows])
    columns = emptied.columns()
    assert {id: track.fields["sound_tags"] for id, track in emptied.get(emptied.ids()).items()} == {
        f"{n:04}": listed(row)["sound_tags"] for n, row in enumerate(rows)
    }
    for name in HEARD:
        condition = parse(f"sound_tags has {quote(name)}", columns)
        expected = [f"{n:04}" for n, row in enumerate(rows) if name in dict(row)]
        assert [track.id for track in emptied.tracks(condition)] == expected, name
        opposite = parse(f"sound_tags not has {quote(name)}", columns)
        others = [f"{n:04}" for n, row in enumerate(rows) if name not in dict(row)]
        assert [track.id for track in emptied.tracks(opposite)] == others, name
        for op, holds in (("<", operator.lt), (">=", operator.ge)):
            condition = parse(f"sound_tags has {quote(name)} {op} 0.5", columns)
            expected = [f"{n:04}" for n, row in enumerate(rows) if name in dict(row) and holds(dict(row)[name], 0.5)]
            assert [track.id for track in emptied.tracks(condition)] == expected, (name, op)
        condition = parse(f"sound_tags contains {quote(name)}", columns)
        expected = [f"{n:04}" for n, row in enumerate(rows) if any(name in heard for heard, _ in row)]
        assert [track.id for track in emptied.tracks(condition)] == expected, name
    assert emptied.items("sound_tags") == {name for row in rows for name, _ in row}


# -- what is nested deep, or long


#: From a leaf outwards: each step negates what is there, or joins it with others.
STEPS = st.lists(st.one_of(st.just(None), st.tuples(st.sampled_from([And, Or]), st.lists(FILTERS, max_size=2))))


@st.composite
def deep(draw):
    condition = draw(LEAVES)
    for step in draw(STEPS.map(lambda steps: (steps * MAX_DEPTH)[: MAX_DEPTH - 6])):
        condition = Not(condition) if step is None else step[0]((*step[1], condition))
    return condition


def is_normal(condition, within=None):
    match condition:
        case Not(part):
            return not isinstance(part, Not | And | Or)
        case And(parts) | Or(parts):
            kind = type(condition)
            return len(parts) > 1 and kind is not within and all(is_normal(part, kind) for part in parts)
    return True


@given(condition=st.one_of(FILTERS, deep()), rows=ROWS)
def test_the_normal_form_means_the_same(condition, rows):
    made = normal(condition)
    assert is_normal(made)
    for row in rows:
        assert made.matches(row) == condition.matches(row)


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(rows=ROWS, condition=deep())
def test_every_store_answers_what_is_nested_deep(emptied, rows, condition):
    emptied.delete(emptied.ids())
    fill(emptied, rows)
    expected = [f"{n:04}" for n, row in enumerate(rows) if condition.matches(row)]
    assert answer(emptied, condition) == expected


def answer(store, condition):
    """Tracks in the order of their ids, which a search must find as well; a store that takes minutes hangs."""
    found = []

    def ask():
        found.append(store.ids(condition))
        found.append(sorted(id for id, _ in store.search_tracks(np.ones((1, 2)), 100, condition)[0]))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(300)
    assert not thread.is_alive(), "the store hangs"
    by_rows, by_search = found
    assert by_rows == by_search
    return by_rows


def alternating(form, n=MAX_DEPTH - 1):
    """``and`` within ``or`` within ``and``, as deep as the language goes."""
    text = "year < 45"
    for level in range(n):
        text = form.format(word="and" if level % 2 else "or", level=level, inner=f"({text})")
    return text


def both_sides(n, word, other):
    """Two operands that are both deep."""
    return "year = 3" if n == 0 else f"({chained(n - 1, other, word)}) {word} ({both_sides(n - 1, other, word)})"


def chained(n, word, other):
    return "year < 45" if n == 0 else f"year = {n} {word} ({chained(n - 1, other, word)})"


def many(condition, word, n=MAX_CONDITIONS):
    return f" {word} ".join(condition.format(level=level) for level in range(n))


EXTREMES = {
    "not": "not " * 48 + "year < 45",
    "not not in": "not " * 49 + "year not in (1, 45, 46)",
    "not ()": "not (" * 24 + "year < 45" + ")" * 24,
    "parentheses": "(" * 49 + "year < 45" + ")" * 49,
    "deep on the right": alternating("year = {level} {word} {inner}"),
    "deep on the left": alternating("{inner} {word} year = {level}"),
    "deep between": alternating("year != {level} {word} {inner} {word} year > {level}"),
    "deep and negated": alternating("title not contains '{level}' {word} not {inner}", 24),
    "deep on both sides": both_sides(28, "and", "or"),
    "deep with tags": alternating("sound_tags not has '{level}' {word} {inner}"),
    "whole numbers": f"year in ({', '.join(map(str, range(45, 10_045)))})",
    "other whole numbers": f"year not in ({', '.join(map(str, range(45, 10_045)))})",
    "texts": f"title in ({', '.join(map(repr, map(str, range(45, 10_045))))})",
    "long text": f"title = '{'x' * 500_000}' or year = 45",
    "not a long text": f"not (title startswith '{'x' * 500_000}' or title contains '{'y' * 500_000}')",
    "long texts": many(f"title startswith '{'x' * 5000}{{level}}'", "or"),
} | {
    f"{word} {condition}": many(condition, word)
    for word in ("and", "or")
    for condition in (
        "year != {level}",
        "not year not in ({level}, 45)",
        "title startswith '{level}'",
        "title not contains '{level}'",
        "sound_tags has '{level}'",
        "sound_tags not has '{level}'",
    )
}


@pytest.fixture(scope="module")
def fifty(any_location, tmp_path_factory):
    """A store of fifty tracks, of whose fields some are null."""
    location = f"{any_location}b" if any_location.startswith("http") else any_location.replace("library", "fifty")
    rows = [
        {
            "year": None if n % 7 == 0 else n,
            "title": None if n % 5 == 0 else f"{n}",
            "sound_tags": None if n % 3 == 0 else [f"{n}", f"{n + 1}"],
        }
        for n in range(50)
    ]
    with open_store(location) as store:
        store.create(LibraryConfig(dim=2, passport={}, segment_seconds=10.0, model="test"))
        store.add_columns({"tempo": float, "words": list[str]})
        store.declare(heard_columns(Owner("encoder", "1")))
        fill(store, rows)
        yield store, rows


@pytest.mark.slow
@pytest.mark.parametrize("name", EXTREMES)
def test_every_store_answers_all_that_the_language_accepts(fifty, name):
    store, rows = fifty
    condition = parse(EXTREMES[name], COLUMNS)
    assert answer(store, condition) == [f"{n:04}" for n, row in enumerate(rows) if condition.matches(row)]


def test_long_filters_reach_every_store(emptied):
    emptied.delete([track.id for track in emptied.tracks()])
    fill(emptied, [{"year": year} for year in range(50)])
    columns = emptied.columns()
    chain = " or ".join(f"year = {year}" for year in range(40, 40 + MAX_CONDITIONS))
    listed = f"year in ({', '.join(map(str, range(40, 5000)))})"
    nested = "not (" * 20 + "year < 40" + ")" * 20
    for text in (chain, listed, f"not ({nested})"):
        assert [track.id for track in emptied.tracks(parse(text, columns))] == [f"{n:04}" for n in range(40, 50)]
