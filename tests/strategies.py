"""What several property tests draw."""

from __future__ import annotations

from hypothesis import strategies as st
from scitbx import matrix

from spotfinding.attenuation import MATERIALS
from spotfinding.detector import Detector

angle = st.floats(-70, 70)
part = st.floats(-1, 1)


@st.composite
def detectors(
    draw: st.DrawFn, shape: tuple[int, int] = (2000, 1500), pixels: tuple[float, float] = (0.01, 0.3)
) -> Detector:
    """Panels of any pose, tilted and swung out, in front of the sample or beside it; any beam along z, nearly."""
    pose = matrix.sqr((1, 0, 0, 0, 1, 0, 0, 0, 1))
    for axis in ((1, 0, 0), (0, 1, 0), (0, 0, 1)):
        pose = matrix.col(axis).axis_and_angle_as_r3_rotation_matrix(draw(angle), deg=True) * pose
    distance = draw(st.floats(20, 800))
    corner = pose * matrix.col((draw(st.floats(-200, 200)), draw(st.floats(-200, 200)), -distance))
    flipped = draw(st.sampled_from([1, -1]))
    scale = draw(st.floats(0.5, 2))
    return Detector(
        shape=shape,
        pixel_size=(draw(st.floats(*pixels)), draw(st.floats(*pixels))),
        fast_axis=(pose * matrix.col((scale, 0, 0))).elems,
        slow_axis=(pose * matrix.col((0, -flipped * scale, 0))).elems,
        origin=corner.elems,
        wavelength=draw(st.floats(0.3, 3)),
        sample_to_source=(0.1 * draw(part), 0.1 * draw(part), draw(st.floats(0.5, 2))),
        thickness=draw(st.sampled_from([0.0, 0.32, 0.45, 0.75, 1.0])),
        material=draw(st.sampled_from(["", *MATERIALS])),
    )
