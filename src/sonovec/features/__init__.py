"""Spectrograms, described as data and computed exactly."""
