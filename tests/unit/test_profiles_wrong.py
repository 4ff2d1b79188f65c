"""Profiles as they go wrong in the field: each is refused with file, line and way out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from filewatcher.errors import Refused
from filewatcher.profiles import SHIPPED, Override, SearchPath, load

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """\
version: 1
extends: slurm
slurm:
  partition: live
  walltime: 8h
workers:
  jobs_min: 1
  jobs_max: 6
  per_job: 20
  memory_each: 3GiB
"""


def with_line(line: int, *texts: str) -> str:
    """The good profile with another text for a line (from 1); several texts, or none, for that one."""
    lines = GOOD.splitlines()
    lines[line - 1 : line] = texts
    return "\n".join(lines) + "\n"


WRONG = {
    "a typo": (with_line(5, "  walltme: 8h"), 5, "slurm.walltme: is not a key: did you mean walltime?"),
    "a typo in a section": (with_line(6, "wrokers:"), 6, "wrokers: is not a key: did you mean workers?"),
    "a key of another section": (with_line(9, "  walltime: 8h"), 9, "workers.walltime: .* it belongs in slurm"),
    "a key below the wrong section": (with_line(5, "  scheduler: local"), 5, "at the left margin"),
    "a word of dask-jobqueue": (with_line(4, "  queue: live"), 4, "slurm.queue: .* write slurm.partition"),
    "an unknown key": (with_line(5, "  color: red"), 5, "slurm.color: is not a key: there are partition, account, qos"),
    "no unit": (with_line(5, "  walltime: 8"), 5, "'8' is no length of time: write 8s, or with min, h or d"),
    "a wrong unit": (with_line(5, "  walltime: 480m"), 5, "'480m' is no length of time: write 480min"),
    "a time as Slurm writes it": (with_line(5, "  walltime: 8:00:00"), 5, "write 8h"),
    "a time under a minute": (with_line(5, "  walltime: 30s"), 5, "30s is shorter .* write 1min or more"),
    "no partition": (with_line(4), 3, "slurm.partition: Slurm needs a partition: write partition: NAME"),
    "memory as GB": (with_line(10, "  memory_each: 3GB"), 10, "can be read in two ways .* write 3GiB"),
    "memory without unit": (with_line(10, "  memory_each: 3"), 10, "write a number with MiB, GiB or TiB"),
    "job_memory of its workers only": (
        with_line(5, "  job_memory: 60GiB"),
        5,
        "60GiB is not more than the 20 x 3GiB of its workers: .* write auto",
    ),
    "more warm jobs than jobs": (with_line(7, "  jobs_min: 7"), 7, "workers.jobs_min: 7 is more than jobs_max, 6"),
    "no jobs": (with_line(8, "  jobs_max: 0"), 8, "'0' is too small: write 1 or more"),
    "a count with a fraction": (with_line(9, "  per_job: 2.5"), 9, "'2.5' is no count: write a whole number"),
    "cores of another machine": (with_line(9, "  per_job: cores"), 9, "needs a number: write per_job: 20"),
    "two threads": (with_line(9, "  threads: 2"), 9, "'2' is too large: .* write 1, and more per_job"),
    "a tab": (with_line(5, "\twalltime: 8h"), 5, "a tab: YAML indents with spaces"),
    "a key that comes twice": (with_line(5, "  partition: other"), 5, "partition is there already, on line 4: keep"),
    "a wrong indentation": (with_line(5, "    walltime: 8h"), 5, "is the line indented like its neighbours"),
    "a bracket left open": (with_line(5, '  extra_directives: ["--exclusive"'), 6, "not YAML: .* quotes and brackets"),
    "a key without a value": (with_line(4, "  partition:"), 4, "a value is missing: give one"),
    "a text where a list is": (
        with_line(5, "  extra_directives: --exclusive"),
        5,
        r'is a list: write extra_directives: \["--exclusive"\]',
    ),
    "a list where a text is": (with_line(4, "  partition: [live]"), 4, "is one text"),
    "a text where a section is": (with_line(6, "workers: 20", "x:"), 6, "a value is missing|is a section"),
    "a list where a section is": (with_line(3, "limits: [1]", "slurm:"), 3, r"is a section: write its keys \(frames"),
    "an option that has a key": (
        with_line(5, "  extra_directives: [--mem=0]"),
        5,
        "'--mem=0' has a key of its own: write slurm.job_memory",
    ),
    "an option that is ours": (with_line(5, "  extra_directives: [-J mine]"), 5, "is set by filewatcher itself"),
    "an option with its comment sign": (
        with_line(5, '  extra_directives: ["#SBATCH --exclusive"]'),
        5,
        "leave #SBATCH away",
    ),
    "a relative folder": (with_line(5, "  log_directory: logs"), 5, "'logs' is not absolute, .* begin with / or ~/"),
    "a relative folder on the node": (with_line(9, "  local_directory: tmp"), 9, r"begin with /, ~/ or \$NAME"),
    "a shell in a path": (with_line(9, "  local_directory: /tmp/$(id)"), 9, "signs that a shell would act on"),
    "a partition with a blank": (with_line(4, "  partition: my live"), 4, "'my live' is no name that Slurm knows"),
    "a scheduler of another kind": (with_line(2, "scheduler: pbs"), 2, "'pbs' is not known: write local, slurm, tcp:"),
    "an address without port": (with_line(2, "scheduler: tcp://host"), 2, "write local, slurm, tcp://host:port"),
    "an unknown base": (with_line(2, "extends: slrum"), 2, "there is no profile 'slrum' .* did you mean slurm?"),
    "a base that is not there": (with_line(2, "extends: ./other.yaml"), 2, "other.yaml: there is no such file"),
    "itself as base": (with_line(2, "extends: ./wrong.yaml"), 2, "extends goes round in a circle: .*remove one"),
    "a list as base": (with_line(2, "extends: [a, b]"), 2, "extends: one name or path"),
    "another version": (with_line(1, "version: 2"), 1, "version: '2' is not known to this filewatcher: write"),
    "no version": (with_line(1), 1, "version is missing: write version: 1"),
    "an alias": (with_line(5, "  walltime: &a 8h"), 5, r"anchors \(&\) and aliases \(\*\) are not understood"),
    "a tag": (with_line(5, "  walltime: !!python/name:os.system x"), 5, "tags .* are not understood"),
    "two documents": (GOOD + "---\nversion: 1\n", 11, "a second document begins here"),
    "a key that is a list": (with_line(5, "  [a]: b"), 5, "a list or section cannot be a key"),
    "brackets without end": ("version: 1\nslurm:\n" + " [\n" * 100000, 12, "more than 10 levels"),
    "a sign of no text": (
        with_line(5, "  walltime: 8h\x07"),
        5,
        r"the sign '\\x07' does not belong in a text file",
    ),
    "no mapping": ("just words\n", 1, "a profile is made of lines `key: value`"),
    "an address of a variable": (with_line(2, "environment: {variables: {A-B: 1}}"), 2, "'A-B' is no name of an env"),
    "an interface by address": (with_line(9, "  interface: 10.0.0.1/24"), 9, "is no network interface"),
    "a Python by name": (with_line(2, "environment: {python: python3}"), 2, "'python3' is not absolute"),
    "fallback without sense": (with_line(2, "fallback_after: soon"), 2, "'soon' is no length of time"),
    "no time at all": (with_line(5, "  walltime: 0s"), 5, "'0s' is too small: write more than 0"),
}


@pytest.mark.parametrize(("text", "line", "sentence"), WRONG.values(), ids=list(WRONG))
def test_a_wrong_profile_names_its_line_and_the_way_out(tmp_path: Path, text: str, line: int, sentence: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(Refused) as refused:
        load(str(path), SearchPath((SHIPPED,)))
    complaints = str(refused.value).splitlines()
    assert any(re.match(f"{re.escape(str(path))}:{line}: .*(?:{sentence})", one) for one in complaints), complaints


def test_the_good_one_is_good(tmp_path: Path) -> None:
    path = tmp_path / "good.yaml"
    path.write_text(GOOD)
    profile = load(str(path), SearchPath((SHIPPED,))).profile
    assert (profile.slurm.partition, profile.slurm.walltime) == ("live", 28800.0)
    assert (profile.workers.per_job, profile.workers.memory_each) == (20, 3 << 30)


def test_every_fault_is_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(GOOD.replace("8h", "8").replace("3GiB", "3GB").replace("jobs_max", "job_max"))
    with pytest.raises(Refused) as refused:
        load(str(path), SearchPath((SHIPPED,)))
    found = [re.search(r"yaml:(\d+): ", one) for one in str(refused.value).splitlines()]
    assert [int(one[1]) for one in found if one] == [5, 8, 10]


def test_what_is_no_text_file(tmp_path: Path) -> None:
    search = SearchPath((SHIPPED,))
    empty, latin, big = tmp_path / "empty.yaml", tmp_path / "latin.yaml", tmp_path / "big.yaml"
    empty.write_text("# nothing but this\n")
    latin.write_bytes(b"version: 1\ndescription: f\xfcr i04\n")
    big.write_bytes(bytes(3 << 20))
    folder = tmp_path / "folder.yaml"
    folder.mkdir()
    for path, sentence in (
        (empty, "is empty: write version: 1"),
        (latin, ":2: byte 0xfc is not UTF-8: save the file as UTF-8"),
        (big, "has 3 MiB: that is no profile"),
        (folder, "is a folder: give the profile file in it"),
        (tmp_path / "none.yaml", "there is no such file"),
    ):
        with pytest.raises(Refused, match=re.escape(str(path)) + ".*" + re.escape(sentence)):
            load(str(path), search)


def test_a_name_that_no_file_can_have() -> None:
    with pytest.raises(Refused, match="cannot be looked for: File name too long"):
        load("x" * 300, SearchPath((SHIPPED,)))
    with pytest.raises(Refused, match="there is no such file"):
        load("~nobody/x.yaml", SearchPath((SHIPPED,)))


def test_a_circle_over_three_files_is_told_from_one_to_the_last(tmp_path: Path) -> None:
    for one, other in (("a", "b"), ("b", "c"), ("c", "a")):
        (tmp_path / f"{one}.yaml").write_text(f"version: 1\nextends: {other}\n")
    with pytest.raises(Refused, match=r"c\.yaml:2: extends goes round in a circle: .*a\.yaml -> .*b.* -> .*c.* -> .*a"):
        load("a", SearchPath((tmp_path,)))


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        (
            Override("workers.job_max", "3", "environment variable X"),
            r"^environment variable X: .* did you mean jobs_max",
        ),
        (Override("slurm.partition", "", "--set slurm.partition="), r"^--set slurm.partition=: there is no value"),
        (Override("slurm.partition", "[a", "--set x"), "^--set x: not YAML"),
        (Override("workers..per_job", "3", "--set x"), "is no key: write section.key"),
        (Override("workers.per_job.more", "3", "--set x"), "^--set x: workers.per_job: is one number"),
        (Override("slurm.job_memory", "[1]", "--set x"), "^--set x: slurm.job_memory: is one number: [^\n]*$"),
        (Override("slurm.job_memory", "{a: b}", "--set x"), "^--set x: slurm.job_memory: is one number: [^\n]*$"),
        (Override("slurm.job_memory", "0GiB", "--set x"), "^--set x: slurm.job_memory: '0GiB' is too small: [^\n]*$"),
        (Override("version", "2", "--set x"), "^--set x: version: 2 is not known to this filewatcher: write 1"),
        (Override("extends", "slurm", "--set x"), "^--set x: only a file can extend another"),
    ],
)
def test_a_wrong_value_from_outside_names_where_it_came_from(override: Override, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        load("local", SearchPath((SHIPPED,)), [override])
