# # Keep a library running
#
# You look after a library that others search. A timer indexes the sounds each night. Disks fill up, files get damaged,
# people move folders. This page shows what to run, and what sonovec says. It makes 28 sounds of its own, and a damaged
# one.

from pathlib import Path

from shell import sh

from sonovec import demo

demo.write("archive", per_kind=2)
Path("archive/broken.flac").write_bytes(Path("archive/rain/rain-01.flac").read_bytes()[:40])

# %%
# ## Each night
#
# You can run this command at any time. If a former run was stopped, it continues there. `--log` writes every step to a
# file. With `--quiet` the error stream has only errors.

sh("sonovec index archive -l library --quiet --log nightly.log", expect=1)

# %%
# The exit code says how it went:
#
# | code | meaning |
# | --- | --- |
# | 0 | all went well |
# | 1 | some files failed, the others were done |
# | 2 | the command could not run |
#
# `history --failed` lists the files that failed, with the reason.

sh("sonovec history -l library --failed | cut -f1,3")

# %%
# The next run tries these files again. It does not embed the others again. `--prune` removes tracks whose files are
# gone. It keeps tracks whose files may be on a disk that is not mounted.

Path("archive/broken.flac").unlink()
Path("archive/wind/wind-02.flac").unlink()

# %%
sh("sonovec index archive -l library --prune --json > report.json")

# %%
import json

report = json.loads(Path("report.json").read_text())
print({name: report[name] for name in ("found", "indexed", "unchanged", "skipped", "failed", "vanished", "tracks")})

# %%
# `found` is always the sum of `indexed`, `unchanged`, `skipped` and `failed`. Every file has a row in the ledger.
#
# ## What ran, and what is there
#
# `history` lists the runs; the latest is first. `cut` keeps some of the columns here. `stats` shows the library in
# numbers.

sh("sonovec history -l library | cut -f1,6-10")
sh("sonovec stats -l library")

# %%
# ## Errors for programs
#
# With `--json`, a command prints its error as a JSON object too. The error stream has the message for people; here it
# goes into a file.

sh("sonovec search missing.wav -l library --json 2> errors.txt", expect=2)

# %%
# ## Remove tracks, and give paths to other programs
#
# `remove` takes tracks out of the library. The files stay on the disk. `--dry-run` shows what it would remove. `--yes`
# answers its question; a script needs it.

sh("""sonovec remove --filter "path contains '/chirps/'" -l library --yes""")

# %%
# `list -0` prints paths, each with a zero byte behind it. With `xargs -0`, names with spaces or line breaks are safe.

sh("""sonovec list -l library --filter "path contains '/rain/'" -0 | xargs -0 wc -c""")

# %%
# ## Is it whole?
#
# `doctor` checks the machine. With `-l` it also checks a library. It reads all of it, and counts duplicates, orphans and
# ghosts ([glossary](../glossary.md)).

sh("sonovec doctor -l library | tail -3")

# %%
# ## A backup
#
# A library is a folder. Copy it while no program writes to it. The copy is a library too.

sh("cp -r library backup")

# %%
# ## Export and import
#
# `export` writes the vectors and fields as Parquet files, without the audio. Checksums are in `manifest.json`. `import`
# makes a library from them, on this machine or another.

sh("sonovec export library shared")
sh("ls -1 shared")
sh("sonovec import shared -l copy")

# %%
# The other machine may have no audio. A search works there too, and the paths begin with the name of the root.

sh("sonovec search archive/bells/bells-01.flac -l copy --limit 2 | cut -f1,2")

# %%
# ## Damage, and repair
#
# A disk lost some bytes. Here it is the second half of each file that holds vectors of segments.

for file in Path("library").rglob("*segments.lance/data/*"):
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])

# %%
sh("sonovec doctor -l library | tail -1")

# %%
# `--repair` keeps what can be read, and says what is lost. It deletes nothing: it moves damaged files into the folder
# `damaged` of the library. The next run of `index` embeds the lost tracks again, from the sounds.

sh("sonovec doctor -l library --repair | tail -4")
sh("sonovec index archive -l library --json > report.json")

# %%
report = json.loads(Path("report.json").read_text())
print({name: report[name] for name in ("found", "indexed", "unchanged", "failed", "tracks")})

# %%
# ## A folder moved
#
# Now the archive is on another disk. `move-root` tells the library where. sonovec embeds nothing again.

Path("archive").rename("archive-2")

# %%
sh("sonovec library move-root library archive archive-2")
sh("sonovec index archive-2 -l library --json > report.json")

# %%
report = json.loads(Path("report.json").read_text())
print({name: report[name] for name in ("found", "indexed", "unchanged", "failed", "tracks")})

# %%
# More: [libraries](../libraries.md), [jobs](../jobs.md), [environment variables](../environment.md).
