"""``spots``: what was found on one image, for a person and for whoever draws it over the image."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from filewatcher.cli.collecting.placing import refuse_no_file
from filewatcher.cli.watch import Channel, Engine
from filewatcher.errors import Broken, Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from filewatcher.core.detector import Detector
    from filewatcher.core.lines import Json
    from filewatcher.core.messages import ChunkLayout
    from filewatcher.core.observations import Described, OnDisk
    from spotfinding.analysis import Analysis, Measured
    from spotfinding.parameters import Parameters

Master = Annotated[
    Path,
    typer.Argument(metavar="MASTER", readable=False, help="NeXus or DECTRIS master file; it may still be written."),
]
Words = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY=VALUE|FILE.phil", help="Spot finding parameters: d_max=40 ..."),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
Image = Annotated[int, typer.Option("--image", min=1, metavar="N", help="Which image, counted from 1.")]

NOT_THERE = 3
"""Exit code of an image that is not on disk yet or cannot be analysed: that of a collection with such frames."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the bytes of an image are."""

    path: str
    offset: int
    size: int
    filter_mask: int
    layout: ChunkLayout


def spots(
    master: Master,
    image: Image,
    words: Words = None,
    engine: Engine = "auto",
    as_json: AsJson = False,
    channel: Channel = None,
) -> None:
    """Find the spots of one image: centroid, bounding box, pixels, intensity, resolution."""
    master = master.absolute()
    refuse_no_file(master)
    # before h5py is imported anywhere in this process or its children
    os.environ["HDF5_USE_FILE_LOCKING"] = "FALSE"
    from spotfinding.chunks import Chunk, Layout  # noqa: PLC0415  heavy: --help must not wait for it
    from spotfinding.errors import AnalysisError  # noqa: PLC0415

    parameters = _parameters(words or [])
    detector, place = asyncio.run(_look(master, image, channel))
    if place is None:
        _not_there(f"image {image} of {master} is not on disk yet")
    filters = tuple((step.id, step.options) for step in place.layout.filters)
    analysis = _analysis(master, detector, parameters, engine)
    try:
        measured = analysis.spots(
            Chunk(place.path, place.offset, place.size, place.filter_mask),
            Layout(place.layout.shape, place.layout.dtype, filters),
        )
    except AnalysisError as error:
        _not_there(f"image {image} of {master} cannot be analysed: {error}")
    if as_json:
        typer.echo(json.dumps(_line(master, image, analysis, measured)))
    else:
        _show(image, analysis, measured)


def _not_there(sentence: str) -> NoReturn:
    typer.echo(f"filewatcher: {sentence}", err=True)
    raise typer.Exit(NOT_THERE)


async def _look(master: Path, image: int, channel: str | None) -> tuple[Detector, Place | None]:
    """Read geometry and mask, and find the bytes of an image; None = they are not on disk. Raises `Refused`."""
    from filewatcher.core.observations import Described, DetectorRead, OnDisk, Writers  # noqa: PLC0415
    from filewatcher.edges.swmr import SwmrObserver  # noqa: PLC0415

    detector: Detector | None = None
    described: Described | None = None
    place: Place | None = None
    scanned = False
    async with SwmrObserver(master, wait=False, channel=channel) as observer:
        while detector is None or not (scanned or place):
            for news in await observer.observe():
                match news:
                    case Described():
                        described = news
                        _check(news, image)
                    case DetectorRead():
                        detector = news.detector
                    case OnDisk() if described is not None:
                        place = _place(described, news, image) or place
                    case Writers():
                        scanned = scanned or news.full_scan
    return detector, place


def _check(described: Described, image: int) -> None:
    frames = len(described.frame_map)
    if image > frames:
        raise Refused(f"--image {image}: {described.master.path} has images 1 to {frames}")


def _place(described: Described, news: OnDisk, image: int) -> Place | None:
    """Where an image is, if it is among those that were just seen."""
    frame_map = described.frame_map
    if frame_map.file[image - 1] != news.file:
        return None
    for chunk in news.chunks:
        if chunk.row == frame_map.row[image - 1]:
            return Place(frame_map.files[news.file].path, chunk.offset, chunk.size, chunk.filter_mask, news.layout)
    return None


def _parameters(words: Sequence[str]) -> Parameters:
    from spotfinding.parameters import ParameterError, Parameters  # noqa: PLC0415

    try:
        return Parameters.parse(words)
    except ParameterError as error:
        raise Refused(str(error)) from error


def _analysis(master: Path, detector: Detector, parameters: Parameters, engine: str) -> Analysis:
    from spotfinding.analysis import Analysis  # noqa: PLC0415
    from spotfinding.detector import Detector as EngineDetector  # noqa: PLC0415
    from spotfinding.errors import AnalysisError  # noqa: PLC0415
    from spotfinding.parameters import ParameterError  # noqa: PLC0415

    try:
        return Analysis(EngineDetector(**asdict(detector)), parameters, engine)
    except ParameterError as error:
        raise Refused(str(error)) from error
    except AnalysisError as error:
        raise Broken(f"the geometry of {master} cannot be used: {error}") from error


def _line(master: Path, image: int, analysis: Analysis, measured: Measured) -> dict[str, Json]:
    found = measured.spots
    columns = (found.x, found.y, found.bounding_box, found.n_pixels, found.intensity, measured.d)
    return {
        "type": "spots",
        "master": str(master),
        "scan": 0,
        "frame": image - 1,
        "file-number": image,
        "shape": list(analysis.detector.shape),
        "engine": analysis.engine_name,
        "parameters": analysis.parameters.as_json(),
        "n_strong_pixels": found.n_strong_pixels,
        "spots": [
            dict(zip(("x", "y", "box", "pixels", "intensity", "d"), one, strict=True))
            for one in zip(*(column.tolist() for column in columns), strict=True)
        ],
    }


def _show(image: int, analysis: Analysis, measured: Measured) -> None:
    """Print a table, the strongest spots on top."""
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    found, d = measured.spots, measured.d
    title = f"image {image}: {len(found)} spots, {found.n_strong_pixels} strong pixels, engine {analysis.engine_name}"
    table = Table("fast (px)", "slow (px)", "pixels", "counts", "d (\u00c5)", "box: fast, slow (px)", title=title)
    for column in table.columns[:5]:
        column.justify = "right"
    for i in (-found.intensity).argsort(kind="stable"):
        x0, x1, y0, y1 = found.bounding_box[i]
        table.add_row(
            f"{found.x[i]:.2f}", f"{found.y[i]:.2f}", f"{found.n_pixels[i]}", f"{found.intensity[i]:g}", f"{d[i]:.2f}",
            f"{x0}-{x1 - 1}, {y0}-{y1 - 1}",
        )  # fmt: skip
    Console(highlight=False).print(table)
