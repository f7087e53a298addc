"""How well the music head agrees with its teachers on pieces that were held out."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from sonovec.music.head import MusicHead, logit
from sonovec.music.moods import MOODS, NAMED, evidence
from training.music_lessons import AUDIOSET, Lessons

#: Of the held-out pieces, the share that the teacher scores highest: those count as having a tag.
TOP = 0.1

Floats = NDArray[np.float64]


def report(head: MusicHead, lessons: Lessons) -> str:
    """Tables in Markdown: agreement of tags, of AudioSet's classes beside the built-in encoder's own, and of moods."""
    held = lessons.held_out
    music = held & np.isfinite(lessons.tags[:, 0])
    said, theirs = head.logits(lessons.vectors), np.zeros((len(held), len(head.tags)))
    count = lessons.tags.shape[1]
    theirs[music, :count] = logit(lessons.tags[music])
    theirs[:, count:] = logit(lessons.audioset)
    own = logit(lessons.builtin)
    lines = [f"{int(held.sum())} pieces are held out, {int(music.sum())} of them music."]
    lines += ["", "| tag | correlation | ROC-AUC |", "| --- | --- | --- |"]
    rows = [(tag, *_agreement(said[music, i], theirs[music, i])) for i, tag in enumerate(head.tags[:count])]
    rows.sort(key=lambda row: -row[2])
    lines += [f"| {tag} | {r:.2f} | {auc:.2f} |" for tag, r, auc in rows]
    for name, some in (("MagnaTagATune", "mtt:"), ("Million Song Dataset", "msd:")):
        lines.append(_mean(name, [row for row in rows if row[0].startswith(some)]))
    lines += ["", "| class | head: correlation, ROC-AUC | built-in: correlation, ROC-AUC |", "| --- | --- | --- |"]
    for i, name in enumerate(AUDIOSET):
        pieces = held if name == "Music" else music
        mine, its = (_agreement(each[pieces], theirs[pieces, count + i]) for each in (said[:, count + i], own[:, i]))
        lines.append(f"| {name} | {mine[0]:.2f}, {mine[1]:.2f} | {its[0]:.2f}, {its[1]:.2f} |")
    return "\n".join([*lines, "", *_moods(head, said[music], theirs[music])])


def _moods(head: MusicHead, said: Floats, theirs: Floats) -> Iterable[str]:
    """Moods by the head against those by the teachers' own scores."""
    mine = _heard(head, said, "head")
    its = _heard(head, theirs, "musicnn")
    yield "| mood | correlation | ROC-AUC | named by both / by head / by teachers |"
    yield "| --- | --- | --- | --- |"
    for i, name in enumerate(MOODS):
        r, auc = _agreement(mine[:, i], its[:, i])
        here, there = mine[:, i] >= NAMED, its[:, i] >= NAMED
        yield f"| {name} | {r:.2f} | {auc:.2f} | {(here & there).sum()} / {here.sum()} / {there.sum()} |"
    angles = np.radians([mood.angle for mood in MOODS.values()])
    for name, axis in (("valence", np.cos(angles)), ("arousal", np.sin(angles))):
        r, auc = _agreement(mine @ axis, its @ axis)
        yield f"| {name} | {r:.2f} | {auc:.2f} | |"


def _heard(head: MusicHead, logits: Floats, who: str) -> Floats:
    return head.scales[f"{who}_moods"].of(evidence(head.scales[who].of(logits), head.tags))


def _agreement(mine: Floats, theirs: Floats) -> tuple[float, float]:
    """Correlation, and the area under the ROC curve of the pieces that the teacher scores highest."""
    positive = theirs >= np.quantile(theirs, 1 - TOP)
    return float(np.corrcoef(mine, theirs)[0, 1]), float(roc_auc_score(positive, mine))


def _mean(name: str, rows: list[tuple[str, float, float]]) -> str:
    return f"| mean of {name} | {np.mean([row[1] for row in rows]):.2f} | {np.mean([row[2] for row in rows]):.2f} |"
