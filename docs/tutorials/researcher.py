# # Choose an encoder, and use its vectors
#
# You study sounds and need numbers for them: vectors of a known encoder, made in a known way. This page uses 70
# synthetic sounds of 7 kinds. Each kind has a folder. The commands below use the name of the folder as the label.

from shell import sh

from sonovec import demo

KINDS = ("bells", "birds", "clock", "engine", "rain", "siren", "speech")
for path in demo.write("sounds", per_kind=10):
    if path.parent.name not in KINDS:
        path.unlink()

# %%
# ## Compare encoders on your own sounds
#
# `models compare` embeds the same folder with several encoders. The probe is a logistic regression with
# cross-validation. Retrieval is the mean average precision (mAP): each sound is a query, and the other sounds of its kind
# are the right answers. `logmel` is the baseline: it has learnt nothing. `sonovec models` lists all encoders.

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
# The last window is not full: its coverage says how much of it is sound. In the vector of the clip, the weight of each
# window is its coverage. Do your sounds have different lengths? [This page](../padding.md) shows what padding costs.
#
# `embed_many` embeds many sounds on all cores. The results have the order of the input. For a file that cannot be read,
# the result is a `Failure`.

for result in encoder.embed_many(["sounds/clock/clock-01.flac", "missing.wav"]):
    print(type(result).__name__, getattr(result, "reason", ""))

# %%
# ## The passport
#
# Every vector has a passport. It says what shaped the vector: the encoder and the hash of its weights, the front end, the
# resampler, the window and the hop. Print it in your paper, and others can make the same vectors again.

for name, value in e.passport.to_json().items():
    print(f"{name}: {str(value)[:70]}")

# %%
# sonovec never mixes vectors with different passports. The error says which field differs.

with sonovec.Library("library", model="logmel") as library:
    library.add("sounds/bells")

try:
    with sonovec.Library("library", model="default") as library:
        library.add("sounds/birds")
except sonovec.PassportError as error:
    print(error)

# %%
# ## A library as a table
#
# A library keeps vectors on the disk, and searches them. An `Embedding` can be the query: the sound is not embedded
# again.

with sonovec.Library("vectors", model="default") as library:
    library.add("sounds")
    for hit in library.search(e, limit=3):
        print(f"{hit.score:.3f}  {hit.title}  {hit['duration']} s")
    frame = library.to_pandas(vectors=True)

# %%
# `to_pandas` gives a data frame with a row for each track.

print(frame.sort_values("path").head(3)[["title", "duration", "vector"]].to_string(max_colwidth=32, index=False))

# %%
# ## To a file
#
# `embed` writes vectors for other tools: NumPy, Parquet, JSON lines or CSV. The passport is in the file.

sh("sonovec embed sounds -o vectors.parquet")

# %%
import pyarrow.parquet

table = pyarrow.parquet.read_table("vectors.parquet")
print(table.num_rows, table.column_names)

# %%
# ## In scikit-learn
#
# `AudioEmbedder` is a step of a pipeline: it turns paths into vectors. Your own classifier is the next step.

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
# More: [what each encoder promises, and which one to choose](../encoders.md). `sonovec evaluate` measures how much an
# encoder loses with noise, telephones and rooms.
