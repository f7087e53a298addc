# # Long field recordings
#
# A recorder hung in a wood for a night, and you want every bark in it, with its time. This page makes such a recording:
# 20 minutes of wind and rain, with 12 barks in it. Each bark is another one, in pitch, length and loudness.

import numpy as np
import soundfile
from shell import sh

from sonovec import demo

RATE = demo.RATE
rng = np.random.default_rng(12)


def bark(pitch: float, seconds: float) -> np.ndarray:
    """Two short bursts: a voice that falls, and breath."""
    time = np.arange(round(seconds * RATE)) / RATE
    fall = pitch * (1.35 - 0.6 * time / seconds)
    voice = sum(np.sin(2 * np.pi * k * np.cumsum(fall) / RATE) / k for k in range(1, 14))
    burst = (voice + 0.5 * rng.standard_normal(len(time))) * np.sin(np.pi * time / seconds) ** 0.6
    return np.concatenate([burst, np.zeros(RATE // 6), 0.8 * burst]) / np.abs(burst).max()


night = np.concatenate([demo.clip(kind, n)[0] for n in range(1, 13) for kind in ("wind", "rain")])
night = np.resize(night, 20 * 60 * RATE) * 0.15
planted = np.sort(rng.choice(np.arange(20, 1180, 15), 12, replace=False)) + rng.uniform(0, 8, 12)
for second in planted:
    sound = bark(rng.uniform(300, 450), rng.uniform(0.2, 0.3)) * rng.uniform(0.35, 0.7)
    night[round(second * RATE) :][: len(sound)] += sound
soundfile.write("night.flac", night, RATE)
soundfile.write("bark.wav", bark(380, 0.25) * 0.5, RATE)
print("barks at", ", ".join(f"{second:.0f}" for second in planted))

# %%
# ## Index it
#
# A long recording is heard in blocks: memory stays the same whether it takes a minute or ten hours.

sh("sonovec index night.flac -l field")

# %%
# ## Every place
#
# A plain search gives one hit for each file. `--places` gives every stretch that sounds like the query. `--by-time`
# puts them in the order of time. `-o` writes them for other programs, here as a table and as labels for Audacity;
# `.selections.txt` is for Raven.

sh("sonovec search bark.wav -l field --places --by-time -o barks.csv -o barks.txt")

# %%
# The library was made with segments of 10 s, and a bark takes half a second. So the file is read again where a segment
# is promising, and only there.
#
# ## Count what was found

import csv
from pathlib import Path

with Path("barks.csv").open(newline="") as file:
    found = [(float(row["start"]), float(row["end"])) for row in csv.DictReader(file)]
hits = [any(start - 1 < second < end + 1 for start, end in found) for second in planted]
false = [place for place in found if not any(place[0] - 1 < second < place[1] + 1 for second in planted)]
print(f"{sum(hits)} of {len(planted)} barks were found, and {len(false)} places are none")
assert sum(hits) >= 11 and len(false) <= 1

# %%
# These barks are synthetic and stand out. What real ones need, and what the threshold means, is measured on the page on
# [places](../places.md).
#
# ## What else is heard, and when
#
# `tag` names what is heard, and with `-o FILE` or `--out-folder FOLDER` writes the times
# ([tags](../tags.md)). The encoder has learnt from real sounds, so its scores for these synthetic ones are low, and it
# takes no bark for a dog.

sh("sonovec tag night.flac --start 75 --end 95 --threshold 0.1 --top 3")

# %%
# ## See it

sh("sonovec plot night.flac -o night.png --panels waveform,spectrogram,tags")

# %%
# ![Waveform, spectrogram and tags of twenty minutes](pictures/field-night.png)
