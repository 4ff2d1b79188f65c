"""Are the compiled parts there? Nothing works without them, and what misses one may be a process that nobody sees."""

from __future__ import annotations

import importlib.util
import platform
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Final

from filewatcher.errors import Refused

COMPILED: Final = (
    "spotfinding.native._kernel",
    "spotfinding.bitshuffle._blocks",
    "filewatcher.edges.swmr.index._entries",
)
"""The extensions of setup.py."""


def check_built() -> None:
    """Raise `Refused` if a compiled part is missing, or was compiled for another Python; imports none of them."""
    missing = [name for name in COMPILED if not _is_there(name)]
    if missing:
        raise Refused(
            f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing in {_folder('filewatcher').parent}: "
            f"compiled parts, which were not built for this Python {platform.python_version()}; "
            "run `pip install .` with it where the source is (or `make env` and use .venv)"
        )


def _is_there(name: str) -> bool:
    package, *rest = name.split(".")
    place = _folder(package).joinpath(*rest)
    return any(place.with_name(place.name + suffix).is_file() for suffix in EXTENSION_SUFFIXES)


def _folder(package: str) -> Path:
    """Where a package is; it is not imported."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise Refused(f"the package {package} is missing beside filewatcher: run `pip install .` where the source is")
    return Path(spec.submodule_search_locations[0])
