"""How the built-in encoder was made: ``python -m training training/full.yaml``; see README.md beside this file."""
