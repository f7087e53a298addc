"""Columns of analysers with long texts, for programs: hits and views for people leave them out, or show how long they are."""

from sonovec.music.columns import BEATS, CHROMA, DOWNBEATS, TEMPO_CURVE

LONG = frozenset({"fingerprint", "fingerprint_fine", "fingerprint_levels", BEATS, DOWNBEATS, TEMPO_CURVE, CHROMA})
