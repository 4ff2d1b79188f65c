"""How many frames pass through watcher, Dask and collector, how late, at what cost: an empty analysis, two workers."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from dispatching import dispatch
from figures import machine
from odin_writer import Recording

from filewatcher.core.batching import Limits

SMALL = (200, 400)
"""Bytes per chunk: nobody reads them."""


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("rate", type=float)
    parser.add_argument("frames", type=int)
    parser.add_argument("--cap", type=int, default=32)
    parser.add_argument("--flat", action="store_true")
    w = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        r = Recording(Path(folder), w.frames, w.rate, payload=SMALL)
        print(json.dumps(dispatch(r, Limits(frames_per_task_max=w.cap), flat_out=w.flat)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
