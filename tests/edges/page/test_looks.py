"""What a cell without a value looks like is no colour of the scale, and each state has a sign of its own."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps

from tests.vision import VISION, seen

if TYPE_CHECKING:
    from collections.abc import Callable

    from filewatcher.testing.viewer import Viewer

JUST_NOTICEABLE = 2.3
LOOKS = "async () => { const { LOOKS, SIGNS } = await import('/static/states.js'); return [LOOKS, SIGNS]; }"
TABLE = "async () => (await import('/static/viridis.js')).VIRIDIS"


def test_no_look_is_a_colour_of_the_scale_to_anyone(viewer: Callable[..., Viewer]) -> None:
    looks, signs = viewer().open().ask(LOOKS)
    scale = colormaps["viridis"](np.arange(256))[:, :3]
    for vision, (theme, faces) in itertools.product(VISION, looks.items()):
        for state, look in faces.items():
            away = np.linalg.norm(seen(scale, vision) - seen(np.array(look["face"]) / 255, vision), axis=1).min()
            assert away > 4 * JUST_NOTICEABLE, (vision, theme, state, away)
    assert len({str(sign) for sign in signs.values()}) == len(signs)


def test_the_scale_is_viridis(viewer: Callable[..., Viewer]) -> None:
    assert viewer().open().ask(TABLE) == colormaps["viridis"](np.arange(256), bytes=True)[:, :3].tolist()
