"""``python -m filewatcher`` is the command ``filewatcher``."""

from filewatcher.cli import main

main()
