"""Playlists: which tracks, in which order, by sound, tempo and key; their files; loops and parts that fit."""
