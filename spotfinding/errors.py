"""What can go wrong with one frame, in one sentence each; both travel from a worker to the pool by pickle.

::

    AnalysisError         this frame cannot be analysed, and will not be by trying again
    └── NotReadable       its bytes are not whole here yet: look the chunk up again and re-issue it
"""

from __future__ import annotations


class AnalysisError(Exception):
    """A frame that cannot be analysed; ends this frame, not its batch."""


class NotReadable(AnalysisError):
    """The bytes of a chunk are not whole: short, zeros, or something else than its header and filters promise."""
