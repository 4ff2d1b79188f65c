"""One image on the page: drawn where the pixels are, with the spots of the engine."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from spotfinding.analysis import Analysis
from spotfinding.detector import Detector
from spotfinding.imageview import notes, picture
from spotfinding.parameters import Parameters
from tests.edges.page import scans

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from filewatcher.testing.pageserver import PageServer
    from filewatcher.testing.viewer import Viewer

SHAPE = (1062, 1028)


def real_images() -> tuple[Callable[[int, float | None], bytes], Callable[[int], dict[str, Any]]]:
    """Images of a detector with gaps, spots and one overloaded pixel, shown as a worker would."""
    mask = np.zeros(SHAPE, bool)
    mask[512:550] = True
    detector = Detector(
        SHAPE, (0.075, 0.075), (1, 0, 0), (0, -1, 0), (-38.0, 39.0, -120.0), 0.9763, thickness=0.45, material="Si",
        trusted_range=(0, 50000), name="EIGER2 1M", mask=packed(mask),
    )  # fmt: skip
    analysis = Analysis(detector, Parameters(), "native")

    def pixels(frame: int) -> NDArray[np.uint16]:
        random = np.random.default_rng(frame)
        image = random.poisson(1.0, SHAPE).astype(np.uint16)
        for x, y in random.integers(20, 1000, (80, 2)):
            image[y : y + 3, x : x + 3] += random.integers(20, 400, dtype=np.uint16)
        image[mask] = 65535
        return image

    return (lambda frame, black: picture(analysis, pixels(frame), black)), (
        lambda frame: notes(analysis, pixels(frame))
    )


def packed(mask: NDArray[np.bool_]) -> bytes:
    return zlib.compress(np.packbits(mask).tobytes())


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_image_is_shown_with_its_spots(
    server: PageServer, viewer: Callable[..., Viewer], screenshots: Path, scheme: str
) -> None:
    words = scans.scan(30, 8)
    told = server.add("grid", [words])
    told.images, told.notes = real_images()
    scans.record(server, "grid", scans.numbers(scans.grid_of(words["grid"])), range(240))
    page = viewer(scheme=scheme).open("grid", "?image=100").drawn(240)
    page.until("() => __grid.image.image && __grid.image.notes")
    assert page.ask("() => [__grid.image.image.width, __grid.image.image.height]") == [SHAPE[1], SHAPE[0]]
    assert page.ask("() => __grid.image.notes.spots.length") == len(told.notes(99)["spots"]) > 50
    page.picture(screenshots / f"image-beside-{scheme}.png")
    page.page.keyboard.press("Enter")
    page.page.keyboard.press("+")
    page.until("() => __grid.image.canvas.width > 900")
    page.page.click("text=header")
    page.page.wait_for_selector("td:has-text('EIGER2 1M')")
    page.page.click("text=header")
    page.page.wait_for_load_state("networkidle")
    page.picture(screenshots / f"image-large-{scheme}.png")
    page.page.keyboard.press("Escape")
    page.page.keyboard.press("Escape")
    page.until("() => __grid.settings.selected === null && document.querySelector('.image').hidden")
