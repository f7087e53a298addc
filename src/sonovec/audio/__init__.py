"""Decode, resample and window sound; find audio files."""
