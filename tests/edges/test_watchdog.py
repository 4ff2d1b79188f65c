from __future__ import annotations

import subprocess
import sys

HANG_WITH_THE_GIL = """
import re
from filewatcher.edges.dask_pool.watchdog import Watchdog
with Watchdog(0.2) as watchdog:
    watchdog.feed()
    re.match("(a+)+$", "a" * 60 + "b")
"""

MANY_SHORT_ONES = """
import time
from filewatcher.edges.dask_pool.watchdog import Watchdog
with Watchdog(0.2) as watchdog:
    end = time.monotonic() + 0.6
    while time.monotonic() < end:
        watchdog.feed()
end = time.monotonic() + 0.4
while time.monotonic() < end:
    pass
"""


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)


def test_a_frame_that_never_lets_go_of_the_interpreter_ends_its_process_without_a_word() -> None:
    ended = run(HANG_WITH_THE_GIL)
    assert ended.returncode != 0
    assert (ended.stdout, ended.stderr) == ("", "")


def test_a_batch_may_take_longer_than_a_frame_and_nothing_bites_after_it() -> None:
    assert run(MANY_SHORT_ONES).returncode == 0
