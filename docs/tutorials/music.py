# # A music collection
#
# You have a folder of sounds. You like one of them, and you want more like it. This page first makes a collection of its
# own, so you can follow it without any music. It has 84 short sounds of 14 kinds. They are FLAC files with a title and a
# genre. A table, `demo.csv`, has their tempo and pitch.

from shell import sh

from sonovec import demo

paths = demo.write("Music")
print(len(paths), "sounds, such as", paths[0].name)

# %%
# ## Put it into a library
#
# `index` looks for sounds in all folders below `Music`. It keeps a vector of each sound in the folder `library`.
# `--metadata` adds the columns of a table. `--loudness` measures how loud each sound is, in the same pass.

sh("sonovec index Music -l library --metadata Music/demo.csv --loudness")

# %%
# Run the same command again when the collection has changed. sonovec does not embed unchanged files again.

sh("sonovec index Music -l library --metadata Music/demo.csv --loudness")

# %%
# ## See what is there
#
# `list` prints the tracks. `--filter` chooses tracks, `--sort` sorts them, and `--columns` chooses the columns.

sh("""sonovec list -l library --filter "bpm > 120" --sort -bpm --columns title,bpm,loudness""")

# %%
# `show` prints all that the library knows of one track. Here are the first lines.

sh("sonovec show Music/drums/drums-05.flac -l library | head -12")

# %%
# ## More like this
#
# A query is a file. It can be in the library, but need not be. The score is the cosine of two vectors: 1 is the same
# sound. Here the query is in the library. The search leaves it out; `--include-self` shows it too.

sh("sonovec search Music/bells/bells-02.flac -l library --limit 3")

# %%
# With a filter, the hits come from a part of the library only. Here the search finds sounds like these bells that are
# not bells.

sh("""sonovec search Music/bells/bells-02.flac -l library --limit 3 --filter "kind != 'bells'" """.strip())

# %%
# One command can search for many sounds. `-` reads paths from another program.

sh("sonovec search Music/birds/birds-01.flac Music/rain/rain-01.flac -l library --limit 2")
sh("""sonovec list -l library --filter "bpm > 150" -0 | sonovec search - -0 -l library --limit 1""")

# %%
# ## By words
#
# The built-in encoder also scores 527 classes of sound. `--text` finds sounds in which these classes were heard. You can
# write the words in any form: singular or plural, for example.

sh("sonovec search --text 'drum machines' -l library --limit 3")

# %%
# ## A playlist
#
# `--m3u` prints a playlist for players. `search` has it, and `list` too.

sh("sonovec search Music/bells/bells-02.flac -l library --limit 3 --m3u")
sh("""sonovec list -l library --filter "genre = 'music' and loudness < -20" --sort title --m3u > quiet.m3u8""")

# %%
# ## The same recording twice
#
# Collections have copies of files, and other encodings of them. Here are two: an MP3 of a FLAC file, and a copy.

import shutil

import soundfile

samples, rate = soundfile.read("Music/bells/bells-01.flac")
soundfile.write("Music/bells-again.mp3", samples, rate)
shutil.copy("Music/organ/organ-02.flac", "Music/organ-copy.flac")

# %%
# A fingerprint finds them. `--analyser fingerprint` adds fingerprints to the library. Then `duplicates` lists what is
# there several times. The file to keep comes first. A search shows such files as one hit.

sh("sonovec index Music -l library --analyser fingerprint --quiet")
sh("sonovec duplicates -l library")

# %%
# Listen before you believe in another speed, or in a part: here the demo made two bells that differ in little but their
# pitch, and two birds that sing the same notes for three seconds.
#
# `duplicates` removes nothing. `-0` prints the paths of the others, for `xargs -0`, without those at another speed.

sh("sonovec duplicates -l library -0 | xargs -0 -n 1 echo rm")

# %%
# ## A picture
#
# `plot` draws a sound as the encoder hears it. The last panel shows which parts of it sound alike.

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
# More: [how to write filters, and what else a library can do](../libraries.md).
