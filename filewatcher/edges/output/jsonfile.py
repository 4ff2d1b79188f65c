"""Files of JSON, whole or not at all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from filewatcher.core.lines import to_json
from filewatcher.edges.output.replace import replacing

if TYPE_CHECKING:
    from pathlib import Path


def write_json(path: Path, value: object) -> None:
    """Write a value, e.g. what `filewatcher.core.lines.summary_line` returned; not finite is null. Raises `Broken`."""
    text = json.dumps(to_json(value), indent=2, allow_nan=False)
    with replacing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
