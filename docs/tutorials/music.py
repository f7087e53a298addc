# # A music collection
#
# You have a folder of sounds, and want more like this one. This page makes a collection of its own first, so that you
# can follow it without any music: 84 short sounds of 14 kinds, FLAC files with a title and a genre, and a table
# `demo.csv` with tempo and pitch.

from shell import sh

from sonovec import demo

paths = demo.write("Music")
print(len(paths), "sounds, such as", paths[0].name)

# %%
# ## Put it into a library
#
# `index` looks for sounds in all folders below `Music`, and keeps a vector of each in the folder `library`.
# `--metadata` adds the columns of a table; `--loudness` measures how loud each sound is, in the same pass.

sh("sonovec index Music -l library --metadata Music/demo.csv --loudness")

# %%
# Run the same command again whenever the collection has changed. What is there already is left alone.

sh("sonovec index Music -l library --metadata Music/demo.csv --loudness")

# %%
# ## See what is there
#
# `list` prints the tracks. A filter says which, `--sort` in which order, `--columns` what of each.

sh("""sonovec list -l library --filter "bpm > 120" --sort -bpm --columns title,bpm,loudness,duration""")

# %%
# ## More like this
#
# A query is a file, which need not be in the library. The score is the cosine of two vectors: 1 is the same sound. The
# query itself is in the library here, and is left out; `--include-self` shows it too.

sh("sonovec search Music/bells/bells-02.flac -l library --limit 3")

# %%
# A filter takes the answers from a part of the library only: sounds like these bells that are no bells.

sh("""sonovec search Music/bells/bells-02.flac -l library --limit 3 --filter "kind != 'bells'" """.strip())

# %%
# ## By words
#
# The built-in encoder also scores 527 classes of sound. `--text` finds what was heard, in whatever form the word is
# written.

sh("sonovec search --text 'drum machines' -l library --limit 3")

# %%
# ## A playlist
#
# `--m3u` writes a playlist that players read.

sh("""sonovec list -l library --filter "genre = 'music' and loudness < -20" --sort title --m3u > quiet.m3u8""")
sh("head -5 quiet.m3u8")

# %%
# ## The same recording twice
#
# Collections hold recordings in several encodings and at several levels. Here is one of the drum loops again, quieter and in
# another format. The analyser `fingerprint` makes such copies known. A search then shows them as one answer, which counts them.

import soundfile

samples, rate = soundfile.read("Music/drums/drums-01.flac")
soundfile.write("Music/drums/quieter.wav", 0.3 * samples, rate)

# %%
sh("sonovec index Music -l library --analyser fingerprint --quiet --json > report.json")
sh("sonovec duplicates -l library")

# %%
# ## A picture
#
# `plot` draws a sound as the encoder hears it. The last panel shows which parts of it are alike.

sh("sonovec plot Music/drums/drums-01.flac -o drums.png")

# %%
# ![Waveform, spectrogram, tags and similarity of a drum loop](pictures/music-drums.png)
#
# ## The same in Python

import sonovec

with sonovec.Library("library") as library:
    for hit in library.search("Music/organ/organ-01.flac", limit=3, filter="bpm is null"):
        print(f"{hit.score:.3f}  {hit.path}")

# %%
# How filters are written, and what else a library can do: [libraries](../libraries.md).
