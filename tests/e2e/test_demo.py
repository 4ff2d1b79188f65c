"""The first thing that a newcomer runs."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

DEMO = (sys.executable, "-m", "filewatcher", "demo", "--grid", "4x3", "--rate", "20")


def test_the_demo_says_where_its_page_is_and_leaves_a_heat_map(tmp_path: Path) -> None:
    for _ in range(2):  # once more over what the first one left
        ran = subprocess.run([*DEMO, "--leave"], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        assert "12 frames: 12 analysed, 0 failed, 0 missing" in ran.stderr
        assert re.search(r"http://127\.0\.0\.1:\d+/#/c/\w+", ran.stderr)
        (picture,) = re.findall(r"look at (\S+)", ran.stderr)
        assert Path(picture).is_relative_to(tmp_path / "demo/results")
        assert Path(picture).read_bytes().startswith(b"\x89PNG")


def test_the_page_stays_until_ctrl_c_and_nothing_is_left_running(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*DEMO, "--stay"], cwd=tmp_path, stderr=subprocess.PIPE, text=True, env=os.environ | {"TMPDIR": str(tmp_path)}
    ) as demo:
        assert demo.stderr is not None
        url = ""
        for line in demo.stderr:
            url = url or "".join(re.findall(r"http://\S+", line))
            if "stays until Ctrl-C" in line:
                break
        with urllib.request.urlopen(url, timeout=10) as page:
            assert b"filewatcher" in page.read()
        demo.send_signal(signal.SIGINT)
        assert demo.wait() == 0
    assert not list(tmp_path.glob("filewatcher-demo-*"))
