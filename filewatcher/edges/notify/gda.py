"""GDA's lines by UDP: ``PIA:<dcid>:<image>:<spots>:<no_ice>:<resolution>:<signal>``, a datagram per image.

As production at Diamond sends them (dlstbx, ``DLSNotifyGDA``): images count from 1, numbers as Python writes them,
resolution -1.0 where there are too few spots, no line end, and only images that were analysed.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from filewatcher.core.messages import FrameResult
from filewatcher.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from filewatcher.core.messages import Outcome


def gda_line(dcid: int, result: FrameResult) -> str:
    """Return the line of an image.

    >>> from filewatcher.core.messages import Statistics
    >>> numbers = Statistics(405, 380, 354, 22808.0, 1.8, 1.9, 2.0, 0.5, 0.6, 5548)
    >>> gda_line(6153461, FrameResult(0, 11, numbers, "native"))
    'PIA:6153461:12:405:380:1.8:22808.0'
    """
    found = result.statistics
    numbers = (found.n_spots_total, found.n_spots_no_ice, found.estimated_d_min, found.total_intensity)
    return ":".join(map(str, ("PIA", dcid, result.frame + 1, *numbers)))


class GdaLines:
    """Sends them; `dcids`: data collection id of each scan. Raises `Refused` if the host has no address."""

    def __init__(self, host: str, port: int, dcids: Sequence[int]) -> None:
        self._where = f"udp://{host}:{port}"
        self._dcids = tuple(dcids)
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        except OSError as error:
            raise Refused(f"--notify {self._where}: {error.strerror or error}; give a host that is known") from error
        self._address: tuple[Any, ...] = address
        self._socket = socket.socket(family, kind, protocol)
        self._socket.setblocking(False)
        self._lost = 0
        self._why = ""

    def outcomes(self, outcomes: Sequence[Outcome]) -> None:
        """Send the lines of those that were analysed; never waits."""
        for outcome in outcomes:
            if isinstance(outcome, FrameResult):
                self._send(gda_line(self._dcids[outcome.scan], outcome))

    def close(self) -> str:
        """Let go; returns what could not be sent, in words. Nobody knows what has arrived: UDP does not say."""
        self._socket.close()
        return f"{self._lost} lines could not be sent to {self._where}: {self._why}" if self._lost else ""

    def _send(self, line: str) -> None:
        try:
            self._socket.sendto(line.encode(), self._address)
        except OSError as error:  # a full buffer, a network that is down
            self._lost += 1
            self._why = error.strerror or str(error)
