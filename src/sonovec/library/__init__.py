"""Tracks in a vector store, with their ledger; search."""
