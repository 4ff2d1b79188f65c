"""What the installed DIALS is, and how it behaves where its versions differ; as a program, it prints that as JSON."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from dials.algorithms.image.threshold import DispersionExtendedThreshold
from dials.array_family import flex
from dials.util.version import dials_version
from dxtbx.model import Detector

from spotfinding.installed import DialsRules


@cache
def measure() -> DialsRules:
    """Measure the installed DIALS: its version alone does not tell, packagers mix DIALS and dxtbx."""
    return DialsRules(_version(), _masked_pixels_erode(), _trusted_range())


def _version() -> str:
    """DIALS and dxtbx with their versions."""
    try:
        dxtbx = version("dxtbx")
    except PackageNotFoundError:  # built from source without installing it
        dxtbx = "of unknown version"
    return f"{dials_version()}, dxtbx {dxtbx}"


def _masked_pixels_erode() -> bool:
    """Find out whether a bright pixel next to a masked one vanishes."""
    size, peak = 21, (10, 10)
    image = flex.double(flex.grid(size, size), 1)
    image[peak] = 100
    valid = flex.bool(image.accessor(), True)
    valid[10, 11] = False
    strong = flex.bool(image.accessor(), False)
    DispersionExtendedThreshold(image.all(), (3, 3), 6, 3, 0, 2)(image, valid, strong)
    return not strong[peak]


def _trusted_range() -> str:
    """Find out whether the upper limit itself is trusted."""
    panel = Detector().add_panel()
    panel.set_image_size((1, 1))
    panel.set_trusted_range((0, 10))
    trusted = panel.get_trusted_range_mask(flex.int(flex.grid(1, 1), 10))
    return "inclusive" if trusted[0] else "exclusive"


if __name__ == "__main__":
    sys.stdout.write(f"\n{json.dumps(asdict(measure()))}\n")
