"""Centring of one grid scan exactly as in production at Diamond (python-dlstbx), its quirks included.

Keep cells of at least half the maximum; of the connected regions, corners included, take the one with the most cells,
the first in raster order of equals; its centre is the plain mean of its cells.

Quirks, which others rely on: ``max_count`` and ``best_image`` are those of the whole scan and may lie in another
region than the centre; on a pin with several samples the well is looked up with y instead of x.

Production waits for every image. Where some are unknown, they are in no region here, and the answer says how much of
the grid it has seen.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from filewatcher.core.centring.answer import Centring, Crystal
from filewatcher.core.centring.doubt import doubt
from filewatcher.core.centring.regions import label
from filewatcher.core.centring.signal import signal

if TYPE_CHECKING:
    from filewatcher.core.centring.samples import Samples
    from filewatcher.core.gridinfo import Snapshot
    from filewatcher.core.picture import Picture

THRESHOLD = 0.5
"""Of the maximum."""


def centre_dlstbx(
    picture: Picture,
    threshold: float,
    threshold_absolute: float,
    snapshot: Snapshot | None = None,
    samples: Samples | None = None,
) -> Centring:
    """Find the centre of a picture; `centre` chooses defaults."""
    strength = signal(picture)
    strength = np.where(strength < threshold_absolute, 0.0, strength)
    blank = Centring.nothing_found(picture, "dlstbx", threshold, threshold_absolute, snapshot)
    strongest = strength.max()
    if strongest == 0.0:
        return blank
    kept = (strength >= threshold * strongest) & (strength > 0)
    labels = label(kept)
    sizes = np.bincount(labels.ravel())[1:]
    best = labels == np.argmax(sizes) + 1
    rows, columns = np.nonzero(best)
    peak = int(np.argmax(strength[rows, columns]))
    x, y = float(columns.sum() / len(columns)) + 0.5, float(rows.sum() / len(rows)) + 0.5
    cell = int(columns[peak]), int(rows[peak])
    brightest = np.argwhere(strength == strongest).T
    crystal = Crystal(
        centre=(x, y),
        peak=cell,
        peak_value=float(picture.values[cell[::-1]]),
        image=picture.grid.frame(cell[1], cell[0]) + 1,
        n_cells=len(rows),
        total=float(strength[best].sum()),
        bounding_box=((int(columns.min()), int(rows.min())), (int(columns.max()) + 1, int(rows.max()) + 1)),
    )
    return replace(
        blank,
        # every cell of a region counts the same
        doubt=doubt(kept.astype(float), ~picture.known, best, (x, y), 1.0),
        crystals=(crystal,),
        n_regions=len(sizes),
        region=np.column_stack([rows, columns]),
        best_image=int(picture.grid.frames(*brightest).min()) + 1,
        best_value=float(picture.values[tuple(brightest[:, 0])]),
        sample_id=samples.at(y) if samples else None,
    )
