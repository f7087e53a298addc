"""Searching for words: by vectors where the encoder knows words, by tags where it scores classes of sound."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

import sonovec
from sonovec.cli.main import run
from sonovec.embedding.tally import Tag
from sonovec.errors import UsageError
from sonovec.library import sound_tags
from sonovec.library.filters import quote
from tests.models import tiny

KEPT = ("sound_tags", "sound_tags_scores")
NAMES = st.sampled_from(["Dog", "Rain on surface", "Baby cry, infant cry", "Chink, clink", 'a; b "c" ☃ 0.5'])
PAIRS = st.lists(st.tuples(NAMES, st.floats(0.01, 1)), unique_by=lambda pair: pair[0], max_size=5)


@given(PAIRS)
def test_tags_are_kept_best_first_with_their_numbers(pairs):
    tags = [Tag(name, score, score / 2, score / 4, 0) for name, score in sorted(pairs, key=lambda pair: -pair[1])]
    fields = sound_tags.fields_of(tags)
    back = sound_tags.together(fields["sound_tags"], fields["sound_tags_scores"])
    wanted = {tag.name: tag for tag in tags if tag.score >= 0.2 or tag.mean >= 0.01}
    assert list(back) == list(wanted)
    assert all(abs(back[name] - tag.score) <= 0.00051 for name, tag in wanted.items())
    assert fields["sound_tags_means"] == [round(tag.mean, 6) for tag in wanted.values()]
    assert fields["sound_tags_shares"] == [round(tag.share, 6) for tag in wanted.values()]


def test_a_tag_that_is_loud_once_is_kept_beside_those_that_are_steady():
    steady = [Tag(f"Hum {n}", 0.19 - n / 1000, 0.15 - n / 1000, 0.0, 0) for n in range(25)]
    bark = Tag("Bark", 0.3, 0.0001, 0.0003, 7)
    names = [tag.name for tag in sound_tags.kept([bark, *steady])]
    assert names == ["Bark", *(f"Hum {n}" for n in range(20))]
    many = [Tag(f"Class {n}", 0.9 - n / 1000, 0.001, 0.01, 0) for n in range(500)]
    assert len(sound_tags.kept(many)) == 200


@given(PAIRS)
def test_tags_of_segments_come_back_from_text(pairs):
    assert sound_tags.from_text(sound_tags.to_text(dict(pairs))) == dict(pairs)


@given(
    st.lists(st.tuples(NAMES.filter(lambda name: ";" not in name), st.floats(0.01, 1)), unique_by=lambda pair: pair[0])
)
def test_tags_of_the_first_format_are_read(pairs):
    text = "; ".join(f"{name} {score:.3f}" for name, score in pairs) or None
    read = sound_tags.together(*sound_tags.lists(text))
    assert read == {name: round(score, 3) for name, score in pairs} and list(read) == [name for name, _ in pairs]
    assert text is None or sound_tags.reads_whole(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("glass breaking", {"glass": ["Glass"], "break": ["Breaking"]}),
        ("GLASS", {"glass": ["Glass"]}),
        ("a baby cries in the night", {"babi": ["Baby cry, infant cry"], "cri": ["Baby cry, infant cry"]}),
        ("baby cry, infant cry", {"baby cry, infant cry": ["Baby cry, infant cry"]}),
    ],
)
def test_words_name_tags(text, words):
    assert sound_tags.named(text, ["Glass", "Breaking", "Baby cry, infant cry", "Dog"]) == words


@pytest.mark.parametrize("text", ["qqq", "of the", "!", "'s"])
def test_words_that_name_nothing_name_nothing(text):
    assert sound_tags.named(text, ["Glass", "Dog"]) == {}


def quiet_library(folder, **options):
    """A library of three tracks, in one of which a dog is heard and in one nothing."""
    library = sonovec.Library(folder / "library", **options)
    for seed in range(3):
        soundfile.write(folder / f"{seed}.wav", tiny.sound(1.0, 16000, seed), 16000)
    library.add(sorted(folder.glob("*.wav")))
    first, second, third = library._store.ids()
    library._store.update(
        {
            first: {"sound_tags": ["Dog", "Bark"], "sound_tags_scores": [0.9, 0.5], "year": 1990},
            second: {"sound_tags": ["Rain"], "sound_tags_scores": [0.7], "year": 2000},
            third: {"sound_tags": None, "sound_tags_scores": None, "year": 2000},
        }
    )
    return library


#: What is asked, the exit code, and what is said in Python and by the command.
ANSWERS = [
    ("dog", "year > 3000", 0, "no track matches the filter 'year > 3000'"),
    ("cat", "year > 3000", 0, "no track matches the filter 'year > 3000'"),
    ("a cat meows", None, 0, "these tags were not heard in the library: Cat, Roaring cats (lions, tigers), Meow"),
    ("dog", "year = 2000", 0, "these tags were not heard in the tracks that match the filter 'year = 2000': Dog"),
    ("glas", None, 2, "text='glas' names none of the 527 tags that this library knows; the nearest are: Glass"),
    (
        "glas",
        "year > 3000",
        2,
        "text='glas' names none of the 527 tags that this library knows; the nearest are: Glass",
    ),
    ("qqq", None, 2, "give words such as: A capella, "),
]


@pytest.fixture(scope="module")
def quiet(tmp_path_factory):
    with quiet_library(tmp_path_factory.mktemp("quiet")) as library:
        yield library


@pytest.mark.parametrize(("text", "where", "code", "says"), ANSWERS)
def test_a_filter_unheard_tags_and_unknown_words_are_told_apart(quiet, capsys, text, where, code, says):
    command = ["search", "--text", text, "-l", str(quiet.location), *(["--filter", where] if where else [])]
    if code:
        with pytest.raises(UsageError) as raised:
            quiet.search_text(text, filter=where)
        assert says in str(raised.value)
        assert run(command) == code
        out, err = capsys.readouterr()
        assert out == "" and err.count(says) == 1
        assert run([*command, "--json"]) == code
        assert says in json.loads(capsys.readouterr().out)["error"]["message"]
        return
    found = quiet.search_text(text, filter=where)
    assert found.hits == [] and found.reason.startswith(says)
    assert run(command) == code
    out, err = capsys.readouterr()
    assert out == f"no hits: {found.reason}\n" and err == ""
    assert run([*command, "--json"]) == code
    told = json.loads(capsys.readouterr().out)
    assert told["hits"] == [] and told["reason"] == found.reason


def test_words_that_nobody_heard_and_words_that_are_no_tags_are_told_apart(quiet, capsys):
    found = quiet.search_text("a dog and a cat at the moon")
    assert (found.tags, found.unheard, found.unknown) == (("Dog",), ("cat",), ("moon",)) and len(found.hits) == 1
    assert quiet.search_text("dog rain", filter="year = 1990").unheard == ("rain",), "heard, but not there"
    assert run(["search", "--text", "a dog and a cat at the moon", "-l", str(quiet.location)]) == 0
    err = capsys.readouterr().err
    assert "heard nowhere and left out: cat" in err and "no such tag and left out: moon" in err


def test_a_search_that_finds_gives_no_reason(quiet, capsys):
    assert quiet.search_text("dog").reason is None
    assert run(["search", "--text", "dog", "-l", str(quiet.location), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["reason"] is None


def test_a_sound_that_finds_nothing_is_told_why(quiet, tmp_path, capsys):
    path = quiet.tracks()[0].path
    assert run(["search", path, "-l", str(quiet.location), "--filter", "year > 3000"]) == 0
    assert capsys.readouterr().out == "no hits: no track matches the filter 'year > 3000'\n"
    (tmp_path / "none").mkdir()
    with sonovec.Library(tmp_path / "empty") as empty:
        empty.add(tmp_path / "none")
        assert empty.search_text("dog").reason == "the library is empty"
    for asked in ([path], ["--text", "dog"], ["--text", "dog", "--filter", "year > 3000"]):
        assert run(["search", *asked, "-l", str(tmp_path / "empty")]) == 0
        assert capsys.readouterr().out == "no hits: the library is empty\n"


def test_without_its_encoder_a_library_knows_the_tags_that_it_heard(tmp_path, shared_data):
    weights = tmp_path / "yamnet.tflite"
    weights.symlink_to(shared_data / "weights" / "yamnet.tflite")
    with quiet_library(tmp_path, model="yamnet", weights=weights) as library:
        assert library.search_text("cat").reason == "these tags were not heard in the library: Cat"
    with sonovec.Library(tmp_path / "library") as library:  # nothing is fetched for the names of its classes
        with pytest.raises(
            UsageError, match="names none of the 3 tags that this library knows; give words such as: Bark"
        ):
            library.search_text("cat", filter="year = 2000")
        assert library.search_text("dog", filter="year = 2000").reason.startswith(
            "these tags were not heard in the tracks"
        )
        assert library.search_text("dog", filter="year > 3000").reason == "no track matches the filter 'year > 3000'"
        library._store.update({id: {"sound_tags": None} for id in library._store.ids()})
        assert library.search_text("cat").reason == "these tags were not heard in the library: cat"


@pytest.fixture(scope="module")
def heard(shared_data, tmp_path_factory):
    """A library of three clips of each kind, made with YAMNet."""
    library = sonovec.Library(
        tmp_path_factory.mktemp("text") / "library", model="yamnet", weights=shared_data / "weights" / "yamnet.tflite"
    )
    folders = sorted(path for path in (shared_data / "esc10").iterdir() if path.is_dir())
    library.add([clip for folder in folders for clip in sorted(folder.glob("*.ogg"))[:3]])
    return library


@pytest.mark.parametrize(
    ("text", "kind"), [("a dog barks", "Dog bark"), ("rain", "Rain"), ("engine", "Chainsaw|Helicopter")]
)
def test_tags_are_found_by_words(text, kind, heard):
    found = heard.search_text(text, limit=2)
    assert found.by == "tags" and found.tags
    assert all(any(one in hit.path for one in kind.split("|")) for hit in found.hits)
    assert [hit.score for hit in found.hits] == sorted((hit.score for hit in found.hits), reverse=True)
    assert all(0 <= hit.start < hit.end <= hit.fields["duration"] + 0.01 for hit in found.hits)


def test_tags_can_be_filtered_by(heard):
    tracks = heard.tracks("sound_tags contains 'Rain'")
    assert tracks and all("Rain" in str(track.fields["sound_tags"]) for track in tracks)
    with pytest.raises(UsageError, match="give level='track'"):
        heard.search_text("rain", level="segment")
    with pytest.raises(UsageError, match="text is empty"):
        heard.search_text(" ")


@pytest.mark.slow
def test_a_filter_asks_for_one_tag_and_no_other_that_begins_or_ends_like_it(heard):
    """ "Rain" is no "Rain on surface", and "Rattle" no "Rattle (instrument)"."""
    told = {track.id: dict(zip(*(track.fields[name] for name in KEPT), strict=True)) for track in heard.tracks()}
    for name in {name for tags in told.values() for name in tags}:
        found = {track.id for track in heard.tracks(f"sound_tags has {quote(name)}")}
        assert found == {id for id, tags in told.items() if name in tags}
        scores = [tags[name] for tags in told.values() if name in tags]
        for least in {min(scores), max(scores), 0.5}:
            loud = {track.id for track in heard.tracks(f"sound_tags has {quote(name)} > {least}")}
            assert loud == {id for id, tags in told.items() if tags.get(name, 0) > least}
    both = heard.tracks("sound_tags has 'Rain' and not sound_tags has 'Rain on surface'")
    assert all("Rain" in told[track.id] and "Rain on surface" not in told[track.id] for track in both)


def test_hits_of_the_command_name_what_was_heard(heard, capsys):
    place, dog = str(heard.location), heard.tracks("path contains 'Dog bark'")[0].path
    asked = ["search", dog, "-l", place, "-n", "3", "--filter", "sound_tags has 'Dog'"]
    assert run([*asked, "--json"]) == 0
    for hit in json.loads(capsys.readouterr().out)["hits"]:
        assert {each["tag"]: each["score"] for each in hit["tags"]} == dict(
            zip(*(hit[name] for name in KEPT), strict=True)
        )
        assert "Dog" in [each["tag"] for each in hit["tags"]]
    assert run(asked) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split("\t")[-1] == "tags" and rows
    assert all(len(row.split("\t")[-1].split("; ")) == 3 for row in rows)


def test_a_column_of_the_users_own_may_be_called_tags(tmp_path):
    soundfile.write(tmp_path / "a.wav", tiny.sound(3.0, 16000), 16000)
    (tmp_path / "own.csv").write_text("path,tags\na.wav,mine\n", encoding="utf-8")
    library = sonovec.Library(tmp_path / "library")
    library.add(tmp_path / "a.wav", metadata=tmp_path / "own.csv")
    (hit,) = library.search(tmp_path / "a.wav", filter="tags = 'mine'", include_self=True)
    assert hit.tags and hit.to_json()["tags"] == "mine"


def test_out_of_the_box_words_find_sounds(shared_data, tmp_path, capsys):
    """No model is named, nothing is fetched."""
    clips = [
        str(clip) for kind in ("001*", "002*", "004*") for clip in sorted((shared_data / "esc10").glob(f"{kind}/*"))[:4]
    ]
    place = str(tmp_path / "library")
    assert run(["index", *clips, "-l", place, "--json"]) == 0
    capsys.readouterr()
    for words, kind in (("a dog barks", "Dog bark"), ("rain", "Rain"), ("a baby cries", "Baby cry")):
        assert run(["search", "--text", words, "-l", place, "-n", "2", "--json"]) == 0
        hits = json.loads(capsys.readouterr().out)["hits"]
        assert all(kind in hit["path"] for hit in hits), (words, hits)
        assert all(hit["tags"] for hit in hits)
    assert run(["search", clips[0], "-l", place, "--filter", "sound_tags has 'Dog'"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0].endswith("tags")
    assert "Dog" in out


def test_the_command_says_how_it_searched(heard, capsys):
    place = str(heard.location)
    assert run(["search", "--text", "a dog barks at the moon", "-l", place, "--json"]) == 0
    out, err = capsys.readouterr()
    assert "ranked by the tags that the words name:" in err and "Bark" in err and "left out: moon" in err
    told = json.loads(out)
    assert (told["by"], told["unknown"]) == ("tags", ["moon"]) and "Dog bark" in told["hits"][0]["path"]
    assert run(["search", "-l", place]) == 2 and "give either a sound or words" in capsys.readouterr().err
    assert run(["search", "x.wav", "--text", "dog", "-l", place]) == 2
    assert run(["search", "--text", "dog", "--start", "1", "-l", place]) == 2


def test_a_column_of_the_users_own_is_not_overwritten(heard, shared_data, tmp_path):
    file = tmp_path / "metadata.csv"
    with file.open("w", newline="") as stream:
        csv.writer(stream).writerows([["path", "sound_tags"], ["a.wav", "mine"]])
    with pytest.raises(
        UsageError, match="column 'sound_tags' is a name that sonovec uses itself; call it 'my_sound_tags'"
    ):
        heard.add(shared_data / "esc10" / "001 - Dog bark", metadata=file)


@pytest.mark.slow
def test_an_encoder_that_knows_words_is_asked_by_vector(tmp_path):
    model = tiny.clap(tmp_path / "clap", fusion=False)
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    for seed in range(4):
        soundfile.write(sounds / f"{seed}.wav", tiny.sound(1.0 + seed, 48000, seed), 48000)
    library = sonovec.Library(tmp_path / "library", model=str(model))
    library.add(sounds)
    found = library.search_text("glass breaking", limit=4)
    assert found.by == "words" and not found.tags
    query = library.encoder.embed_text(["glass breaking"])[0]
    for hit in found.hits:
        vector = library.encoder.embed(hit.path).vector
        assert hit.score == pytest.approx(query @ vector / np.linalg.norm(query) / np.linalg.norm(vector), abs=1e-4)


def test_a_library_without_words_or_tags_says_what_to_do(tmp_path):
    soundfile.write(tmp_path / "a.wav", tiny.sound(1.0, 16000), 16000)
    library = sonovec.Library(tmp_path / "library", model="logmel")
    library.add(tmp_path / "a.wav")
    with pytest.raises(UsageError, match="'logmel' can use neither words nor tags; index with an encoder that can"):
        library.search_text("dog")
