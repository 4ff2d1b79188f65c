"""``export``: stored results as CSV, or as the JSON lines of ``watch --json``."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from filewatcher.cli.stored import read_input
from filewatcher.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from filewatcher.core.report import ScanReport

Results = Annotated[Path, typer.Argument(metavar="RESULTS.h5", readable=False, help="The results.h5 of a run.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="One row per frame, a column per key of the JSON lines.")]
AsJson = Annotated[bool, typer.Option("--json", help="The lines of watch --json: frames, then a summary per scan.")]


def export(results: Results, as_csv: AsCsv = False, as_json: AsJson = False) -> None:
    """Write stored results to standard output in a form that others read."""
    if as_csv == as_json:
        raise Refused("export: choose one of --csv and --json")
    from filewatcher.edges.output.stored import read_results  # noqa: PLC0415  heavy: --help must not wait for it

    reports = read_results(*read_input(results))
    if as_csv:
        _write_csv(reports)
    else:
        _write_lines(reports)


def _write_csv(reports: Iterable[ScanReport]) -> None:
    from filewatcher.core.lines import FRAME_KEYS, report_lines  # noqa: PLC0415  heavy: as above

    rows = csv.writer(sys.stdout, lineterminator="\n")
    rows.writerow(FRAME_KEYS)
    for report in reports:
        for line in report_lines(report):
            rows.writerow(["" if line[key] is None else line[key] for key in FRAME_KEYS])


def _write_lines(reports: Iterable[ScanReport]) -> None:
    from filewatcher.core.lines import report_lines, summary_line  # noqa: PLC0415  heavy: as above

    for report in reports:
        for line in (*report_lines(report), summary_line(report)):
            sys.stdout.write(json.dumps(line, allow_nan=False) + "\n")
