# # Long field recordings
#
# A recorder was in a wood for a night. You want every bark in the recording, with its time. This page makes such a
# recording: 20 minutes of wind and rain, with 12 barks. The barks differ in pitch, length and loudness. Two people
# also talk near the recorder, at 5:30 and at 14:10.

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
for n, second in enumerate((330, 850), start=1):
    voice = demo.clip("speech", n)[0]
    night[second * RATE :][: len(voice)] += voice
soundfile.write("night.flac", night, RATE)
soundfile.write("bark.wav", bark(380, 0.25) * 0.5, RATE)
print("barks at", ", ".join(f"{second:.0f}" for second in planted))

# %%
# ## Index it
#
# sonovec reads a long recording in blocks. It needs the same memory for one minute as for ten hours.

sh("sonovec index night.flac -l field")

# %%
# ## Every place
#
# A search without options gives one hit for each file. `--places` gives every stretch that sounds like the query.
# `--by-time` sorts them by time. `-o` writes them for other programs. Here it writes a table and labels for Audacity; the
# ending `.selections.txt` makes a table for Raven.

sh("sonovec search bark.wav -l field --places --by-time -o barks.csv -o barks.txt")

# %%
# The library has segments of 10 s, and a bark takes half a second. So sonovec reads parts of the file again: those whose
# segments may hold a bark, and no others.
#
# ## Count what was found

import csv
from pathlib import Path

with Path("barks.csv").open(newline="") as file:
    found = [(float(row["start"]), float(row["end"])) for row in csv.DictReader(file)]
hits = [any(start - 1 < second < end + 1 for start, end in found) for second in planted]
false = [place for place in found if not any(place[0] - 1 < second < place[1] + 1 for second in planted)]
print(f"found: {sum(hits)} of {len(planted)} barks; places without a bark: {len(false)}")
assert sum(hits) >= 11 and len(false) <= 1

# %%
# These barks are synthetic and easy to find. The page on [places](../places.md) says what the threshold means, and how
# well sonovec finds real barks.
#
# ## By words
#
# `--text` ranks the tracks by the classes of sound that the encoder heard in them. Each hit has the seconds of its best
# segment, also if the sound is rare.

sh("sonovec search --text 'speech' -l field")

# %%
# The encoder has learnt from real sounds. It does not take these synthetic barks for a dog, and sonovec says so:

sh("sonovec search --text 'a dog barks' -l field")

# %%
# ## All times of a class
#
# `tag` names what is heard, and when. `--class` takes one class only, and `--min-duration` leaves out what is shorter.
# `--out-folder` writes a file for each recording, here with labels for Audacity. `--hop 2` takes half the time of the
# default, in which windows overlap. See [tags](../tags.md).

sh("sonovec tag night.flac --class Speech --min-duration 3 --hop 2 --out-folder labels --format audacity")
sh("cat labels/*")

# %%
# ## See it

sh("sonovec plot night.flac -o night.png --start 5:00 --end 15:00 --panels waveform,spectrogram,tags")

# %%
# ![Waveform, spectrogram and tags of ten minutes, with speech at 5:30 and 14:10](pictures/field-night.png)
