"""The code of docs/extending.md runs, and does what the page says."""

from __future__ import annotations

import json
import re
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile

PAGE = Path(__file__).parents[2] / "docs" / "extending.md"
RATE = 16000


@pytest.fixture
def page(tmp_path, monkeypatch):
    """The names that the page's code makes, in a folder with three sounds of knocks."""
    (tmp_path / "sounds").mkdir()
    rng = np.random.default_rng(0)
    for beats in (90, 120, 150):
        sound = rng.standard_normal(RATE * 12) / 1000
        for beat in range(beats // 5):
            knock = rng.standard_normal(1600) * np.exp(-np.arange(1600) / 300) / 3
            sound[beat * 60 * RATE // beats :][:1600] += knock
        soundfile.write(tmp_path / "sounds" / f"{beats}.wav", sound, RATE)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        exec(compile(block, str(PAGE), "exec"), names)  # the functions of one block use the names of those before
    yield names
    names["server"].server_close()
    names["shared"].close()
    names["library"].close()


@pytest.mark.slow
def test_the_page_does_what_it_says(page):
    library = page["library"]
    fields = {Path(track.path).stem: track.fields for track in library.tracks()}
    assert {name: round(each["tempo"]) for name, each in fields.items()} == {"90": 90, "120": 120, "150": 150}
    ids, rows = library.vectors().numpy()
    wanted = dict(zip(ids, (rows - page["mean"]) @ page["axes"].T, strict=True))
    for track in library.tracks():
        np.testing.assert_allclose([track.fields["map_x"], track.fields["map_y"]], wanted[track.id], atol=1e-4)
        [passage] = library.passages.get(track.id)
        assert (passage.text, passage.source, passage.end) == ("loud in tiny", "transcript 1-tiny-en", 12.0)
    sources = {label.source for label in library.labels.get()}
    assert "Ann" in sources and len(sources) == 2 and f"knock {page['knock'].version}" not in sources
    assert {name: each.reason for name, each in library.ledger.analyses(ids[0]).items()} == dict.fromkeys(
        ("knock", "map", "tempo", "transcript")
    )

    server = page["server"]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()

    def post(path, content):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}{path}", content) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    sound = Path("sounds/120.wav").read_bytes()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: post("/search?filter=tempo+%3E+100", sound), range(16)))
    for code, told in answers:
        assert code == 200 and [Path(hit["path"]).name for hit in told["hits"]] == ["150.wav"]
    assert len(post("/embed", sound)[1]["vector"]) == rows.shape[1]
    assert post("/search?filter=nonsense", sound)[0] == 400
    assert post("/embed", b"no sound")[0] == 422
    server.shutdown()
    thread.join()
