"""What a daemon says on standard error: lines for people at a terminal, JSON for whoever collects logs."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime


def set_up() -> None:
    """Let all that is logged go to standard error, one line each."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Words() if sys.stderr.isatty() else _Json())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name in ("distributed", "asyncio", "uvicorn.access", "uvicorn.error", "watchdog", "websockets"):
        logging.getLogger(name).setLevel(logging.CRITICAL if name == "distributed" else logging.WARNING)


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "collection": getattr(record, "collection", None),
            "message": record.getMessage(),
        }
        if (more := getattr(record, "more", None)) is not None:
            line |= more
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line)


class _Words(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        level = "" if record.levelno < logging.WARNING else f"{record.levelname.lower()}: "
        trace = f"\n{self.formatException(record.exc_info)}" if record.exc_info else ""
        return f"{when} {getattr(record, 'collection', '-'):12} {level}{record.getMessage()}{trace}"
