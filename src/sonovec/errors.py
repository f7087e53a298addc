"""The one family of errors. Each message names the bad value and gives the corrected call, on one line."""

from __future__ import annotations


class SonovecError(Exception):
    """Root of every error that sonovec raises on purpose."""


class UsageError(SonovecError):
    """An argument, option or expression is wrong; nothing was done."""


class AudioError(SonovecError):
    """A file holds no audio that can be decoded."""


class WeightsError(SonovecError):
    """Weights are missing, truncated, tampered with, or of another model."""


class MissingExtraError(SonovecError):
    """An optional dependency is needed; the message holds the pip line."""


class OutOfMemoryError(SonovecError):
    """A network does not fit into memory; the message says how large it is and what is free."""


class UnexpectedError(SonovecError):
    """An error that nobody meant to raise came up over one file: a bug to report; its traceback is in the log."""


class PassportError(SonovecError):
    """Vectors of two different passports would be mixed."""


class LibraryError(SonovecError):
    """A library cannot be opened, written or reached."""


class LibraryLockedError(LibraryError):
    """Another process holds the library; the message says which one and what to do."""


class AnalyserError(SonovecError):
    """An analyser gave what does not fit its fields, or took too long: its columns stay empty."""


class TrainingError(SonovecError):
    """Training cannot go on: its numbers are not finite, or its state cannot be written. What it reached is kept."""


class Cancelled(SonovecError):
    """A job was cancelled: the call ended early, and what was complete by then stays."""
