"""``python -m sonovec`` is the command ``sonovec``."""

from sonovec.cli.start import main

main()
