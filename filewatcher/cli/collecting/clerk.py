"""The process that writes into ISPyB: nothing of it is needed, nor imported, where frames are collected."""

from __future__ import annotations

from filewatcher.edges.ispyb import serve_clerk
from filewatcher.edges.journal import JournalReader


def main() -> None:
    """Serve until the input ends."""
    serve_clerk(JournalReader)
