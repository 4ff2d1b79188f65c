"""The page on centring: its example is read, its fields are those of the answers."""

from __future__ import annotations

import re
from pathlib import Path

from filewatcher.core.centring import centre, centre_pair
from filewatcher.core.storedscans import parse_scans

PAGE = (Path(__file__).parents[2] / "docs/reference/centring.rst").read_text()
EXAMPLE = re.search(r'^    (\{"scans".*\})$', PAGE, flags=re.MULTILINE)


def test_the_example_is_read_and_every_field_of_the_answers_is_documented() -> None:
    assert EXAMPLE is not None
    (picture,) = parse_scans(EXAMPLE[1].encode(), "n_spots_total", "the page").pictures
    assert picture.coverage == 0.75
    one, two = centre(picture), centre_pair(picture, picture)
    assert one.crystals
    assert two.crystals
    crystal = one.as_json()["crystals"]
    assert isinstance(crystal, list)
    assert isinstance(crystal[0], dict)
    for field in (*one.as_json(), *crystal[0], *two.as_json(), *two.crystals[0].as_json()):
        assert f"``{field}``" in PAGE, field
