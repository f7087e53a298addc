"""Recommending from a real library: conditions hold, what is disliked goes down, and each is explained."""

from __future__ import annotations

import json
import os
import shutil
import sys
from typing import ClassVar

import numpy as np
import pytest
import soundfile

import sonovec
from sonovec.analysis.analyser import Analyser, Field, Findings
from sonovec.errors import LibraryError, UsageError
from sonovec.library.recommend.terms import UNKNOWN
from sonovec.music import analyser as music
from sonovec.music import keys, tempi

RATE = 16000
#: Of each tone, by its frequency: tempo, key, energy, moods, artist.
TRUTH = {
    300: (120.0, "C major", 0.5, ["happy"], "Ann"),
    320: (122.0, "A minor", 0.55, ["happy", "party"], "Ann"),
    340: (60.0, "G major", 0.3, ["calm"], "Ann"),
    360: (240.0, "F# major", 0.9, ["party"], "Bob"),
    380: (90.0, "C major", 0.45, ["sad"], "Bob"),
    400: (119.0, "D minor", 0.7, ["angry", "happy"], "Bob"),
    1000: (121.0, "C minor", 0.4, ["happy"], "Cat"),
    1100: (None, None, None, [], "Cat"),
    1200: (174.0, "E minor", 0.8, ["party"], None),
    1300: (118.0, "C major", 0.5, ["sad", "tender"], None),
}


def tone(frequency, seconds=3.0):
    time = np.arange(round(seconds * RATE)) / RATE
    return sum(np.sin(2 * np.pi * frequency * n * time) / n for n in (1, 2, 3)) / 4


class Told(Analyser):
    """Hears the frequency of a tone, and knows the rest by that."""

    name, version, rate = "told", "1", RATE
    fields: ClassVar = (
        Field("tempo", float, "scalar"),
        Field("key", str, "scalar"),
        Field("energy", float),
        Field("moods", list[str], "labels"),
    )

    def begin(self, rate, channels):
        self._blocks = []

    def push(self, block):
        self._blocks.append(block.copy())

    def finish(self):
        heard = np.concatenate(self._blocks)
        frequency = np.abs(np.fft.rfft(heard)).argmax() * RATE / len(heard)
        told = TRUTH[min(TRUTH, key=lambda each: abs(each - frequency))]
        return Findings(dict(zip(("tempo", "key", "energy", "moods"), told, strict=False)))


def write(path, frequency, seconds=3.0, **tags):
    with soundfile.SoundFile(path, "w", RATE, 1) as file:
        for name, value in tags.items():
            setattr(file, name, value)
        file.write(tone(frequency, seconds))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recommend") / "sounds"
    folder.mkdir()
    for frequency, (*_, artist) in TRUTH.items():
        tags = {"title": f"Tone {frequency}", **({"artist": artist} if artist else {})}
        write(folder / f"{frequency}.flac", frequency, **tags)
    write(folder / "320-live.flac", 320, 4.0, title="Tone 320 (Live)", artist="Ann")
    return folder


@pytest.fixture(scope="module", params=["library", pytest.param("library.db", marks=pytest.mark.slow)])
def library(request, folder):
    if request.param.endswith(".db"):
        pytest.importorskip("milvus_lite")
    with sonovec.Library(folder.parent / request.param, model="logmel") as library:
        report = library.add(folder, analysers=[Told])
        assert report.counts.indexed == len(TRUTH) + 1 and not report.failures
        yield library


def names(found):
    return [os.path.basename(each.path).removesuffix(".flac") for each in found]  # noqa: PTH119


def seed(folder, *frequencies):
    return [folder / f"{each}.flac" for each in frequencies]


def test_the_likest_come_first_with_their_terms_and_seconds(library, folder):
    found = library.recommend(seed(folder, 300), weights={"tempo": 0, "key": 0, "mood": 0, "energy": 0}, variety=0)
    assert names(found)[0] in ("320", "320-live") and len(found) == len(TRUTH) - 1
    first = found[0]
    assert first.seed == "Ann - Tone 300" and (first.start, first.query_start) == (0.0, 0.0) and first.end > 2
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)
    assert set(first.terms) == {"sound"} and first.terms["sound"].weight == 1 and "0:00.0" in first.why
    again = library.recommend([found.seeds[0].track], weights={"tempo": 0, "key": 0, "mood": 0, "energy": 0}, variety=0)
    assert [each.to_json() for each in again] == [each.to_json() for each in found]


def test_a_version_is_folded_and_named(library, folder):
    found = library.recommend(seed(folder, 300))
    (first,) = [each for each in found if each.fields["title"].startswith("Tone 320")]
    assert len(first.versions) == 1 and {first.path, first.versions[0].path} == {
        str(folder / "320.flac"), str(folder / "320-live.flac"),
    }  # fmt: skip
    # A version of a seed is no recommendation.
    assert not {"320", "320-live"} & set(names(library.recommend(seed(folder, 320))))


