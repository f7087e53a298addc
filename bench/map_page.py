"""The page of a map of 100,000 points in a browser without a graphics card: size, first picture, frames a second, a lasso.

Frames that are drawn in full are the baseline of those that are drawn as density while the map moves.

    python bench/map_page.py PAGE.html [FOLDER for screenshots]
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.explore.browser import Browser

FRAMES = 5
_DRAWN = f"""(() => {{
  const map = sonovecMap.map, began = performance.now();
  for (let i = 0; i < {FRAMES}; i++) {{
    map.frameTime = SLOWNESS;
    map.lastMoved = performance.now();
    map.draw();
  }}
  map.overlay.getContext("2d").getImageData(0, 0, 1, 1);
  return (performance.now() - began) / {FRAMES};
}})()"""
_LASSO = """(() => {
  const map = sonovecMap.map, began = performance.now();
  const w = map.canvas.clientWidth, h = map.canvas.clientHeight;
  sonovecMap.select(map.within([[w * .2, h * .2], [w * .8, h * .2], [w * .8, h * .8], [w * .2, h * .8]]));
  return [performance.now() - began, sonovecMap.selection.length];
})()"""


def main(page: Path, folder: Path | None) -> None:
    """Open the page and measure."""
    with Browser() as browser:
        browser.dark(False)
        began = time.monotonic()
        browser.open(page, patience=300)
        print(f"size {page.stat().st_size / 1e6:.1f} MB, {browser.ask('sonovecMap.map.count')} points")
        paint = browser.ask("performance.getEntriesByName('first-contentful-paint')[0]?.startTime")
        first = browser.ask("sonovecMap.map.firstDrawn")
        print(f"first paint {paint:.0f} ms, density {first:.0f} ms, opened {1000 * (time.monotonic() - began):.0f} ms")
        full = browser.ask(_DRAWN.replace("SLOWNESS", "1"))
        rough = browser.ask(_DRAWN.replace("SLOWNESS", "1000"))
        print(f"a frame in full {full:.1f} ms ({1000 / full:.0f}/s), as density {rough:.1f} ms ({1000 / rough:.0f}/s)")
        print(f"ratio {full / rough:.1f}")
        took, found = browser.ask(_LASSO)
        print(f"lasso {took:.0f} ms for {found} tracks")
        if folder is not None:
            time.sleep(1)
            browser.picture(folder / "light.png")
            browser.dark()
            time.sleep(1)
            browser.picture(folder / "dark.png")
            browser.size(390, 844, mobile=True)
            time.sleep(1)
            browser.picture(folder / "phone.png")
        print("requests", [each for each in browser.requests if not each.startswith("file://")], browser.errors)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
