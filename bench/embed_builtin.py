"""The whole road from files to vectors and tags with the built-in encoder, beside its teachers, run by sonovec too.

    python bench/embed_builtin.py [FOLDER] [--files 400] [--rounds 3] [--precision auto]

The teachers' weights are read from $SONOVEC_DATA/weights. The target is 400 times real time from ogg files on two cores.
"""

from __future__ import annotations

import json
import statistics
import sys

import common

TARGET = 400
TEACHERS = {"efficientat-mn04": "mn04_as_mAP_432.pt", "yamnet": "yamnet.tflite"}


def main() -> None:
    arguments = common.parser(__doc__).parse_args()
    files = common.audio_files(arguments.folder, arguments.files)
    with common.scratch() as folder:
        settings = {"precision": arguments.precision}
        sides = {name: common.Side(__file__, name, settings, sys.executable) for name in (common.OURS, *TEACHERS)}
        with common.sides(*sides.values()):
            result = common.race(
                {name: (side, common.OURS) for name, side in sides.items()}, files, arguments.rounds, folder
            )
        told = {name: side.told for name, side in sides.items()}
    seconds = sum(common.durations(files))
    medians = {name: statistics.median(times) for name, times in result.times.items()}
    report = {
        "model": "sonovec-1",
        "machine": common.machine(),
        "files": len(files),
        "audio_seconds": round(seconds, 1),
        "precision": {name: each["precision"] for name, each in told.items()},
        "versions": told[common.OURS]["versions"],
        "real_time_factor": {name: round(seconds / taken, 1) for name, taken in medians.items()},
        "ratio": {name: round(medians[name] / medians[common.OURS], 2) for name in TEACHERS},
        "target": TARGET,
    }
    print(json.dumps(report, indent=1))


def ours(settings: common.Settings) -> common.Opened:
    return common.encoder_side("default", settings)


def teacher(name: str) -> common.Opener:
    return lambda settings: common.encoder_side(
        name, settings, weights=str(common.data_folder() / "weights" / TEACHERS[name])
    )


if __name__ == "__main__":
    if "--side" in sys.argv:
        common.serve({common.OURS: ours, **{name: teacher(name) for name in TEACHERS}})
    else:
        main()
