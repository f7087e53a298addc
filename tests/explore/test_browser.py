"""The page of a map in a real browser: drawn without a network, by mouse, keys and fingers, in light and dark."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
import soundfile

import sonovec
from sonovec import explore
from sonovec.png import heat_map
from tests.explore import made
from tests.explore.browser import Browser
from tests.explore.test_pages import EVIL

pytestmark = pytest.mark.slow

COUNT = 400


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("browser")
    vectors, kind = made.groups(COUNT)
    soundfile.write(place / "a #1 tone.wav", np.sin(np.arange(16000) / 10) / 5, 16000)
    columns = {
        "title": [EVIL, *(f"title {at}" for at in range(1, COUNT))],
        "path": [str(place / "a #1 tone.wav"), *(f"/sounds/{at}.wav" for at in range(1, COUNT))],
        "mood": [["calm", "<b>tense</b>", "sad", "happy"][each] for each in kind],
        "bpm": [None if at % 5 == 0 else float(60 + at % 90) for at in range(COUNT)],
        "serial": [f"s{at}" for at in range(COUNT)],
    }
    library = made.make(place / "library", vectors, columns)
    picture = {explore.map(library, "pca").ids[0]: heat_map(np.eye(20))}
    found = explore.map(library, "pca")
    explore.write_page(library, found, place / "map.html", colour="mood", title=EVIL, thumbnails=picture)
    solid = explore.map(library, "pca", 3)
    explore.write_page(library, solid, place / "solid.html", colour="bpm")
    return place


@pytest.fixture(scope="module")
def shared_browser():
    with Browser() as browser:
        yield browser


@pytest.fixture
def browser(shared_browser, folder):
    """The page, as it is when it was opened; after each test it must not have complained or asked for anything."""
    shared_browser.size(1200, 800)
    shared_browser.requests.clear()
    shared_browser.errors.clear()
    shared_browser.open(folder / "map.html")
    yield shared_browser
    asked = [each for each in shared_browser.requests if not each.startswith(("data:", "blob:"))]
    assert all(each.startswith("file://") and each.endswith((".html", ".wav")) for each in asked), asked
    assert shared_browser.errors == []


def text(browser: Browser, id: str) -> str:
    return browser.ask(f"document.getElementById('{id}').innerText")


def index_of(browser: Browser, title: str) -> int:
    return browser.ask(f"sonovecMap.titles.indexOf({title!r})")


def test_points_are_drawn_where_the_map_has_them(browser):
    assert browser.ask("sonovecMap.map.count") == COUNT and browser.ask("sonovecMap.map.placed") == COUNT
    lit = browser.ask(
        "(() => { const gl = sonovecMap.map.gl, { width, height } = sonovecMap.map.canvas, [x, y] = sonovecMap.map.pixel(3);"
        " const seen = new Uint8Array(4); sonovecMap.map.lastMoved = -1e9; sonovecMap.map.draw();"
        " gl.readPixels(Math.round(x), height - Math.round(y), 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, seen); return seen[3]; })()"
    )
    assert lit > 20
    assert "400 tracks by PCA in 2 dimensions" in text(browser, "summary")


def test_names_with_html_in_them_are_text(browser):
    assert browser.ask("document.title") == EVIL and browser.ask("document.querySelector('h1').textContent") == EVIL
    row = index_of(browser, EVIL)
    browser.ask(f"sonovecMap.go({row})")
    assert browser.ask("document.querySelector('#card strong').textContent") == EVIL
    browser.ask(f"sonovecMap.select([{row}])")
    assert browser.ask("document.querySelector('#list button').textContent") == EVIL
    assert "<b>tense</b>" in text(browser, "legend")
    assert browser.ask("document.querySelectorAll('img[src=x], #legend b').length") == 0


def test_the_legend_filters_and_colours_change(browser):
    shown = "sonovecMap.map.inView().length"
    assert browser.ask(shown) == COUNT
    browser.ask("document.querySelector('#legend button').click()")
    assert browser.ask(shown) == COUNT - 100
    assert browser.ask("document.querySelector('#legend button').getAttribute('aria-pressed')") == "false"
    for column, told in [
        ("bpm", "bpm: 6 steps of equal width"),
        ("serial", "serial: the 12 most frequent of 400 values"),
        ("folder", "folder: 2 values"),
    ]:
        browser.ask(
            f"const by = document.getElementById('by'); by.value = '{column}'; by.dispatchEvent(new Event('change'))"
            if column == "bpm"
            else f"by.value = '{column}'; by.dispatchEvent(new Event('change'))"
        )
        assert text(browser, "told") == told
        assert browser.ask(shown) == COUNT
        if column == "serial":
            assert "other (388 values)\n388" in text(browser, "legend")
        if column == "bpm":
            assert text(browser, "legend").endswith("none\n80")


def test_a_search_lists_what_it_finds(browser):
    browser.ask("document.getElementById('search').focus()")
    browser.send("Input.insertText", text="TITLE 397")
    browser.until("sonovecMap.selection.length === 1")
    assert browser.ask("sonovecMap.selection") == [index_of(browser, "title 397")]
    assert text(browser, "said") == "1 track listed"


def test_a_lasso_gives_a_list_as_files(browser):
    browser.ask("document.getElementById('lasso').click()")
    x, y = browser.ask("sonovecMap.map.pixel(3)")
    browser.drag((x - 30, y - 30), (x + 30, y - 30), (x + 30, y + 30), (x - 30, y + 30))
    found = browser.ask("sonovecMap.selection")
    assert 3 in found and 0 < len(found) < COUNT
    near = [browser.ask(f"sonovecMap.map.pixel({each})") for each in found]
    assert all(abs(px - x) <= 31 and abs(py - y) <= 31 for px, py in near)
    assert browser.ask("document.getElementById('lasso').getAttribute('aria-pressed')") == "false"
    playlist = browser.ask("sonovecMap.m3u8()")
    assert playlist.startswith("#EXTM3U\n#EXTINF:5,") and playlist.count("#EXTINF") == len(found)
    rows = list(csv.DictReader(io.StringIO(browser.ask("sonovecMap.csv()"))))
    assert len(rows) == len(found) and {"id", "path", "title", "x", "y", "mood", "bpm"} <= rows[0].keys()


def test_everything_can_be_done_by_keys(browser):
    browser.ask("document.getElementById('overlay').focus()")
    before = browser.ask("[...sonovecMap.map.centre, sonovecMap.map.scale]")
    browser.key("ArrowRight")
    browser.key("+")
    after = browser.ask("[...sonovecMap.map.centre, sonovecMap.map.scale]")
    assert after[0] > before[0] and after[2] == pytest.approx(1.3 * before[2])
    browser.key("0")
    assert browser.ask("[...sonovecMap.map.centre, sonovecMap.map.scale]") == pytest.approx(before)
    browser.key("n")
    first = text(browser, "said")
    browser.key("n")
    second = text(browser, "said")
    browser.key("p")
    assert first and second and first != second and text(browser, "said") == first
    assert browser.ask("!document.getElementById('card').hidden")
    browser.key("v")
    assert browser.ask("sonovecMap.selection.length") == COUNT
    assert "and 200 more, which the files have" in text(browser, "list")
    browser.key("Escape")
    assert browser.ask("sonovecMap.selection.length") == 0 and browser.ask("document.getElementById('card').hidden")
    # Out of the map and through all controls.
    for _ in range(3):
        browser.key("Tab")
    assert browser.ask("document.activeElement.tagName") in ("INPUT", "SELECT", "BUTTON")


def test_a_click_plays_the_file(browser):
    row = index_of(browser, EVIL)
    browser.ask(f"sonovecMap.map.whole([{row}])")
    x, y = browser.ask(f"sonovecMap.map.pixel({row})")
    browser.mouse("mousePressed", x, y)
    browser.mouse("mouseReleased", x, y)
    browser.until("document.querySelector('audio').duration > 0")
    assert browser.ask("document.querySelector('audio').duration") == pytest.approx(1.0, abs=0.01)
    other = index_of(browser, "title 7")
    browser.ask(f"sonovecMap.play({other})")
    browser.until(
        "document.querySelector('#player span').textContent.includes('the browser cannot play /sounds/7.wav')"
    )
    browser.errors.clear()  # it says that the file is not there


def test_a_card_has_the_spectrogram_that_was_given(browser):
    browser.ask("sonovecMap.go(0)")
    browser.until("document.querySelector('#card img')?.naturalWidth === 20")
    browser.ask("sonovecMap.go(1)")
    assert browser.ask("document.querySelector('#card img')") is None


def test_it_is_light_or_dark_as_the_reader_has_it(browser):
    ground = "getComputedStyle(document.body).backgroundColor"
    browser.dark(False)
    light = browser.ask(ground)
    browser.dark()
    dark = browser.ask(ground)
    browser.dark(False)
    assert light != dark and max(map(int, dark[4:-1].split(","))) < 60 < min(map(int, light[4:-1].split(",")))


def test_a_phone_is_used_by_fingers(browser, folder):
    browser.size(390, 844, mobile=True)
    browser.open(folder / "map.html")
    assert browser.ask("document.documentElement.scrollWidth") <= 390
    scale = browser.ask("sonovecMap.map.scale")
    spots = lambda apart: [{"x": 195 - apart, "y": 250, "id": 0}, {"x": 195 + apart, "y": 250, "id": 1}]  # noqa: E731
    browser.send("Input.dispatchTouchEvent", type="touchStart", touchPoints=spots(40))
    browser.send("Input.dispatchTouchEvent", type="touchMove", touchPoints=spots(80))
    browser.send("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    assert browser.ask("sonovecMap.map.scale") == pytest.approx(2 * scale, rel=0.05)
    browser.send("Emulation.setTouchEmulationEnabled", enabled=False)


def test_a_slow_machine_sees_the_density_while_the_map_moves(browser):
    # In one go: a moment later all points are drawn again.
    shown, inked = browser.ask(
        "(() => { const map = sonovecMap.map; map.frameTime = 500; map.pan(5, 0); map.draw();"
        " const o = map.overlay, d = o.getContext('2d').getImageData(0, 0, o.width, o.height).data;"
        " let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 0;"
        " return [map.canvas.style.visibility, n]; })()"
    )
    assert shown == "hidden" and inked > 200
    browser.until("sonovecMap.map.canvas.style.visibility === 'visible'")


def test_without_webgl_the_points_are_drawn_too(browser):
    browser.ask("sonovecMap.map.gl = null; sonovecMap.map.lastMoved = -1e9; sonovecMap.map.draw()")
    assert browser.ask("sonovecMap.map.nearest(...sonovecMap.map.pixel(5)) >= 0")


def test_three_dimensions_turn(browser, folder):
    browser.open(folder / "solid.html")
    before = browser.ask("sonovecMap.map.pixel(5)")
    browser.drag((300, 300), (360, 300), (420, 330))
    after = browser.ask("sonovecMap.map.pixel(5)")
    assert np.hypot(after[0] - before[0], after[1] - before[1]) > 5
    assert browser.ask("Math.abs(sonovecMap.map.turn.reduce((s, v) => s + v * v, 0) - 3) < 1e-6")


def test_maps_of_nothing_and_of_one_track_open(shared_browser, tmp_path):
    for count in (1, 3):
        vectors = np.zeros((3, made.DIM), np.float32) if count == 3 else made.groups(1)[0]
        library = made.make(tmp_path / f"library {count}", vectors)
        explore.write_page(library, explore.map(library, "pca"), tmp_path / f"{count}.html")
        shared_browser.errors.clear()
        shared_browser.open(tmp_path / f"{count}.html")
        assert shared_browser.ask("sonovecMap.map.placed") == (1 if count == 1 else 0)
        assert shared_browser.errors == []
    assert isinstance(library, sonovec.Library)
