# # Keep a library running
#
# You look after a library that others search. It is indexed each night by a timer; disks fill up, files are damaged,
# people move folders. This page shows what to run, and what the library says. It makes 28 sounds of its own, and
# damages one.

from pathlib import Path

from shell import sh

from sonovec import demo

demo.write("archive", per_kind=2)
Path("archive/broken.flac").write_bytes(Path("archive/rain/rain-01.flac").read_bytes()[:40])

# %%
# ## Each night
#
# One command, which can be run at any time: it goes on where a former run stopped. The exit code is 0 if all went well,
# 1 if some files failed and the rest was done, 2 if the command could not run. `--log` keeps every step; with `--quiet`
# the error stream has nothing but errors.

sh("sonovec index archive -l library --quiet --log nightly.log", expect=1)

# %%
# `history` lists the runs with their counts. With `--failed` it names the files that failed, and says why.

sh("sonovec history -l library --failed")

# %%
# The next run tries the file again, and embeds nothing else. `--prune` removes tracks whose files are gone. It leaves
# alone what may only lie on a disk that is not mounted.

Path("archive/broken.flac").unlink()
Path("archive/wind/wind-02.flac").unlink()

# %%
sh("sonovec index archive -l library --prune --json > report.json")

# %%
import json

report = json.loads(Path("report.json").read_text())
print({name: report[name] for name in ("found", "indexed", "unchanged", "skipped", "failed", "vanished", "tracks")})

# %%
# `found` is always the sum of `indexed`, `unchanged`, `skipped` and `failed`: no file is left out without a reason.
#
# ## What ran

sh("sonovec library jobs library --json > jobs.json")

# %%
for job in json.loads(Path("jobs.json").read_text())["jobs"]:
    print(job["id"], job["kind"], job["state"])

# %%
# ## Is it whole?
#
# `doctor` checks the machine, and with `-l` a library: it reads all of it, and counts duplicates, orphans and ghosts.

sh("sonovec doctor -l library | tail -3")

# %%
# ## The library in numbers

sh("sonovec stats -l library --json > stats.json")

# %%
stats = json.loads(Path("stats.json").read_text())
print({name: stats[name] for name in ("tracks", "formats", "rates")})

# %%
# ## To another machine, without the audio
#
# `export` writes the vectors and the columns as Parquet files, with a manifest and checksums. `import` checks them, and reads them into
# another library. A search works there; the sounds themselves are not there.

sh("sonovec export library shared")
sh("sonovec import shared -l copy")
sh("sonovec search archive/rain/rain-01.flac -l copy --limit 1")

# %%
# ## A backup
#
# A library is a folder. Copy it when nothing writes to it; the copy is a library.

sh("cp -r library backup")

# %%
# ## Damage, and repair
#
# A disk lost some bytes: here the second half of each file that holds vectors of segments.

for file in Path("library").rglob("*segments.lance/data/*"):
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])

# %%
sh("sonovec doctor -l library | tail -1")

# %%
# `--repair` brings back what can be read, and says what is lost. Nothing is deleted: what cannot be read is moved into
# the library's folder `damaged`. The next run of `index` embeds what was lost, from the files.

sh("sonovec doctor -l library --repair | tail -4")
sh("sonovec index archive -l library --json > report.json")

# %%
report = json.loads(Path("report.json").read_text())
print({name: report[name] for name in ("found", "indexed", "unchanged", "failed", "tracks")})

# %%
# ## A folder moved
#
# The archive lies on another disk now. Tell the library, and nothing is embedded again.

Path("archive").rename("archive-2")

# %%
sh("sonovec library move-root library archive archive-2")
sh("sonovec index archive-2 -l library --json > report.json")

# %%
report = json.loads(Path("report.json").read_text())
print({name: report[name] for name in ("found", "indexed", "unchanged", "failed", "tracks")})

# %%
# More: [upkeep](../upkeep.md), [libraries](../libraries.md), [jobs](../jobs.md), [environment variables](../environment.md).
