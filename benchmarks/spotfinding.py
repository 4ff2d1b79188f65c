"""How fast spots are found, and how much faster than by DIALS: ``python benchmarks/spotfinding.py --help``."""

import importlib
import sys
from pathlib import Path

# This script has the name of the package that it measures. Whoever finds it in the package's place, because this folder
# is searched first, gets the package.
FOLDER = Path(__file__).resolve().parent
if __name__ == "spotfinding":
    del sys.modules["spotfinding"]
sys.path[:] = [folder for folder in sys.path if Path(folder).resolve() != FOLDER]
importlib.import_module("spotfinding")
sys.path[:0] = [str(FOLDER)]

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).with_name("spots"))]
    sys.exit(importlib.import_module("speed").main())
