"""Figures in words: how every bench is asked and ends, and those of `watch` as lines for a terminal and as a page."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

Figures = dict[str, Any]
"""As `watch` prints them with --json."""

INTRODUCTION = """\
Written by ``benchmarks/watch.py`` from its own figures; repeat it with ``make bench``. A writer like Odin's (SWMR, one
chunk per frame, flushed after every frame) records in processes of its own, and the watcher runs as in the product."""

LATE = """\
*Late*: from the return of the writer's flush to the announcement by ``ScanWatch``. *CPU*: of the child that reads HDF5
and of its parent together. *Growth*: CPU per frame in the last tenth of the frames by that in the first. *Others*:
cores of this machine that other machines on its host took meanwhile (steal); where lateness or the share of a core is
promised and they took more than 0.05, it was recorded again, four times in all at most, and the run that they left
alone most is the one here."""


def sentence(figures: Figures) -> str:
    """One recording in one line."""
    late = figures["latency-ms"]
    return (
        f"{figures['name']}: {figures['announced']} of {figures['frames']} frames at {figures['reached-hz']:g} Hz, "
        f"visible -> announced p50 {late['p50']:.1f} p99 {late['p99']:.1f} max {late['max']:.1f} ms, "
        f"the first one {figures['first-ms']} ms, "
        f"CPU per frame {figures.get('child-us')} us child + {figures.get('parent-us')} us parent, "
        f"x{figures.get('growth')} from first to last tenth, {100 * figures.get('share-of-core', 0):.1f} % of a core, "
        f"while others on the host took {figures['stolen-cores']:.2f} cores of this machine"
        f"{f', the least of {runs} runs' if (runs := figures['runs']) > 1 else ''}"
    )


def verdict(target: Figures) -> str:
    """One target in one line."""
    word = "met   " if target["met"] else "MISSED"
    value, limit = number(target["value"]), number(target["limit"])
    return f"{word} {target['case']}: {target['what']} {value} (target {limit})"


def say(line: str) -> None:
    """Tell people, as soon as it is known: standard output is for figures."""
    print(line, file=sys.stderr, flush=True)


def options(description: str | None, *, quick: str) -> argparse.ArgumentParser:
    """What every bench can be asked for, as `conclude` needs it; `quick`: what --quick does."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--json", action="store_true", help="print all figures as one object, the last line")
    parser.add_argument("--check", action="store_true", help="end with exit code 1 if a target is missed")
    return parser


def conclude(result: Figures, wanted: argparse.Namespace) -> int:
    """End a bench: say which targets are met, print all figures (--json); returns the exit code (--check)."""
    for one in result["targets"]:
        say(verdict(one))
    if wanted.json:
        print(json.dumps(result))
    return 1 if wanted.check and not all(one["met"] for one in result["targets"]) else 0


def harm_sentences(result: Figures) -> list[str]:
    """What readers do to the writer, a line each."""
    lines = []
    for reader in ("nobody", "filewatcher", "usual"):
        flush, files = result["flushes"][reader], result["creations"][reader]
        lines.append(
            f"writer with {reader}: flush p50 {flush['flush-us']['p50']:.1f} p99 {flush['flush-us']['p99']:.1f} us"
            f"{_ratio(flush)}; create p50 {files['create-us']['p50']:.0f} us{_ratio(files)}, "
            f"{files['failed']} of {result['creations']['files']} creations failed"
        )
    return lines


def _ratio(figures: Figures) -> str:
    if "median-by-alone" not in figures:
        return ""
    of = figures["median-by-alone"]
    return f" (median x{of['median']:.3f} of alone, {of['min']:.3f} to {of['max']:.3f} over the rounds)"


def page(result: Figures) -> str:
    """The page ``docs/reference/benchmarks-watch.rst``, whole."""
    parts = [title("The watcher, measured"), INTRODUCTION, _where(result), result.get("note", "")]
    if result["watch"]:
        parts += [
            title("How late, at what cost", "-"),
            LATE,
            _watch_table(result["watch"]),
            _compared(result["watch"]),
        ]
    if "many" in result:
        parts.append(_many(result["many"]))
    if "system-calls" in result:
        parts.append(_calls(result["system-calls"]))
    if "flushes" in result:
        parts += [title("What a reader does to the writer", "-"), _rounds(result), _harm_table(result)]
        parts.append(_why(result["creations"]))
    parts += [title("Targets", "-"), _targets(result["targets"])]
    return "\n\n".join(part for part in parts if part) + "\n"


