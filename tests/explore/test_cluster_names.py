"""Names of clusters are what is over-represented in them, and not what is rare or everywhere."""

from __future__ import annotations

from sonovec.explore.cluster_names import Term, names_of, over_represented, terms_of


def tags(*names):
    return {("sound_tags", name) for name in names}


def test_what_is_everywhere_names_nothing_and_what_is_rare_does_not_win():
    inside = [tags("Sound", "Rain")] * 30 + [tags("Sound", "Rain", "Owl")]
    outside = [tags("Sound", "Wind")] * 60
    found = over_represented(inside, outside)
    assert found[0].text == "Rain" and (found[0].inside, found[0].outside) == (31, 0)
    assert "Sound" not in [term.text for term in found] and "Owl" not in [term.text for term in found]


def test_a_single_cluster_has_nothing_more_often_than_others():
    assert over_represented([tags("Rain")] * 10, []) == [] or names_of([over_represented([tags("Rain")] * 10, [])])


def test_fields_of_text_lists_and_the_folder_are_told_and_no_numbers():
    fields = {"path": "/a/b c/x.wav", "title": "x", "genre": "Jazz", "year": 1990, "mood": ["calm", ""], "codec": "MP3"}
    assert terms_of(fields) == {("folder", "b c"), ("genre", "Jazz"), ("mood", "calm")}
    assert terms_of(fields, frozenset({"mood"})) == {("folder", "b c"), ("genre", "Jazz")}
    assert terms_of({}) == set()


def test_names_are_different_and_one_word_is_said_once():
    rain = [Term("sound_tags", "Rain", 9, 5, 0), Term("folder", "rain", 8, 5, 0), Term("mood", "calm", 7, 5, 0)]
    assert names_of([rain, rain, []]) == ["Rain, calm", "Rain, calm (2)", "cluster 3"]
