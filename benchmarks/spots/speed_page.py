"""The figures of `speed` in words: lines for a terminal, a page for the documentation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from page import number, table, title

if TYPE_CHECKING:
    from collections.abc import Sequence

Figures = dict[str, Any]
"""As `speed` prints them with --json."""

STEPS = ("read", "decompress", "threshold", "both", "label", "statistics")

INTRODUCTION = """\
Written by ``benchmarks/spotfinding.py`` from its own figures; repeat it with ``make bench``. The same simulated frames
are analysed by real DIALS (``find_spots_server.work`` with ``d_max=40``) and by the engine ``native``, each in a warm
process of its own, in turns, on one core: from a file in the page cache to the nine statistics, which are compared."""

STEPS_TEXT = """\
Medians, measured one by one after the whole, with caches that are warm. Decompression and threshold are not done one
after the other but together (*both*), a few rows at a time, so that the image is never written to memory. *LZ4*: what
LZ4 alone costs, bits left where they are; *memcpy*: a copy of the image. Read and LZ4 together are the bound."""

TWO_TEXT = """\
In turns of a fraction of a second: a process alone on one core, then on the other, then one on each. The same work on
a part of a frame that fits into a core's own cache shares neither memory nor a larger cache; what it lacks to 2 is the
machine's: other work, or cores of a virtual machine that are threads of one real core or share it with a stranger. So
is what exceeds 2: the machine was slower while one was alone."""


def two_sentence(figures: Figures) -> str:
    """What a second process gives."""
    gain, cpu, control = figures["gain"], figures["gain-cpu"], figures["control"]
    return (
        f"one process {figures['one']:.1f} frames/s, two processes on two cores {figures['two']:.1f}: "
        f"by the clock x{gain['median']:.2f} ({gain['min']:.2f} to {gain['max']:.2f} over {figures['rounds']} rounds), "
        f"by their CPU time x{cpu['median']:.2f}; where the same work has all that it needs in a core's own cache, "
        f"x{control['median']:.2f} ({control['min']:.2f} to {control['max']:.2f})"
    )


def page(result: Figures) -> str:
    """The page ``docs/reference/benchmarks-spotfinding.rst``, whole."""
    parts = [
        title("Spot finding, measured"),
        INTRODUCTION,
        _where(result),
        title("How fast, how much faster than DIALS", "-"),
        _speed_table(result["frames"]),
        _equal(result["frames"]),
        title("Where the time goes", "-"),
        STEPS_TEXT,
        _steps_table(result["frames"]),
        _bound(result),
        title("Two processes on two cores", "-"),
        TWO_TEXT,
        two_sentence(result["two-processes"]).replace("one", "One", 1) + ".",
        title("Targets", "-"),
        _targets(result["targets"]),
    ]
    return "\n\n".join(parts) + "\n"


def _bound(result: Figures) -> str:
    reached, bound = result["ms_16m_uint16"], result["bound_ms"]
    return f"16M frames of 16 bits: bound {bound:.1f} ms, reached {reached:.1f} ms (x{reached / bound:.2f})."


def _where(result: Figures) -> str:
    on = result["machine"]
    return (
        f"Measured {'quickly (--quick) ' if result['quick'] else ''}on {on['cpu']}, {on['cores']} cores, Linux "
        f"{on['kernel']}, Python {on['python']}, {result['dials']}; load average before the start "
        f"{on['load-before']}. filewatcher is at commit {on['commit']}."
    )


def _name(frame: Figures) -> str:
    return f"{frame['model'].rpartition('-')[2].upper()} uint{frame['bits']} {frame['kind']}"


def _speed_table(frames: Sequence[Figures]) -> str:
    rows = []
    for one in frames:
        ms, pixels = one["ms"], one["shape"][0] * one["shape"][1]
        rows.append((
            _name(one), f"{one['stored-mb']:.1f}", str(one["n_spots_total"]), f"{ms['native']:.1f}",
            number(1000 / ms["native"]), f"{pixels / ms['native'] / 1e6:.2f}",
            number(ms["dials"]), f"{one['ratio']['median']:.1f}",
            number(ms["dials-malloc"]), f"{one['ratio-malloc']['median']:.1f}",
        ))  # fmt: skip
    heads = (
        "frame", "stored, MB", "spots", "ms", "frames/s/core", "Gpixel/s", "DIALS, ms", "ratio",
        "DIALS with malloc variables, ms", "ratio",
    )  # fmt: skip
    return table(heads, rows)


def _equal(frames: Sequence[Figures]) -> str:
    wrong = [f"{_name(one)} ({', '.join(one['unequal'])})" for one in frames if one["unequal"]]
    if not wrong:
        return f"All nine statistics equal DIALS's on all {len(frames)} frames."
    return f"**Statistics differ from DIALS's**: {'; '.join(wrong)}."


def _steps_table(frames: Sequence[Figures]) -> str:
    rows = [(_name(one), *(f"{one['steps'][step]:.2f}" for step in (*STEPS, "lz4", "memcpy"))) for one in frames]
    return table(("frame", *(f"{step}, ms" for step in STEPS), "LZ4 alone", "memcpy"), rows)


def _targets(targets: Sequence[Figures]) -> str:
    rows = [(t["what"], number(t["value"]), number(t["limit"]), "met" if t["met"] else "**missed**") for t in targets]
    return table(("what", "value", "target", ""), rows)
