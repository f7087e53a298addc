"""``python -m sonovec`` is the command ``sonovec``."""

from sonovec.cli.main import main

main()
