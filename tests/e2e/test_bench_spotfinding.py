"""The bench of spot finding measures what it says: small frames, facts only; its times are for `make bench`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import docutils.core
import numpy as np
import pytest

from spotfinding.chunks import Decoder, read_frame

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def bench(monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in (BENCHMARKS, BENCHMARKS / "spots"):
        monkeypatch.syspath_prepend(folder)


@pytest.mark.parametrize("bits", [16, 32])
def test_a_frame_is_what_its_kind_says(tmp_path: Path, bits: int) -> None:
    from frames import KINDS, Frames, write_frames  # noqa: PLC0415  only reachable from here on

    kinds = tuple(kind for kind in KINDS if kind.name in ("blank", "strong", "background 10"))
    written = write_frames(tmp_path, "eiger2-1m", bits, kinds)
    frames = Frames.from_json(json.loads(json.dumps(written.as_json())))
    assert frames == written
    masked = frames.detector.pixel_mask()
    assert masked is not None
    decoder = Decoder(frames.layout)
    images = [read_frame(chunk, decoder).copy() for chunk in frames.chunks]
    for image in images:
        assert image.dtype == f"<u{bits // 8}"
        np.testing.assert_array_equal(image[masked], 2**bits - 1)
    blank, strong, bright = (image[~masked].astype(float) for image in images)
    assert blank.mean() < strong.mean() < 2
    assert bright.mean() == pytest.approx(10, rel=0.1)
    assert strong.max() > 10 * blank.max()


def test_dials_and_the_native_engine_give_the_same_numbers(tmp_path: Path) -> None:
    import speed  # noqa: PLC0415
    import speed_page  # noqa: PLC0415
    from contest import Contest  # noqa: PLC0415
    from figures import machine  # noqa: PLC0415
    from frames import KINDS, write_frames  # noqa: PLC0415

    said: list[str] = []
    result: dict[str, Any] = {"machine": machine(tmp_path), "dials": "DIALS", "quick": True, "frames": []}
    with Contest() as contest:
        for bits in (16, 32):
            frames = write_frames(tmp_path, "eiger2-1m", bits, (KINDS[0], KINDS[2]))
            for figures in contest.measure(frames, 1, said.append):
                for model in ("eiger2-16m", "eiger2-4m"):  # the names that a summary is made of
                    result["frames"].append(figures | {"model": model, "bits": bits})
        result["two-processes"] = contest.two_processes(frames, seconds=0.05, rounds=1)
    assert len(said) == 4
    assert [f["unequal"] for f in result["frames"]] == [[]] * 8
    blank, strong = (next(f for f in result["frames"] if f["kind"] == kind) for kind in ("blank", "strong"))
    assert blank["n_spots_total"] < 5
    assert strong["n_spots_total"] > 50
    assert min(strong["steps"][step] for step in ("read", "decompress", "threshold", "both", "lz4", "memcpy")) > 0
    assert min(strong["ms"].values()) > 0
    other = {"frames": result["frames"][3:], "machine": result["machine"] | {"load-before": 99.5}}
    result = speed.judged([result | {"frames": result["frames"][:3]}, other])
    assert result["machine"]["load-before"] == 99.5
    two = result["two-processes"]
    assert min(two[what]["median"] for what in ("gain", "gain-cpu", "control")) > 0
    assert two["rounds"] == 1
    promised = {"ms_16m_uint16", "ratio_16m_uint16", "ratio_16m_uint16_malloc", "ratio_4m_uint16", "two_process_gain"}
    assert promised | {"bound_ms"} <= result.keys()
    assert {target["what"] for target in result["targets"]} == promised | {"unequal"}
    page = speed_page.page(result)
    docutils.core.publish_doctree(page, settings_overrides={"report_level": 2, "halt_level": 2})
    assert "equal DIALS's on all 8 frames" in page


def test_a_difference_is_named() -> None:
    from contest import STATISTICS, unequal  # noqa: PLC0415

    judge = dict.fromkeys(STATISTICS, 3.0)
    assert unequal(judge, judge) == []
    assert unequal(judge | {"total_intensity": 3.1}, judge) == ["total_intensity"]


def test_a_contestant_that_cannot_go_on_ends_the_bench_with_a_sentence() -> None:
    from contestant import Contestant, Ended  # noqa: PLC0415

    with (
        Contestant("contestant_native.py", 0) as contestant,
        pytest.raises(Ended, match=r"contestant_native.py has ended with exit code 1"),
    ):
        contestant.call("prepare", {})


def test_a_missed_target_is_the_exit_code(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    for met, code in ((True, 0), (False, 1)):
        target = {"case": "spot finding", "what": "ms_16m_uint16", "value": 21.0, "limit": 20.0, "met": met}
        figures.write_text(json.dumps({"targets": [target]}))
        command = [sys.executable, str(BENCHMARKS / "spotfinding.py"), "--check", "--json", "--from", str(figures)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ran.returncode == code, ran.stderr
        assert json.loads(ran.stdout.splitlines()[-1])["targets"] == [target]
