"""The checks, in the order in which they are made; a new one is a function and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from filewatcher.cli.doctor.clock import check_clock
from filewatcher.cli.doctor.cluster import check_network, check_profile, check_slurm, check_workers
from filewatcher.cli.doctor.engines import check_dials, check_filters, check_native
from filewatcher.cli.doctor.folders import check_data, check_output, check_state
from filewatcher.cli.doctor.ispyb import check_ispyb
from filewatcher.cli.doctor.zocalo import check_zocalo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from filewatcher.cli.doctor.findings import Asked, Check, Finding

CHECKS: tuple[Check, ...] = (
    check_state,
    check_output,
    check_data,
    check_native,
    check_dials,
    check_filters,
    check_clock,
    check_ispyb,
    check_zocalo,
    check_profile,
    check_network,
    check_slurm,
    check_workers,
)
"""What a check needs comes before it: `Asked.so_far` has what was found until then."""


def examine(asked: Asked) -> Iterator[Finding]:
    """Make every check; yields each finding when it is made."""
    for check in CHECKS:
        for finding in check(asked):
            asked.so_far.append(finding)
            yield finding
