"""One look at a master and its data files, with libhdf5: the child's part of `inspect_master`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from filewatcher.core.observations import Described, DetectorRead, OnDisk, Writers
from filewatcher.edges.swmr.images import find_images
from filewatcher.edges.swmr.inspection import InspectedFile, Inspection, filter_names
from filewatcher.edges.swmr.reader import MasterReader
from filewatcher.edges.swmr.request import Request
from filewatcher.edges.swmr.tree import Tree
from filewatcher.errors import Broken
from filewatcher.mounts import file_system

if TYPE_CHECKING:
    from collections.abc import Sequence

    from filewatcher.core.messages import ChunkLayout
    from filewatcher.core.observations import Observation

STEPS = 20
"""More than any master needs: described, scanned, and made anew when it leads through other files."""


def survey(master: str, channel: str | None) -> Inspection:
    """Read a master as ``reprocess`` does and say what it is; a geometry that makes no sense becomes a warning."""
    reader = MasterReader(Request(master, wait=False, channel=channel))
    news: list[Observation] = []
    warnings: tuple[str, ...] = ()
    try:
        for _ in range(STEPS):
            try:
                news += reader.step(0.0)
            except Broken as error:
                if not any(isinstance(item, Described) for item in news):
                    raise
                warnings = (str(error),)
                break
            if reader.done:
                break
    finally:
        reader.close()
    with Tree(master) as tree:
        images = find_images(tree, channel)
    described = [item for item in news if isinstance(item, Described)][-1]
    detectors = [item for item in news if isinstance(item, DetectorRead)]
    layout = next((item.layout for item in news if isinstance(item, OnDisk)), None)
    files = _files(described, news)
    held_by = file_system(files[0].path if files else master)
    return Inspection(
        master=master,
        where=images.where,
        virtual=images.virtual,
        channel=images.channel,
        frames=len(described.frame_map),
        open_ended=images.frame_map.open_ended,
        frames_now=sum(file.frames_now for file in files),
        files=files,
        shape=layout.shape if layout is not None else images.shape,
        dtype=layout.dtype if layout is not None else None,
        master_dtype=images.dtype,
        filters=None if layout is None else filter_names(layout),
        chunk=None if layout is None else _chunk(layout),
        detector=detectors[-1].detector if detectors else None,
        exposure_time=described.exposure_time,
        positions=described.positions,
        file_system=held_by.kind,
        coherent=held_by.coherent,
        warnings=warnings + (detectors[-1].warnings if detectors else ()),
    )


def _chunk(layout: ChunkLayout) -> tuple[int, ...]:
    return (1, *layout.shape)


def _files(described: Described, news: Sequence[Observation]) -> tuple[InspectedFile, ...]:
    frame_map = described.frame_map
    on_disk = np.zeros(len(frame_map.files), np.int64)
    for item in news:
        if isinstance(item, OnDisk):
            on_disk[item.file] += sum(len(frame_map.frames_of(item.file, chunk.row)) for chunk in item.chunks)
    writers = next((item for item in reversed(news) if isinstance(item, Writers)), None)
    files = []
    for number, source in enumerate(frame_map.files):
        frames = np.flatnonzero(frame_map.file == number)
        state = writers.states[number] if writers is not None and number < len(writers.states) else None
        problems = dict(writers.problems) if writers is not None else {}
        files.append(
            InspectedFile(
                path=source.path,
                dataset=source.dataset,
                exists=state is not None and state != 0,
                state=state.name.lower() if state is not None else "unknown",
                frames=len(frames),
                first_frame=int(frames[0]) if len(frames) else None,
                frames_now=int(on_disk[number]),
                problem=problems.get(number, ""),
            )
        )
    return tuple(files)
