"""Tracks that go with some tracks: rank fusion of seeds, terms of music, variety, and why each was chosen."""
