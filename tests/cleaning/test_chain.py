"""The promises hold with every step of cleaning: streams as wholes, no bit by company, places of the source, passports."""

from __future__ import annotations

import json
from itertools import chain, combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import sonovec
from sonovec import demo
from sonovec.audio.stream import open_mono
from sonovec.audio.windows import Windows, WindowSpec
from sonovec.cleaning import silero
from sonovec.cleaning.chain import NAMES, Cleaning
from sonovec.cli.main import cli
from sonovec.errors import MissingExtraError, PassportError, UsageError
from tests.cleaning.test_voiced import scene

RATE = 16_000
STEPS = [dict.fromkeys(names, True) for names in chain(*(combinations(NAMES, n) for n in range(1, len(NAMES) + 1)))]
SOUND = scene()


def windows_of(steps: dict[str, bool], blocks: list[NDArray[np.float32]]) -> list[Windows]:
    cleaner = Cleaning(**steps).begin(RATE)
    return list(cleaner.windows(blocks, WindowSpec(RATE, RATE // 2), 4))


@settings(max_examples=8)
@given(st.sampled_from(STEPS), st.integers(50, 40_000), st.integers(1, len(SOUND)))
def test_windows_do_not_depend_on_the_blocks(steps: dict[str, bool], size: int, length: int) -> None:
    samples = SOUND[:length]
    whole = windows_of(steps, [samples])
    by_blocks = windows_of(steps, [samples[start : start + size] for start in range(0, length, size)])
    assert sum(map(len, whole)) > 0, "no clip yields nothing"
    assert len(whole) == len(by_blocks)
    for found, expected in zip(by_blocks, whole, strict=True):
        for name in ("samples", "starts", "ends", "coverage", "silent", "levels"):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), name)


@pytest.mark.parametrize("steps", [*STEPS[:3], STEPS[-1]], ids=lambda steps: "+".join(steps))
def test_a_vector_depends_neither_on_company_nor_on_how_the_sound_came(steps: dict[str, bool], tmp_path: Path) -> None:
    encoder = sonovec.load("logmel", **steps)
    soundfile.write(tmp_path / "a.wav", SOUND, RATE, subtype="FLOAT")
    alone = encoder.embed((SOUND, RATE))
    others = [(SOUND[: 5 * RATE], RATE), (np.zeros(100, np.float32), RATE), (SOUND[::-1].copy(), RATE)]
    several = list(encoder.embed_many([others[0], tmp_path / "a.wav", *others[1:], (SOUND, RATE)]))
    for other in (several[1], several[-1], encoder.embed(tmp_path / "a.wav")):
        np.testing.assert_array_equal(other.windows, alone.windows)
        np.testing.assert_array_equal(other.times, alone.times)
        assert other.notes == alone.notes
    (pooled,) = encoder.pool_many([(SOUND, RATE)], 2)
    parts = alone.parts(2)
    assert [(part.start, part.end) for part in pooled.parts] == [(part.start, part.end) for part in parts]
    for found, expected in zip(pooled.parts, parts, strict=True):
        np.testing.assert_array_equal(found.vector, expected.vector)


def test_times_are_those_of_the_source_and_what_is_left_out_is_counted() -> None:
    plain = sonovec.load("logmel").embed((SOUND, RATE))
    voiced = sonovec.load("logmel", vad=True).embed((SOUND, RATE))
    kept = [plain.times[:, 0].tolist().index(start) for start in voiced.times[:, 0]]
    np.testing.assert_array_equal(voiced.windows, plain.windows[kept])
    left = len(plain.times) - len(kept)
    assert left > 0 and voiced.notes == (f"{left} of {len(plain.times)} windows left out: nobody speaks in them",)
    assert voiced.duration == plain.duration

    trimmed = sonovec.load("logmel", trim=True).embed((SOUND, RATE), start=1.0)
    start = trimmed.times[0, 0]
    assert 3 < start < 4.5, "seconds of the whole sound, although it was embedded from its first second on"
    np.testing.assert_array_equal(
        trimmed.windows, sonovec.load("logmel").embed((SOUND, RATE), start=start, end=trimmed.times[-1, 1]).windows
    )


def test_parts_end_where_windows_are_left_out() -> None:
    parts = sonovec.load("logmel", vad=True).embed((SOUND, RATE)).parts(60)
    assert len(parts) > 1 and all(one.end < two.start for one, two in pairwise(parts))


def test_what_is_off_is_not_in_the_passport() -> None:
    plain = sonovec.load("logmel").passport
    assert not plain.to_json().keys() & NAMES.keys()
    assert sonovec.load("logmel", vad=False, trim=False, denoise=False).passport == plain
    for steps in STEPS:
        passport = sonovec.load("logmel", **steps).passport
        assert {name: value for name, value in passport.to_json().items() if name in NAMES} == {
            name: NAMES[name] for name in steps
        }
        assert passport.fingerprint != plain.fingerprint and not passport.is_comparable(plain)


def test_a_step_is_on_or_off() -> None:
    with pytest.raises(UsageError, match="denoise='yes' is neither on nor off; give denoise=True"):
        sonovec.load("logmel", denoise="yes")  # type: ignore[arg-type]


def test_without_the_network_for_voices_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silero.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'sonovec\[speech\]'"):
        sonovec.load("logmel", vad=True)


@pytest.mark.parametrize("rate", [8000, 44_100])
def test_very_short_and_silent_sounds_of_any_rate_give_a_vector(rate: int) -> None:
    encoder = sonovec.load("logmel", vad=True, trim=True, denoise=True)
    for samples in (np.full(1, 0.5), np.full(rate // 50, 0.5), np.zeros(3 * rate), np.full(rate, 1e-9)):
        result = encoder.embed((samples, rate))
        assert len(result.windows) == 1 and np.isfinite(result.windows).all()
        assert any(note.startswith("nobody speaks in it") for note in result.notes)


def test_the_clean_stream_is_what_a_recogniser_gets(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", SOUND, RATE, subtype="FLOAT")
    cleaner = Cleaning(trim=True, denoise=True).begin(RATE)
    with open_mono(tmp_path / "a.wav", RATE) as stream:
        samples = np.concatenate(list(cleaner.blocks(stream)))
    assert 3.5 < cleaner.start / RATE < 4.5 and len(samples) < len(SOUND) - cleaner.start


# -- libraries and the command line


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    folder = tmp_path / "sounds"
    folder.mkdir()
    soundfile.write(folder / "talk.wav", SOUND, RATE)
    soundfile.write(folder / "drums.wav", demo.clip("drums")[0], demo.RATE)
    return folder


def test_a_library_keeps_how_its_sounds_are_cleaned(sounds: Path, tmp_path: Path) -> None:
    place = tmp_path / "library"
    with sonovec.Library(place, model="logmel", vad=True, trim=True) as library:
        report = library.add(sounds)
    assert report.counts.indexed == 2 and any("windows left out" in note for _, note in report.notes)
    with sonovec.Library(place) as library:
        assert library.encoder.settings.cleaning == Cleaning(vad=True, trim=True)
        hit = library.search(sounds / "talk.wav", limit=1, include_self=True)[0]
        assert hit.score == pytest.approx(1, abs=1e-5)
        assert library.search(sounds / "talk.wav", start=4.0, end=9.0, include_self=True)
        assert library.add(sounds).counts.unchanged == 2
    with sonovec.Library(place, denoise=True) as library, pytest.raises(PassportError) as refused:
        library.add(sounds)
    assert "denoise is '' there and 'noisereduce-3' here" in str(refused.value)
    assert "leave the option out" in str(refused.value) and "sonovec index PATH -l NEW" in str(refused.value)
    with sonovec.Library(place, vad=False) as library, pytest.raises(PassportError, match="vad is 'silero-6' there"):
        library.add(sounds)


def test_the_command_line_takes_the_steps(sounds: Path, tmp_path: Path) -> None:
    given = ["embed", sounds, "-o", tmp_path / "v.npz", "-m", "logmel", "--trim", "--denoise", "--json"]
    done = json.loads(CliRunner().invoke(cli, list(map(str, given)), catch_exceptions=False).stdout)
    assert done["passport"]["trim"] == NAMES["trim"] and done["passport"]["denoise"] == NAMES["denoise"]
    assert "vad" not in done["passport"]
    assert any("silence cut off" in note["note"] for note in done["notes"])