def test_the_order_of_seeds_does_not_matter(library, folder):
    one, other = library.recommend(seed(folder, 300, 1000)), library.recommend(seed(folder, 1000, 300))
    assert [(each.id, each.score) for each in one] == [(each.id, each.score) for each in other]
    assert names(library.recommend(seed(folder, 300, 300))) == names(library.recommend(seed(folder, 300)))


def test_terms_are_explicit_and_their_weights_decide(library, folder):
    found = library.recommend(seed(folder, 300), weights={"tempo": 1e5}, variety=0)
    assert names(found)[0] == "1000"  # 121 BPM, the nearest to 120
    term = found[0].terms["tempo"]
    assert term.distance == pytest.approx(tempi.distance(120, 121), abs=1e-6) and term.weight == 1e5
    assert term.said == "121.0 BPM (+0.8 %)"
    unknown = next(each for each in found if names([each]) == ["1100"])
    assert unknown.terms["tempo"].value is None and unknown.terms["tempo"].counted == UNKNOWN
    assert unknown.terms["key"].said == "no key known"
    keyed = next(each for each in found if names([each]) == ["360"])
    assert keyed.terms["key"].distance == keys.distance(keys.parse("F# major"), keys.parse("C major"))


@pytest.mark.parametrize(
    ("wishes", "expected"),
    [
        ({"tempo": "118..121"}, {"400", "1000", "1300"}),
        ({"tempo": (118, 119.5)}, {"400", "1300"}),
        ({"tempo_like": True}, {"320", "400", "1000", "1300"}),
        ({"tempo_like": True, "octaves": True}, {"320", "340", "360", "400", "1000", "1300"}),
        ({"key_compatible": True}, {"320", "340", "380", "1300"}),
        ({"mood": "happy"}, {"320", "400", "1000"}),
        ({"mood": ["party", "happy"]}, {"320"}),
        ({"energy": "up"}, {"320", "360", "400", "1200"}),
        ({"energy": "down"}, {"340", "380", "1000"}),
        ({"energy": "like"}, {"320", "380", "1000", "1300"}),
        ({"filter": "artist = 'Cat'"}, {"1000", "1100"}),
        ({"key_compatible": True, "mood": "happy"}, {"320"}),
        ({"limit": 0}, set()),
    ],
)
def test_conditions_hold(library, folder, wishes, expected):
    found = library.recommend(seed(folder, 300), **wishes)
    assert {name.removesuffix("-live") for name in names(found)} == expected


def test_few_of_each_artist(library, folder):
    found = library.recommend(seed(folder, 300), artist_limit=1)
    artists = [each.fields["artist"] for each in found if each.fields["artist"]]
    assert len(artists) == len(set(artists)) == 3 and len(found) == 3 + 2


def test_what_is_disliked_is_left_out_and_what_is_near_to_it_loses(library, folder):
    before = {each.id: each for each in library.recommend(seed(folder, 300))}
    after = library.recommend(seed(folder, 300), dislike=seed(folder, 400))
    assert "400" not in names(after)
    more = library.recommend(seed(folder, 300), dislike=seed(folder, 400, 1000))
    lower = {each.id: each.score for each in more}
    for each in after:
        assert each.score <= before[each.id].score and lower.get(each.id, -1) <= each.score
        assert (each.score < before[each.id].score) == ("disliked" in each.terms)
    assert any("disliked" in each.terms for each in after)
    with pytest.raises(UsageError, match="Tone 300: is a seed and among those that are not wanted"):
        library.recommend(seed(folder, 300), dislike=seed(folder, 300))


def test_it_says_which_condition_left_nothing(library, folder):
    def reason(**wishes):
        found = library.recommend(seed(folder, 300), **wishes)
        assert found == []
        return found.reason

    assert reason(tempo="30..40") == ("of 10 tracks none has a tempo of 30 to 40 BPM: leave --tempo out, or widen it")
    assert reason(tempo="118..123", key_compatible=True, mood="tender", energy="up") == (
        "of 10 tracks, 5 have a tempo of 118 to 123 BPM; of these, 3 have a key that goes with C major (8B); of these, 1 has "
        "the mood 'tender'; of this none has an energy above 0.50: leave --energy up out, or widen it"
    )
    assert reason(filter="year = 1900") == "no track but the seeds matches the filter 'year = 1900'"
    assert reason(filter="artist = 'Cat'", mood="sad").startswith("of 2 tracks that match the filter")


def test_a_seed_that_is_not_in_the_library_is_embedded_and_heard(library, folder, tmp_path, monkeypatch):
    path = tmp_path / "new.wav"
    soundfile.write(path, tone(345, 5.0), RATE)
    found = library.recommend(path, limit=3)
    assert not found.seeds[0].stored and {"340", "360"} & set(names(found))
    assert library.recommend((tone(345, 5.0), RATE), limit=3)[0].id == found[0].id
    vector = library.recommend(found.seeds[0].query.vector, limit=3)[0]
    assert vector.id == found[0].id and vector.query_start is None and vector.end is not None

    class Music(Told):
        name = "music"

    monkeypatch.setattr(music, "Music", Music)
    like = library.recommend(path, tempo_like=True, octaves=True)
    assert like.seeds[0].tempo("heard") == 60.0 and "360" not in names(like) and like
    assert {tempi.distance(60, each.fields["tempo"], octaves=True) < 0.09 for each in like} == {True}
    with pytest.raises(UsageError, match="no tempo is known of the seeds, and tempo_like"):
        library.recommend(seed(folder, 1100), tempo_like=True)


