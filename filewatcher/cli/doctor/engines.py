"""What analyses frames on this machine: the native engine, DIALS, the filters that detectors compress with."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

from filewatcher.cli.doctor.findings import note, ok, wrong
from spotfinding.engines import native_problem
from spotfinding.installed import DialsAbsent, DialsBroken, installed_dials

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from filewatcher.cli.doctor.findings import Asked, Finding

SHAPE = (64, 1024)
IMAGE = np.random.default_rng(1).poisson(1.0, SHAPE).astype("<u2")


def check_native(_: Asked) -> Iterator[Finding]:
    """The compiled engine, and which instructions of this processor it uses."""
    if problem := native_problem():
        yield wrong("native", problem)
        return
    from spotfinding.native import instruction_sets  # noqa: PLC0415  compiled: it may not be there

    fastest = instruction_sets()[-1]
    words = f"filewatcher {version('filewatcher')}, with {fastest} instructions"
    if fastest == "scalar":
        yield note("native", f"{words}: this processor has no AVX2, which makes it several times slower")
    else:
        yield ok("native", words)


def check_dials(_: Asked) -> Iterator[Finding]:
    """The installed DIALS, which decides by which rules the native engine works, too."""
    try:
        rules = installed_dials()
    except DialsAbsent as error:
        without = "the native engine follows the rules of the newest DIALS, --verify cannot be had"
        yield note("DIALS", f"none: {without}; {error}")
    except DialsBroken as error:
        yield wrong("DIALS", str(error))
    else:
        yield ok("DIALS", rules.version)


def check_filters(_: Asked) -> Iterator[Finding]:
    """Every filter that detectors use, there and back: compressed by HDF5, undone by us."""
    try:
        import h5py  # noqa: PLC0415  a broken installation is a finding
        import hdf5plugin  # noqa: PLC0415

        ways: dict[str, Mapping[str, object]] = {
            "bitshuffle+LZ4": hdf5plugin.Bitshuffle(),
            "bitshuffle+Zstd": hdf5plugin.Bitshuffle(cname="zstd"),
            "LZ4": hdf5plugin.LZ4(),
            "gzip": {"compression": "gzip", "shuffle": True},
        }
        bad = [name for name, way in ways.items() if not _there_and_back(way)]
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        way_out = "install h5py, hdf5plugin and dectris-compression anew, and unset HDF5_PLUGIN_PATH"
        yield wrong("filters", f"{error}: {way_out}")
        return
    from spotfinding import bitshuffle  # noqa: PLC0415  compiled

    versions = f"HDF5 {h5py.version.hdf5_version}, hdf5plugin {hdf5plugin.version}"
    if bad:
        yield wrong("filters", f"{', '.join(bad)} come out wrong with {versions}: install hdf5plugin anew")
    elif bitshuffle.LZ4 is None:
        yield note("filters", f"{', '.join(ways)}; {versions}; slower, for no liblz4 is found: install liblz4-1")
    else:
        yield ok("filters", f"{', '.join(ways)}; {versions}")


def _there_and_back(way: Mapping[str, object]) -> bool:
    """Whether an image that HDF5 has compressed is the same when a worker has undone it."""
    import h5py  # noqa: PLC0415  a broken installation is a finding

    from spotfinding.chunks import Decoder, Layout  # noqa: PLC0415  needs dectris-compression

    with h5py.File("doctor", "w", driver="core", backing_store=False) as file:
        images = file.create_dataset("images", data=IMAGE[None], chunks=(1, *SHAPE), **way)
        pipeline = images.id.get_create_plist()
        filters = [pipeline.get_filter(i) for i in range(pipeline.get_nfilters())]
        _, data = images.id.read_direct_chunk((0, 0, 0))
    layout = Layout(SHAPE, IMAGE.dtype.str, tuple((number, tuple(options)) for number, _, options, _ in filters))
    return bool(np.array_equal(Decoder(layout).decode(data), IMAGE))
