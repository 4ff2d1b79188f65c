"""How fast spots are found, and how much faster than by DIALS: ``python benchmarks/spotfinding.py --help``."""

import importlib
import sys
from pathlib import Path

# This script has the name of the package that it measures, so that is imported before the folder is searched.
here = sys.path.pop(0)
importlib.import_module("spotfinding.chunks")
sys.path[:0] = [str(Path(__file__).with_name("spots")), here]

if __name__ == "__main__":
    sys.exit(importlib.import_module("speed").main())