def test_a_seed_that_is_there_is_not_embedded(library, folder, monkeypatch):
    monkeypatch.setattr(sonovec.Library, "encoder", property(lambda self: pytest.fail("it was embedded")))
    assert library.recommend(seed(folder, 300), limit=1)


def test_ratings_are_kept_and_have_a_say(library, folder):
    plain = library.recommend(seed(folder, 300))
    try:
        library.rate(seed(folder, 1300), "liked", who="ann")
        library.rate(folder / "400.flac", "disliked", who="ann")
        library.rate(folder / "380.flac", "liked", who="bob")
        assert [(each.verdict, names([each])[0]) for each in library.ratings(who="ann")] == [
            ("disliked", "400"), ("liked", "1300"),
        ]  # fmt: skip
        assert {each.who for each in library.ratings()} == {"ann", "bob"}
        found = library.recommend(seed(folder, 300), who="ann")
        assert "400" not in names(found) and "400" in names(library.recommend(seed(folder, 300), who="bob"))
        gained = [each for each in found if "liked" in each.terms]
        assert names(gained) and "1300" in names(gained) and gained[0].terms["liked"].value > 0
        assert [each.id for each in library.recommend(seed(folder, 300), history=False)] == [each.id for each in plain]
        library.rate(folder / "400.flac", "liked", who="ann")  # a person may come to like it
        assert {each.verdict for each in library.ratings(who="ann")} == {"liked"}
        library.forget_ratings(folder / "400.flac", who="ann")
        assert names(library.ratings(who="ann")) == ["1300"]
        with pytest.raises(UsageError, match="verdict='good' is unknown; give one of: liked, disliked"):
            library.rate(folder / "400.flac", "good")
        with pytest.raises(UsageError, match="who=' ' is not a name"):
            library.rate(folder / "400.flac", "liked", who=" ")
        with pytest.raises(UsageError):
            library.rate("nothing.flac", "liked")
    finally:
        for who in ("ann", "bob"):
            library.forget_ratings(who=who)
    assert library.ratings() == []
    assert [each.to_json() for each in library.recommend(seed(folder, 300))] == [each.to_json() for each in plain]


def test_ratings_are_no_classes_and_travel_with_the_library(library, folder, tmp_path):
    from sonovec.learn.label_library import labels_of

    library.rate(seed(folder, 1300), "liked", who="ann")
    try:
        assert labels_of(library, 0.0) == ([], [])
        library.export(tmp_path / "exported")
    finally:
        library.forget_ratings(who="ann")
    with sonovec.Library(tmp_path / "copy") as copy:
        copy.import_(tmp_path / "exported")
        assert [(each.verdict, each.who) for each in copy.ratings()] == [("liked", "ann")]


def test_a_library_without_columns_says_what_to_run(folder, tmp_path):
    shutil.copy(folder / "300.flac", tmp_path / "a.flac")
    shutil.copy(folder / "1000.flac", tmp_path / "b.flac")
    with sonovec.Library(tmp_path / "library", model="logmel") as plain:
        plain.add([tmp_path / "a.flac", tmp_path / "b.flac"])
        found = plain.recommend(tmp_path / "a.flac")
        assert (
            len(found) == 1 and found.advice and found.advice.endswith("--music") and set(found[0].terms) == {"sound"}
        )
        for wishes, column in (
            ({"tempo": "100..120"}, "tempo"),
            ({"tempo_like": True}, "tempo"),
            ({"key_compatible": True}, "key"),
            ({"mood": "happy"}, "moods"),
            ({"energy": "up"}, "energy"),
        ):
            with pytest.raises(UsageError, match=f"has no column '{column}', which .* --music"):
                plain.recommend(tmp_path / "a.flac", **wishes)
        with pytest.raises(UsageError, match="no seeds"):
            plain.recommend([])
        plain.remove([tmp_path / "b.flac"])
        assert plain.recommend(tmp_path / "a.flac").reason == "no track but the seeds is in the library"
    with pytest.raises(LibraryError, match="no library here"):
        sonovec.Library(tmp_path / "none").recommend(tmp_path / "a.flac")


@pytest.mark.slow
def test_a_library_that_cannot_be_written_recommends(folder, tmp_path, run_as_user, read_only):
    with sonovec.Library(tmp_path / "library", model="logmel") as library:
        library.add(folder)
    read_only(tmp_path / "library")
    command = [sys.executable, "-m", "sonovec", "recommend", folder / "300.flac", "-l", tmp_path / "library", "--json"]
    run = run_as_user(*command, "-n", 2)
    assert run.returncode == 0 and len(json.loads(run.stdout)["recommendations"]) == 2, run.stderr
    run = run_as_user(*command, "--like", folder / "300.flac")
    assert run.returncode == 2 and "cannot be written" in run.stderr and "recommending works without" in run.stderr
