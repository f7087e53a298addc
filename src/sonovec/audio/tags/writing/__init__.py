"""A tempo and a key into the tags of a file: a few bytes more, and all other bytes as they were."""
