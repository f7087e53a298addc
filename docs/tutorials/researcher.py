# # Choose an encoder, and use its vectors
#
# You study sounds and need numbers for them: vectors of a known encoder, made in a known way. This page uses 70
# synthetic sounds of 7 kinds. A folder of each kind is all that the commands below need to know as a label.

from shell import sh

from sonovec import demo

KINDS = ("bells", "birds", "clock", "engine", "rain", "siren", "speech")
for path in demo.write("sounds", per_kind=10):
    if path.parent.name not in KINDS:
        path.unlink()

# %%
# ## Compare encoders on your own sounds
#
# `models compare` embeds the same folder with several encoders. The probe is a logistic regression, cross-validated;
# retrieval is the mean average precision (mAP) with which each sound finds the others of its kind. `logmel` is the
# baseline: it has learnt nothing. `sonovec models` lists all encoders.

sh("sonovec models compare sounds -m logmel,default | cut -f1-5,7")

# %%
# ## Embed
#
# An embedding has one vector for each window and one for the whole sound.

import sonovec

encoder = sonovec.load("default")
e = encoder.embed("sounds/birds/birds-01.flac")
print(e.vector.shape, e.windows.shape)
print(e.times.tolist())
print(e.coverage.tolist())

# %%
# The last window is not full: its coverage says how much of it is sound. The vector of the clip counts each window by
# its coverage.
#
# Many sounds at once are embedded on all cores, in the order of the input. What cannot be read becomes a `Failure` in
# its place.

for result in encoder.embed_many(["sounds/clock/clock-01.flac", "missing.wav"]):
    print(type(result).__name__, getattr(result, "reason", ""))

# %%
# ## The passport
#
# Every vector carries all that shaped it: the encoder and the hash of its weights, the front end, the resampler, window
# and hop. Note it in your paper, and you can make the same vectors again.

for name, value in e.passport.to_json().items():
    print(f"{name}: {str(value)[:70]}")

# %%
# Vectors of two passports are never mixed. A library refuses them, and says which field differs.

with sonovec.Library("library", model="logmel") as library:
    library.add("sounds/bells")

try:
    with sonovec.Library("library", model="default") as library:
        library.add("sounds/birds")
except sonovec.PassportError as error:
    print(error)

# %%
# ## To a file
#
# `embed` writes vectors for other tools: NumPy, Parquet, JSON lines or CSV. The passport goes with them.

sh("sonovec embed sounds -o vectors.parquet")

# %%
import pyarrow.parquet

table = pyarrow.parquet.read_table("vectors.parquet")
print(table.num_rows, table.column_names)

# %%
# ## In scikit-learn
#
# `AudioEmbedder` is a step of a pipeline: paths go in, a classifier of your own comes out.

from pathlib import Path

from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from sonovec.sklearn import AudioEmbedder

files = sorted(map(str, Path("sounds").rglob("*.flac")))
kinds = [Path(file).parent.name for file in files]
pipeline = make_pipeline(AudioEmbedder("default"), LogisticRegression(max_iter=1000))
print(cross_val_score(pipeline, files, kinds, cv=5).mean().round(2))

# %%
# What each encoder promises, and which to take: [encoders](../encoders.md). Noise, telephones and rooms: `sonovec
# evaluate`.
