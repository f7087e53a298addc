"""Sound in, vectors out, answers from the vectors."""

__version__ = "0.1.0"
