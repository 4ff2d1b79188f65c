"""What watching has cost, in words and for the summary."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filewatcher.edges.swmr import Budget, Effort


def effort_times(effort: Effort, budget: Budget) -> dict[str, float]:
    """Return what goes among the ``times`` of a summary.

    >>> from filewatcher.edges.swmr import Budget, Effort
    >>> times = effort_times(Effort(cpu=0.5, seconds=20.0, looks=2500, longest_gap=0.0187), Budget(0.2))
    >>> times["watch_share"], times["watch_looks"], times["watch_longest_gap_s"], times["watch_slow_files"]
    (0.025, 2500, 0.019, 0)
    """
    return {
        "watch_share": round(effort.share, 4),
        "watch_share_limit": budget.share,
        "watch_looks": effort.looks,
        "watch_longest_gap_s": round(effort.longest_gap, 3),
        "watch_slow_files": effort.slow_files,
    }


def effort_sentence(effort: Effort, budget: Budget) -> str:
    """Return the same for people.

    >>> from filewatcher.edges.swmr import Budget, Effort
    >>> effort_sentence(Effort(cpu=0.5, seconds=20.0, looks=2500, longest_gap=0.0187), Budget(0.2))
    'watching took 2.5 % of a core (limit 20 %): 2500 looks, at most 19 ms apart while frames came'
    >>> effort_sentence(Effort(slow_files=3), Budget(0.2)).rpartition("; ")[2]
    'libhdf5 had to read the chunk index of 3 files'
    """
    return (
        f"watching took {100 * effort.share:.1f} % of a core (limit {100 * budget.share:g} %): {effort.looks} looks, "
        f"at most {1000 * effort.longest_gap:.0f} ms apart while frames came"
        + (f"; libhdf5 had to read the chunk index of {effort.slow_files} files" if effort.slow_files else "")
    )
