"""Profiles that are right: the search path, what extends what, who said what, and how it is shown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import docutils.core
import docutils.nodes
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from filewatcher.errors import Refused
from filewatcher.profiles import SHIPPED, Loaded, Override, Profile, SearchPath, Slurm, Workers, load
from filewatcher.profiles.loading import merge
from filewatcher.profiles.showing import as_yaml, flat, origin, schema
from filewatcher.profiles.tree import Node, Origin, parse

if TYPE_CHECKING:
    from pathlib import Path

    from filewatcher.profiles.tree import Value

SHIPPED_ONLY = SearchPath((SHIPPED,))
HERE = Origin("here")


def write(path: Path, *lines: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(("version: 1", *lines)) + "\n")
    return path


def tree(plain: object) -> Node:
    """The tree of plain sections, lists and texts."""
    value: Value
    match plain:
        case dict():
            value = {key: tree(inner) for key, inner in plain.items()}
        case list():
            value = [tree(item) for item in plain]
        case _:
            value = None if plain is None else str(plain)
    return Node(value, HERE)


TEXTS = st.sampled_from(["1", "2", "3"])
LEAVES = TEXTS | st.lists(TEXTS, max_size=2)
SECTION = st.dictionaries(st.sampled_from("xy"), LEAVES)
SECTIONS = st.dictionaries(st.sampled_from("abc"), LEAVES | SECTION)


@given(SECTIONS)
def test_a_profile_over_itself_is_itself(section: dict[str, object]) -> None:
    assert merge(tree(section), tree(section)).plain() == section
    assert merge(tree(section), tree({})).plain() == section
    assert merge(tree({}), tree(section)).plain() == section


SAME_KINDS = st.fixed_dictionaries({}, optional={"a": SECTION, "b": SECTION, "c": LEAVES})
"""What is a section in one profile is one in all: the model refuses others."""


@given(SAME_KINDS, SAME_KINDS, SAME_KINDS)
def test_three_profiles_come_together_in_any_grouping(one: object, two: object, three: object) -> None:
    a, b, c = tree(one), tree(two), tree(three)
    assert merge(merge(a, b), c).plain() == merge(a, merge(b, c)).plain()


@given(SECTIONS, SECTIONS)
def test_what_is_said_last_holds_and_the_rest_stays(low: dict[str, object], high: dict[str, object]) -> None:
    merged = merge(tree(low), tree(high)).plain()
    assert isinstance(merged, dict)
    for key in low.keys() | high.keys():
        below, above = low.get(key), high.get(key)
        if isinstance(below, dict) and isinstance(above, dict):
            assert merged[key] == below | above
        else:
            assert merged[key] == (below if key not in high else above)


def test_null_forgets_what_was_inherited() -> None:
    low = tree({"slurm": {"account": "i04", "qos": "live"}})
    assert merge(low, tree({"slurm": {"account": None}})).plain() == {"slurm": {"qos": "live"}}
    assert merge(low, tree({"slurm": None})).plain() == {}


def test_texts_are_taken_as_they_stand() -> None:
    text = "slurm: {partition: no, account: 0123, qos: 1e3}\nenvironment: {variables: {A: FALSE, B: 1:30, C: ''}}"
    profile = Profile.model_validate(parse(text, "here").plain())
    assert (profile.slurm.partition, profile.slurm.account, profile.slurm.qos) == ("no", "0123", "1e3")
    assert profile.environment.variables == {"A": "FALSE", "B": "1:30", "C": ""}


def test_a_stronger_folder_hides_a_weaker_one_and_may_build_on_it(tmp_path: Path) -> None:
    site, mine = tmp_path / "site", tmp_path / "mine"
    write(site / "slurm.yaml", "extends: slurm", "description: the site", "slurm: {partition: live, account: site}")
    write(mine / "slurm.yaml", "extends: slurm", "slurm: {account: me}")
    search = SearchPath((SHIPPED, site, mine))
    loaded = load("slurm", search)
    assert loaded.files == (mine / "slurm.yaml", site / "slurm.yaml", SHIPPED / "slurm.yaml")
    assert (loaded.profile.slurm.partition, loaded.profile.slurm.account) == ("live", "me")
    assert loaded.profile.description == "", "what describes another profile does not describe this one"
    assert origin(loaded, ("slurm", "partition")) == f"{site / 'slurm.yaml'}:4"
    assert origin(loaded, ("slurm", "account")) == f"{mine / 'slurm.yaml'}:3"
    assert origin(loaded, ("slurm", "qos")) == "default"
    assert search.names()["slurm"] == mine / "slurm.yaml"
    assert set(search.names()) == {"gpfs-beamline", "local", "slurm", "small-nfs"}


def test_a_base_may_stand_beside_the_profile(tmp_path: Path) -> None:
    write(tmp_path / "base.yaml", "workers: {per_job: 3}")
    path = write(tmp_path / "deep" / "mine.yaml", "extends: ../base.yaml")
    assert load(str(path), SHIPPED_ONLY).profile.workers.per_job == 3


def test_values_from_outside_win_the_last_one_most(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.yaml", "workers: {per_job: 3}")
    words = [("workers.per_job", "4", "environment variable X"), ("workers.per_job", "5", "--workers 5")]
    loaded = load(str(path), SHIPPED_ONLY, [Override(*one) for one in words])
    assert loaded.profile.workers.per_job == 5
    assert origin(loaded, ("workers", "per_job")) == "--workers 5"
    listed = Override("slurm.extra_directives", '["--exclusive=user", -C icelake]', "--set")
    assert load("local", SHIPPED_ONLY, [listed]).profile.slurm.extra_directives == ("--exclusive=user", "-C icelake")


@pytest.mark.parametrize("name", sorted(SHIPPED_ONLY.names()))
def test_what_ships_is_right_and_what_is_shown_can_be_loaded_again(name: str, tmp_path: Path) -> None:
    partition = [Override("slurm.partition", "live", "--set slurm.partition=live")] if name == "slurm" else []
    loaded = load(name, SHIPPED_ONLY, partition)
    (tmp_path / "again.yaml").write_text(as_yaml(loaded))
    assert load(str(tmp_path / "again.yaml"), SHIPPED_ONLY).profile == loaded.profile


def test_shipped_slurm_asks_for_a_partition() -> None:
    with pytest.raises(Refused, match=r"slurm.yaml:\d+: slurm.partition: Slurm needs a partition: write"):
        load("slurm", SHIPPED_ONLY)


@given(
    setup=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=3),
    value=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    walltime=st.integers(60, 10**6),
    memory=st.integers(1, 1 << 50),
)
def test_any_profile_reads_back_as_it_is_shown(
    tmp_path_factory: pytest.TempPathFactory, setup: list[str], value: str, walltime: int, memory: int
) -> None:
    path = tmp_path_factory.mktemp("profile") / "any.yaml"
    given_one = Profile(
        scheduler="slurm",
        slurm=Slurm(partition="live", walltime=walltime),
        workers=Workers(per_job=2, memory_each=memory),
    )
    environment = given_one.environment.model_copy(update={"setup": tuple(setup), "variables": {"ANY": value}})
    profile = given_one.model_copy(update={"environment": environment, "description": value})
    shown = as_yaml(Loaded("any", profile, (path,), {}))
    path.write_text(shown)
    assert load(str(path), SHIPPED_ONLY).profile == profile


def test_the_schema_for_editors_is_the_models() -> None:
    kept = (SHIPPED / "profile.schema.json").read_text()
    assert json.loads(kept) == json.loads(json.dumps(schema())), "filewatcher profile schema > profile.schema.json"


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_what_ships_names_its_schema_and_knows_no_other_key(path: Path) -> None:
    assert path.read_text().startswith("# yaml-language-server: $schema=./profile.schema.json\n")
    made = schema()
    for key, value in yaml.safe_load(path.read_text()).items():
        inner = made["properties"][key]
        if "$ref" in inner:
            assert set(value) <= set(made["$defs"][inner["$ref"].rpartition("/")[2]]["properties"])


def rows() -> dict[str, tuple[str, str, str]]:
    """The table of keys in the README: key -> example, default, meaning."""
    page = docutils.core.publish_doctree((SHIPPED / "README.rst").read_text())
    table = list(page.findall(docutils.nodes.tgroup))[-1]
    cells = [[cell.astext() for cell in row.children] for row in table.findall(docutils.nodes.row)]
    assert cells[0] == ["Key", "As in", "Default", "Meaning"]
    return {key: (example, default, meaning.replace("\n", " ")) for key, example, default, meaning in cells[1:]}


def test_the_readme_has_every_key_with_its_default_and_meaning() -> None:
    written = {".".join(place): value for place, value in flat(Profile())}
    told = rows()
    assert set(told) == {*written, "extends"}
    made = schema()
    for key, (_, default, meaning) in told.items():
        section, _, inner = key.rpartition(".")
        described = made["$defs"][section.capitalize()]["properties"][inner] if section else made["properties"][inner]
        assert meaning == described["description"]
        expected = written.get(key)
        assert default == ("none" if expected in (None, "", [], {}) else str(expected)), key


def test_every_example_of_the_readme_can_be_loaded() -> None:
    examples = [Override(key, example, "README") for key, (example, _, _) in rows().items() if key != "extends"]
    profile = load("local", SHIPPED_ONLY, examples).profile
    changed = {
        place for (place, value), (_, default) in zip(flat(profile), flat(Profile()), strict=True) if value != default
    }
    assert len(changed) > 15
