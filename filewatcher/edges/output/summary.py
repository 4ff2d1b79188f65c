"""``summary.json``: the last line of a scan, as a file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from filewatcher.core.lines import to_json
from filewatcher.edges.output.replace import replacing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def write_summary(path: Path, summary: Mapping[str, object]) -> None:
    """Write what `filewatcher.core.lines.summary_line` returned; what is not finite is null. Raises `Broken`."""
    text = json.dumps(to_json(summary), indent=2, allow_nan=False)
    with replacing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
