"""A session asks, keeps the answers in the library, and goes on from them, whoever gave them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

import sonovec
from sonovec.errors import AudioError, LibraryError, UsageError
from sonovec.learn.labelled import Labelled
from sonovec.learn.session import Session
from sonovec.library.records import Label
from tests.learn import rings


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return rings.make(tmp_path_factory.mktemp("rings"))


@pytest.fixture
def library(made, tmp_path):
    with sonovec.Library(rings.copy(made, tmp_path)) as opened:
        yield opened


def kind(proposal):
    return Path(proposal.path).parent.name


def answer(session, n, name="bells"):
    asked = []
    for _ in range(n):
        (proposal,) = session.propose()
        session.answer(proposal, name if kind(proposal) == name else None)
        asked.append((proposal.path, proposal.why))
    return asked


def test_from_one_example_the_others_are_found_and_learnt(library, made):
    session = Session(library, ["bells"], examples=[made / "sounds/bells/bells-1.wav"], strategy="likely", who="ann")
    asked = answer(session, 8)
    assert sum("bells-" in path for path, _ in asked) == rings.EACH, "all of them are among the first"
    assert session.counts["bells"].heard == rings.EACH and session.counts["bells"].not_heard == 2
    (probabilities,) = session.probabilities().T
    heard = np.array(["bells-" in session.pool.path(row) for row in range(len(session.pool))])
    assert probabilities[heard].min() > 0.5 > probabilities[~heard].max()
    assert {label.source for label in library.labels.get()} == {"person:ann"}
    assert {label.score for label in library.labels.get()} == {0.0, 1.0}


@pytest.mark.parametrize("strategy", ["mix", "random"])
def test_a_session_that_begins_anew_asks_what_the_former_would_have_asked(library, strategy, tmp_path, made):
    whole = answer(Session(library, ["bells"], strategy=strategy, who="ann"), 6)
    with sonovec.Library(rings.copy(made, tmp_path / "again")) as other:
        parts = [answer(Session(other, ["bells"], strategy=strategy, who="ann"), 3) for _ in range(2)]
    assert [asked for part in parts for asked in part] == whole


def test_each_segment_is_asked_about_once_and_silence_never(library):
    session = Session(library, ["bells"])
    asked = [path for path, _ in answer(session, len(rings.KINDS) * rings.EACH)]
    assert len(set(asked)) == len(asked) and not any("silent" in path for path in asked)
    assert session.propose(5) == []


def test_several_proposals_at_once_are_different_and_as_many_as_there_are(library):
    session = Session(library, ["bells"])
    proposals = session.propose(100)
    assert len({(each.track, each.start) for each in proposals}) == len(proposals) == len(rings.KINDS) * rings.EACH
    assert proposals[0] == session.propose(1)[0] == session.propose(3)[0]


def test_what_is_known_of_a_proposal_is_told(library, made):
    session = Session(library, ["bells", "rain"], examples=[Labelled(made / "sounds/rain/rain-1.wav", name="rain")])
    first = session.propose()[0]
    assert set(first.probabilities) == {"rain"} and first.nearest is None, "nothing is known of bells"
    session.answer(first, ["bells", "rain"])
    second = session.propose()[0]
    assert set(second.probabilities) == {"bells", "rain"}
    assert second.nearest.path == first.path and second.nearest.heard == ("bells", "rain")
    assert -1 <= second.nearest.cosine <= 1


def test_people_work_on_one_library_and_each_sees_what_the_other_answered(library):
    other = sonovec.Library(library.location.address)
    ann, bob = Session(library, ["bells"], who="ann"), Session(other, ["bells"], who="bob")
    asked = []
    for session in (ann, bob) * 4:
        asked += answer(session, 1)
    assert len(set(asked)) == 8, "nobody is asked what the other has answered"
    assert {label.source for label in library.labels.get()} == {"person:ann", "person:bob"}
    other.close()


def test_the_latest_of_contradicting_answers_counts_and_is_told(library):
    ann, bob = Session(library, ["bells"], who="ann"), Session(library, ["bells"], who="bob")
    (proposal,) = ann.propose()
    ann.answer(proposal, "bells")
    bob.answer(proposal, None)
    assert len(library.labels.get()) == 2, "both are kept"
    assert bob.counts["bells"].heard == 0 and bob.counts["bells"].not_heard == 1
    (told,) = bob.contradictions
    assert "bells: ann said yes, then bob said no; the latest answer counts" in told.describe()
    ann.skip(proposal)
    assert Session(library, ["bells"]).counts["bells"].not_heard == 1, "that ann cannot tell takes nothing from bob"


def test_skipped_is_stored_and_not_asked_again(library):
    session = Session(library, ["bells", "rain"])
    (proposal,) = session.propose()
    session.skip(proposal)
    assert {label.score for label in library.labels.get()} == {0.5}
    assert session.counts["rain"].unsure == 1 and session.propose()[0] != proposal


def test_the_last_answer_can_be_taken_back_also_that_of_a_former_session(library):
    session = Session(library, ["bells", "rain"], who="ann")
    asked = answer(session, 3)
    Session(library, ["bells", "rain"], who="bob").skip(session.propose()[0])
    again = Session(library, ["bells", "rain"], who="ann")
    assert [again.undo().path for _ in range(3)] == [path for path, _ in reversed(asked)]
    assert again.undo() is None and {label.source for label in library.labels.get()} == {"person:bob"}


def test_labels_of_programs_and_of_other_classes_are_left_alone(library):
    session = Session(library, ["bells"])
    track = session.pool.track(0)
    library.labels.put(
        [
            Label(track, 0.0, 2.0, "bells", "bells@1a2b3c4d", 1.0, 0.9),
            Label(track, 0.0, 2.0, "rain", "person:ann", 1.0),
        ]
    )
    session.propose()
    assert session.answered == 0 and session.labelled == ("rain",)


def test_what_cannot_be_asked_is_refused(library, made, tmp_path):
    for classes, says in (
        ([], "no classes"),
        ("bells", r"give a list, such as classes=\['bells'\]"),
        (["a", "a"], "'a' is given twice"),
        ([" a"], "' a' is no name"),
    ):
        with pytest.raises(UsageError, match=says):
            Session(library, classes)
    with pytest.raises(UsageError, match="strategy='best' is unknown; give one of: mix, likely"):
        Session(library, ["bells"], strategy="best")
    with pytest.raises(UsageError, match="who='' is not a name"):
        Session(library, ["bells"], who="")
    with pytest.raises(UsageError, match="no space 'other'"):
        Session(library, ["bells"], space="other")
    with pytest.raises(UsageError, match="is of class None; give it one of: bells, rain"):
        Session(library, ["bells", "rain"], examples=[made / "sounds/rain/rain-1.wav"])
    with pytest.raises(UsageError, match="is silent, and cannot be learnt from"):
        Session(library, ["bells"], examples=[made / "sounds/silent.wav"])
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(AudioError, match="text.wav"):
        Session(library, ["bells"], examples=[tmp_path / "text.wav"])
    session = Session(library, ["bells"])
    with pytest.raises(UsageError, match="'belsl' is none of the classes; give one of: bells"):
        session.answer(session.propose()[0], "belsl")
    assert library.labels.get() == []


def test_a_library_without_sounds_is_refused(tmp_path):
    with pytest.raises(LibraryError, match="no library here"):
        Session(tmp_path / "none", ["bells"])
    soundfile.write(tmp_path / "a.wav", np.ones(8000, np.float32) / 8, 8000)
    with sonovec.Library(tmp_path / "library", model="logmel") as library:
        library.add(tmp_path / "a.wav")
        library.remove([tmp_path / "a.wav"])
        with pytest.raises(UsageError, match="holds no sounds to label, silence left out; first: sonovec index FOLDER"):
            Session(library, ["bells"])


def test_vectors_of_another_encoder_are_no_example(library, made):
    other = sonovec.load("logmel", hop=0.5).embed(made / "sounds/rain/rain-1.wav")
    with pytest.raises(sonovec.PassportError, match="hop"):
        library.query_of(other)
