"""The output folder: ``results.h5``, ``summary.json``, and ``heatmap.png`` or ``spots.png``.

Each file appears whole, under its name, or not at all.
"""

from filewatcher.edges.output.folder import write_all

__all__ = ["write_all"]