def _where(result: Figures) -> str:
    on = result["machine"]
    return (
        f"Measured {'quickly (--quick) ' if result['quick'] else ''}on {on['cpu']}, {on['cores']} cores, files on "
        f"{on['file-system']}, Linux {on['kernel']}, Python {on['python']}, h5py {on['h5py']} with HDF5 {on['hdf5']}; "
        f"load average before the start {on['load-before']}. filewatcher is at commit {on['commit']}. Writers, watcher "
        "and bench share these cores."
    )


def _calls(calls: Figures) -> str:
    return f"System calls of the child per poll at 1 kHz ({calls['by']}): {number(calls['per-poll'])}."


def _many(many: Figures) -> str:
    late = many["latency-ms"]
    return (
        f"{many['collections']} collections with {many['files']} files at once, watched by one process: "
        f"{many['announced']} of {many['frames']} frames announced, "
        f"late p50 {late['p50']:.1f} p99 {late['p99']:.1f} max {late['max']:.1f} ms; "
        f"the readers together took {100 * many['share-of-core']:.1f} % of a core "
        f"(limit {100 * many['share-limit']:g} %) for {many['looks']} looks, "
        f"at most {many['longest-gap-ms']:g} ms apart while frames came."
    )


def _rounds(result: Figures) -> str:
    flushes = result["flushes"]
    return (
        f"Flush: one recording of {flushes['frames']} frames at {number(flushes['rate-hz'])} Hz (writers: "
        f"{flushes['writers']}), {flushes['rounds']} rounds with each reader in turn. Create: "
        f"{result['creations']['files']} files with each reader, one right after the other. *Usual* is a reader with "
        "HDF5's default file locks that opens a file as soon as it exists and refreshes for every frame. Ratios are "
        "medians over the rounds, with the smallest and the largest."
    )


def _targets(targets: Sequence[Figures]) -> str:
    rows = [
        (t["case"], t["what"], number(t["value"]), number(t["limit"]), "met" if t["met"] else "**missed**")
        for t in targets
    ]
    return table(("recording", "what", "value", "target", ""), rows)


def _watch_table(watched: Sequence[Figures]) -> str:
    rows = []
    for one in watched:
        late = one["latency-ms"]
        rows.append((
            one["name"], f"{one['frames']} / {one['files']}", number(one["reached-hz"]),
            *(f"{late[key]:.1f}" for key in ("p50", "p99", "max")),
            number(one.get("child-us", 0) + one.get("parent-us", 0)), number(one.get("growth", 0)),
            f"{100 * one.get('share-of-core', 0):.1f} %",
            number(one["stolen-cores"]),
        ))  # fmt: skip
    heads = ("recording", "frames / files", "Hz", "late p50, ms", "p99", "max", "CPU per frame, us", "growth", "core")
    return table((*heads, "others, cores"), rows)


def _compared(watched: Sequence[Figures]) -> str:
    read = sum(one.get("frames-compared", 0) for one in watched)
    wrong = sum(len(one.get("wrong-bytes", ())) for one in watched)
    return f"{read} frames were read the moment they were announced and compared with what was written: {wrong} wrong."


def _harm_table(result: Figures) -> str:
    rows = []
    for reader in ("nobody", "filewatcher", "usual"):
        flush, files = result["flushes"][reader], result["creations"][reader]
        rows.append((
            reader, f"{flush['flush-us']['p50']:.1f}", f"{flush['flush-us']['p99']:.1f}",
            _short(flush.get("median-by-alone")), _short(flush.get("p99-by-alone")),
            f"{files['create-us']['p50']:.0f}", f"{files['create-us']['p99']:.0f}",
            _short(files.get("median-by-alone")), f"{files['failed']}",
        ))  # fmt: skip
    heads = (
        "reader",
        "flush p50, us",
        "p99",
        "p50 / alone",
        "p99 / alone",
        "create p50, us",
        "p99",
        "/ alone",
        "failed",
    )
    return table(heads, rows)


def _short(of: dict[str, float] | None) -> str:
    return "" if of is None else f"{of['median']:.2f} ({of['min']:.2f}-{of['max']:.2f})"


def _why(creations: Figures) -> str:
    why = creations["usual"]["why"]
    return f"What the writer was told with the usual reader: *{why.replace('*', ' ')}*" if why else ""


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table, one list for each row."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in (heads, *rows):
        lines += [f"   {'* -' if i == 0 else '  -'} {cell}".rstrip() for i, cell in enumerate(row)]
    return "\n".join(lines)


def title(text: str, line: str = "=") -> str:
    """A title with its line."""
    return f"{text}\n{line * len(text)}"


def number(value: float) -> str:
    """A number with three digits, or all before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
