"""``centre``: where the crystal is, from results that are stored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from filewatcher.cli.stored import read_input
from filewatcher.errors import Refused

if TYPE_CHECKING:
    from filewatcher.core.storedscans import StoredScans

Input = Annotated[
    Path,
    typer.Argument(
        metavar="INPUT", readable=False, help="The results.h5 of a run, or JSON; - is JSON on standard input."
    ),
]
Method = Annotated[str, typer.Option(help="weighted, or dlstbx: exactly as in production at Diamond.")]
Metric = Annotated[str, typer.Option(help="What tells a crystal: n_spots_total, total_intensity, estimated_d_min ...")]
Threshold = Annotated[
    float | None,
    typer.Option(help="Fraction of the strongest signal that a cell of a crystal has.", show_default="by method"),
]
ThresholdAbsolute = Annotated[
    float | None,
    typer.Option("--threshold-absolute", help="Signal that a cell of a crystal has.", show_default="by method"),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]


def centre(
    input_: Input,
    method: Method = "weighted",
    metric: Metric = "n_spots_total",
    threshold: Threshold = None,
    threshold_absolute: ThresholdAbsolute = None,
    as_json: AsJson = False,
) -> None:
    """Say where the crystal is: one grid scan in 2D, two at right angles in 3D."""
    from filewatcher.cli.collecting import told  # noqa: PLC0415  heavy: --help must not wait for it
    from filewatcher.core import centring  # noqa: PLC0415
    from filewatcher.core.lines import to_json  # noqa: PLC0415

    known = centring.checked_method(method)
    stored = _stored(input_, metric)
    how = {"threshold": threshold, "threshold_absolute": threshold_absolute}
    found: centring.Centring | centring.Centring3D
    match stored.pictures:
        case (picture,):
            found = centring.centre(picture, known, snapshot=stored.snapshot, samples=stored.samples, **how)
        case (first, second):
            found = centring.centre_pair(first, second, samples=stored.samples, **how)
        case _:
            raise Refused(f"{input_} has {len(stored.pictures)} scans: one is centred in 2D, two in 3D")
    if as_json:
        typer.echo(json.dumps(to_json(found.as_json()), allow_nan=False))
    elif isinstance(found, centring.Centring):
        typer.echo("\n".join(told.told_2d(found)))
    else:
        typer.echo("\n".join(told.told_3d(found)))


def _stored(path: Path, metric: str) -> StoredScans:
    from filewatcher.core.picture import checked_metric, picture_of  # noqa: PLC0415  heavy: as above
    from filewatcher.core.storedscans import StoredScans, parse_scans  # noqa: PLC0415
    from filewatcher.edges.output.stored import SIGNATURE, read_results  # noqa: PLC0415

    checked_metric(metric)
    content, name = read_input(path)
    if not content.startswith(SIGNATURE):
        return parse_scans(content, metric, name)
    reports = read_results(content, name)
    return StoredScans(tuple(picture_of(report, metric) for report in reports), reports[0].snapshot)
