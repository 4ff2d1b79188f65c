"""What a reader does to the writer: the same recording with nobody, with us, with a reader written the usual way.

The three take turns within one run, each round in another order, so that a machine that gets slower hurts all alike.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import uvloop
from cost import TIMEOUTS, folders
from crew import UsualReader, Writers, prepare
from figures import ratio, spread
from odin_writer import Notes
from watching import Quiet, watch

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from odin_writer import Recording

READERS = ("nobody", "filewatcher", "usual")


def record(recording: Recording, reader: str) -> tuple[NDArray[np.float64], NDArray[np.float64], list[str], int | None]:
    """Record once; returns seconds per flush, seconds per creation, failures, frames that the reader got."""
    with folders(recording) as (one, notes):
        prepare(one, notes)
        with Writers(one, notes) as writers:
            got: int | None = 0
            if reader == "filewatcher":
                got = uvloop.run(watch(one.master, one.frames, Quiet(writers.start), TIMEOUTS)).announced
                writers.join()
            elif reader == "usual":
                with UsualReader(one) as usual:
                    writers.start()
                    writers.join()
                got = usual.frames
            else:
                writers.start()
                writers.join()
        written = Notes(notes)
        return written.flushes(), written.creations(), writers.failures, got


def flushes(recording: Recording, rounds: int) -> dict[str, Any]:
    """Flush times of a recording, interleaved over `rounds`."""
    took: dict[str, list[NDArray[np.float64]]] = {reader: [] for reader in READERS}
    read: dict[str, list[int | None]] = {reader: [] for reader in READERS}
    failed: Counter[str] = Counter()
    for number in range(rounds):
        for reader in _turn(number):
            seconds, _, failures, got = record(recording, reader)
            took[reader].append(seconds)
            read[reader].append(got)
            failed[reader] += len(failures)
    figures: dict[str, Any] = {"rounds": rounds, "frames": recording.frames, "rate-hz": recording.rate}
    figures["writers"] = recording.writers
    medians = {r: [float(np.median(s)) for s in took[r]] for r in READERS}
    tails = {r: [float(np.percentile(s, 99)) for s in took[r]] for r in READERS}
    for reader in READERS:
        one = {"flush-us": spread(np.concatenate(took[reader]), 1e6), "failed-creations": failed[reader]}
        if reader != "nobody":
            one["median-by-alone"] = ratio(medians[reader], medians["nobody"])
            one["p99-by-alone"] = ratio(tails[reader], tails["nobody"])
            one["frames-read"] = read[reader]
        figures[reader] = one
    return figures


def creations(recording: Recording, rounds: int) -> dict[str, Any]:
    """Files created one right after the other, each with one frame; `rounds` times with each reader."""
    took: dict[str, list[NDArray[np.float64]]] = {reader: [] for reader in READERS}
    failed: dict[str, list[str]] = {reader: [] for reader in READERS}
    for number in range(rounds):
        for reader in _turn(number):
            _, seconds, failures, _ = record(recording, reader)
            took[reader].append(seconds)
            failed[reader] += failures
    medians = {r: [float(np.median(s)) for s in took[r]] for r in READERS}
    figures: dict[str, Any] = {"rounds": rounds, "files": rounds * recording.blocks}
    for reader in READERS:
        figures[reader] = {
            "create-us": spread(np.concatenate(took[reader]), 1e6),
            "failed": len(failed[reader]),
            "why": Counter(failed[reader]).most_common(1)[0][0] if failed[reader] else "",
        }
        if reader != "nobody":
            figures[reader]["median-by-alone"] = ratio(medians[reader], medians["nobody"])
    return figures


def _turn(number: int) -> tuple[str, ...]:
    first = number % len(READERS)
    return READERS[first:] + READERS[:first]
