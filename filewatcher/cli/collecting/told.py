"""A centre in words for people: images, rows and columns count from 1, places from the top left corner."""

from __future__ import annotations

from typing import TYPE_CHECKING

from filewatcher.core.report import ESTIMATED, UNITS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from filewatcher.core.centring import Centring, Centring3D, Crystal, Seen


def told_2d(found: Centring) -> Iterator[str]:
    """Lines about one grid scan."""
    if not found.crystals:
        yield _line("centre", f"none: {found.message}")
    else:
        yield from _best(found)
        if len(found.crystals) > 1:
            yield _line("others", f"{found.n_regions - 1} more, by signal")
            yield from (_line("", _other(crystal)) for crystal in found.crystals[1:])
    yield _line("seen", _seen(found.seen))
    yield _line("unknown", _doubt(found))
    yield _line("method", f"{found.method} on {found.metric}, {_thresholds(found)}")


def told_3d(found: Centring3D) -> Iterator[str]:
    """Lines about a pair of grid scans."""
    if not found.crystals:
        yield _line("centre", "none: no diffraction")
    for number, crystal in enumerate(found.crystals, 1):
        x, y, z = crystal.centre_of_mass
        size = " x ".join(str(stop - start) for start, stop in zip(*crystal.bounding_box, strict=True))
        sample = "" if crystal.sample_id is None else f", sample {crystal.sample_id}"
        yield _line(
            "centre" if number == 1 else "",
            f"x {x:.2f}, y {y:.2f}, z {z:.2f} cells: {crystal.n_voxels} voxels in {size}, "
            f"signal {crystal.total_count:g}{sample}",
        )
    yield _line("seen", "; ".join(_seen(seen) for seen in found.seen))
    known = all(seen.known == seen.cells for seen in found.seen)
    yield _line("unknown", "none" if known else "cannot change this" if found.settled else "could change this")
    yield _line("method", f"dlstbx on {found.metric}, {_thresholds(found)}")


def _best(found: Centring) -> Iterator[str]:
    best = found.crystals[0]
    yield _line("centre", f"x {best.centre[0]:.2f}, y {best.centre[1]:.2f} cells{_off(best.uncertainty, '.2f')}")
    if (place := found.place_mm(best)) is not None:
        yield _line("", f"x {place[0]:.4f}, y {place[1]:.4f} mm{_off(found.uncertainty_um(best), '.1f', ' um')}")
    if (pixel := found.pixel()) is not None:
        yield _line("", f"x {pixel[0]:.1f}, y {pixel[1]:.1f} px in the snapshot")
    column, row = best.peak
    digits = ".2f" if found.metric in ESTIMATED else "g"
    value = f"{found.metric} {best.peak_value:{digits}} {UNITS.get(found.metric, '')}".rstrip()
    yield _line("peak", f"{value} on image {best.image}, row {row + 1}, column {column + 1}")
    if found.best_image != best.image and found.best_image is not None:
        yield _line("", f"image {found.best_image} is the best of the whole scan")
    size = found.size_um(best)
    wide = "" if size is None else f", {size[0]:.0f} x {size[1]:.0f} um"
    sample = "" if found.sample_id is None else f", sample {found.sample_id}"
    yield _line("crystal", f"{best.n_cells} cells{wide}, signal {best.total:g}{sample}")


def _other(crystal: Crystal) -> str:
    x, y = crystal.centre
    return f"x {x:.2f}, y {y:.2f} cells: {crystal.n_cells} cells, signal {crystal.total:g}, best image {crystal.image}"


def _doubt(found: Centring) -> str:
    if found.seen.known == found.seen.cells:
        return "none"
    if found.doubt.settled:
        return "cells cannot change this (if none is stronger than the strongest known one)"
    if found.doubt.rival or found.doubt.reach is None:
        return "cells could hold a better crystal"
    (x0, y0), (x1, y1) = found.doubt.reach
    return f"cells could move the centre: x {x0:.2f} to {x1:.2f}, y {y0:.2f} to {y1:.2f}"


def _seen(seen: Seen) -> str:
    return f"{seen.known} of {seen.cells} cells ({100 * seen.coverage:.3g} %)"


def _thresholds(found: Centring | Centring3D) -> str:
    return f"thresholds {found.threshold:g} of the strongest, {found.threshold_absolute:g} absolute"


def _off(deviation: tuple[float, float] | None, digits: str, unit: str = "") -> str:
    return "" if deviation is None else f" (+- {deviation[0]:{digits}}, {deviation[1]:{digits}}{unit})"


def _line(name: str, words: str) -> str:
    return f"{name:<8} {words}".rstrip()
