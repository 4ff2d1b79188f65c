"""Messages about recipes: understood as dispatchers send them, answered as `workflows` would send the answers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from workflows.recipe import Recipe, RecipeWrapper

from filewatcher.core.messages import FrameFailed, FrameResult, Statistics
from filewatcher.core.recipe_outputs import Outputs, Tally, needs_total, outputs_of, selected
from filewatcher.core.recipes import Outgoing, Step
from filewatcher.core.requests import read_request
from filewatcher.errors import Refused

ABSORBED = frozenset({"per_image_analysis"})
MASTER = "/data/i04/grid.nxs"
NUMBERS = Statistics(405, 380, 354, 22808.0, 1.8, 1.9, 2.0, 0.5, 0.6, 5548)


def envelope(steps: dict[str, Any], pointer: int = 1, **more: Any) -> dict[str, Any]:
    message = {"recipe": {**steps, "start": [[1, []]]}, "recipe-pointer": pointer, "recipe-path": []}
    return {**message, "environment": {"ID": "guid"}, "payload": [], **more}


def gridscan(**output: Any) -> dict[str, Any]:
    """As production's recipe for grid scans: watch, analyse, then centre and store."""
    return envelope(
        {
            "1": {
                "queue": "filewatcher",
                "parameters": {"hdf5": MASTER, "timeout": 120, "timeout-first": 3600, "burst-limit": 40},
                "output": output or {"first": 6, "every": 2, "finally": 5, "any": 7, "timeout": 8},
            },
            "2": {"queue": "per_image_analysis", "output": {"result": [3, 4]}},
            "3": {"queue": "reduce.xray_centering", "parameters": {"dcid": 7}, "output": {"success": 9}},
            "4": {"queue": "ispyb_pia"},
            "5": {"queue": "archive"},
            "6": {"queue": "images"},
            "7": {"queue": "any"},
            "8": {"topic": "timeouts"},
            "9": {"queue": "xrc.i04"},
        }
    )


def told(messages: Any) -> list[tuple[str, dict[str, Any]]]:
    return [(one.name, dict(one.body["payload"])) for one in messages]


def outputs(message: dict[str, Any]) -> Outputs:
    return Outputs(read_request(message, recipe=True, absorbed=ABSORBED), MASTER, ABSORBED)


# ---- the envelope


class Recorder:
    """What `workflows` hands its transport."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = []

    def send(self, queue: str, message: dict[str, Any], headers: dict[str, Any], **how: Any) -> None:
        assert headers == {"workflows-recipe": True}
        self.sent.append(("queue", queue, message, how))

    def broadcast(self, topic: str, message: dict[str, Any], headers: dict[str, Any], **how: Any) -> None:
        assert headers == {"workflows-recipe": True}
        self.sent.append(("topic", topic, message, how))


@st.composite
def recipes(draw: st.DrawFn) -> dict[str, Any]:
    """Graphs without a circle, of every shape that a step may have."""
    count = draw(st.integers(2, 7))
    steps: dict[str, Any] = {}
    for number in range(1, count + 1):
        further = st.integers(number + 1, count) if number < count else st.nothing()
        ends = st.one_of(further, st.lists(further, min_size=1, max_size=3)) if number < count else st.nothing()
        names = st.dictionaries(st.sampled_from(["every", "result", "finally", "7"]), ends, min_size=1)
        output = st.none() if number == count else st.one_of(st.none(), ends, names)
        step = {
            "queue": draw(st.none() | st.just(f"q{number}")),
            "topic": draw(st.none() | st.just(f"t{number}")),
            "exchange": draw(st.none() | st.just("other")),
            "transport-delay": draw(st.none() | st.just(3)),
            "output": draw(output),
            "parameters": {"number": number},
        }
        steps[str(number)] = {name: value for name, value in step.items() if value is not None}
    return envelope(steps)


@given(recipes(), st.sampled_from(["every", "result", "7", "nothing"]))
def test_an_output_is_written_to_as_workflows_does(message: dict[str, Any], output: str) -> None:
    recorder = Recorder()
    theirs = RecipeWrapper(message=message, transport=recorder)
    theirs.set_default_channel("result")
    theirs.send_to(output, {"n_spots_total": 3})
    ours = list(Step.parse(message).send(output, {"n_spots_total": 3}, default="result"))
    assert len(ours) == len(recorder.sent)
    for mine, (kind, name, body, how) in zip(ours, recorder.sent, strict=True):
        assert (mine.kind, mine.name) == (kind, name)
        assert {key: value for key, value in mine.body.items() if key != "recipe"} == {
            key: value for key, value in body.items() if key != "recipe"
        }
        assert (mine.delay, mine.exchange) == (how.get("delay"), how.get("exchange"))


@given(recipes())
def test_what_travels_on_is_a_whole_recipe(message: dict[str, Any]) -> None:
    step = Step.parse(message)
    for ends in (*step.outputs.values(), step.unnamed):
        for pointer in ends:
            for sent in step.message(pointer, {}):
                recipe = Recipe(dict(sent.body["recipe"]))
                recipe.validate()
                further = Step.parse({**sent.body})
                assert further.words == message["recipe"][str(pointer)]
                for beyond in (*further.outputs.values(), further.unnamed):
                    assert all(further.at(one).words == message["recipe"][str(one)] for one in beyond)


@pytest.mark.parametrize(
    "message",
    [{}, {"recipe": {}}, envelope({"1": {}}, pointer=2), envelope({"1": {"output": 7}}), envelope({"1": 7}),
     envelope({"1": {"output": {"every": "x"}}}), envelope({"1": {"parameters": [1]}}), {"recipe": 1}],
)  # fmt: skip
def test_what_is_no_recipe_is_refused(message: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="no message of a recipe"):
        read_request(message, recipe=True, absorbed=ABSORBED)


# ---- what is asked for


def trigger(**parameters: Any) -> dict[str, Any]:
    return {"recipes": ["mimas"], "parameters": parameters}


def test_a_trigger_of_hyperion_names_a_collection() -> None:
    parameters = {"ispyb_dcid": 7, "filename": "ins_4", "start_frame_index": 30, "number_of_frames": 30}
    got = read_request(trigger(**parameters, message_index=1, event="start"), recipe=False, absorbed=ABSORBED)
    assert (got.event, got.dcid, got.master, got.frames, got.step) == ("start", 7, None, None, None)
    assert got.ask().dcids == (7,)
    end = read_request(trigger(ispyb_dcid=7, event="end"), recipe=False, absorbed=ABSORBED)
    assert (end.event, end.dcid) == ("end", 7)


def test_a_trigger_with_a_path_needs_no_database() -> None:
    got = read_request(trigger(filename=MASTER, number_of_frames="30"), recipe=False, absorbed=ABSORBED)
    assert got.ask().masters == (MASTER,)
    assert got.ask().frames == 30


def test_a_step_of_the_filewatcher_says_how_long_to_wait_and_what_a_spot_is() -> None:
    message = gridscan()
    message["recipe"]["2"]["parameters"] = {"d_max": "None", "d_min": 2, "ice_rings_width": "0.01", "other": 3}
    got = read_request(message, recipe=True, absorbed=ABSORBED)
    assert (got.master, got.timeout, got.timeout_first, got.burst) == (MASTER, 120.0, 3600.0, 40)
    assert got.parameters == (
        "d_min=2", "d_max=none", "threshold_algorithm=dispersion", "parallax_correction=false", "ice_rings_width=0.01",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"filename": "ins_4"}, "no data collection id"),
        ({"filename": MASTER, "start_frame_index": 30}, "begins at image 30"),
        ({"ispyb_dcid": 7, "event": "pause"}, "event is 'pause'"),
        ({"ispyb_dcid": "seven"}, "ispyb_dcid is 'seven'"),
        ({"ispyb_dcid": 7.5}, "ispyb_dcid is 7.5"),
        ({"ispyb_dcid": 7, "number_of_frames": 0}, "whole number from 1"),
        ({"ispyb_dcid": 7, "timeout": "nan"}, "timeout is 'nan'"),
        ({"pattern": "a_%05d.cbf"}, "pattern or list"),
        ({}, "no data collection id"),
        ({"filename": "{filename}", "ispyb_dcid": "None"}, "no data collection id"),
    ],
)
def test_what_cannot_be_done_is_refused_in_words(parameters: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words):
        read_request(trigger(**parameters), recipe=False, absorbed=ABSORBED)


def test_two_analyses_of_one_recipe_must_agree() -> None:
    message = gridscan()
    message["recipe"]["10"] = {"queue": "per_image_analysis", "parameters": {"d_min": 4}}
    with pytest.raises(Refused, match="different parameters"):
        read_request(message, recipe=True, absorbed=ABSORBED)


def test_a_message_is_known_again_and_so_is_another_that_wants_the_same() -> None:
    first, again = (read_request(gridscan(), recipe=True, absorbed=ABSORBED) for _ in range(2))
    other = read_request({**gridscan(), "environment": {"ID": "other"}}, recipe=True, absorbed=ABSORBED)
    fewer = read_request(gridscan(every=2), recipe=True, absorbed=ABSORBED)
    assert first.name == again.name != other.name
    assert first.purpose == other.purpose != fewer.purpose


# ---- what is answered

names = st.one_of(
    st.sampled_from(["first", "every", "last", "finally", "any", "timeout", "result"]),
    st.integers(1, 40).map(str),
    st.integers(0, 40).map(lambda n: f"every-{n}"),
    st.integers(0, 40).map(lambda n: f"select-{n}"),
)


@given(st.lists(names, unique=True), st.integers(1, 40))
def test_each_output_gets_its_images_once(given_names: list[str], total: int) -> None:
    got = {
        name: [n for n in range(1, total + 1) if name in outputs_of(n, total, tuple(given_names))]
        for name in given_names
    }
    for name, images in got.items():
        kind, _, number = name.partition("-")
        if name == "first":
            assert images == [1]
        elif name == "every":
            assert images == list(range(1, total + 1))
        elif name == "last":
            assert images == [total]
        elif name.isdigit():
            assert images == [n for n in (int(name),) if n <= total]
        elif kind == "every" and int(number):
            assert images == list(range(1, total + 1, int(number)))
        elif kind == "select" and int(number):
            assert total in images
            assert len(images) == min(int(number), total)
        else:
            assert images == []


def test_images_are_selected_as_in_production() -> None:
    # the lists that dlstbx's own system test expects of 200 files
    assert [n for n in range(1, 201) if selected(n, 30, 200)] == [
        1, 7, 14, 21, 28, 35, 42, 49, 56, 63, 69, 76, 83, 90, 97, 104, 111, 118, 125, 132, 138, 145, 152, 159, 166, 173,
        180, 187, 194, 200,
    ]  # fmt: skip
    assert [n for n in range(1, 201) if "every-7" in outputs_of(n, 200, ("every-7",))][-1] == 197


def test_an_image_is_written_to_the_outputs_in_the_order_of_production() -> None:
    message = gridscan(**{"every-2": 5, "every": 6, "select-1": 7, "1": 9, "last": 4, "first": 3})
    sent = outputs(message).frame(FrameResult(0, 0, NUMBERS, "native"), 1, 12.5)
    request = {
        "hdf5": MASTER, "hdf5-index": 0, "file": MASTER, "file-number": 1, "file-seen-at": 12.5,
        "parameters": {"scan_range": "1,1"},
    }  # fmt: skip
    assert told(sent) == [
        (queue, request) for queue in ("reduce.xray_centering", "images", "ispyb_pia", "xrc.i04", "any", "archive")
    ]


def test_a_replaced_analysis_is_answered_for() -> None:
    sent = list(outputs(gridscan()).frame(FrameResult(0, 1, NUMBERS, "native"), 4, 12.5))
    result = {
        "n_spots_4A": 354, "n_spots_no_ice": 380, "n_spots_total": 405, "total_intensity": 22808.0,
        "d_min_distl_method_1": 1.9, "d_min_distl_method_2": 2.0, "estimated_d_min": 1.8, "noisiness_method_1": 0.5,
        "noisiness_method_2": 0.6, "file": MASTER, "file-number": 2, "file-seen-at": 12.5,
    }  # fmt: skip
    assert told(sent) == [("reduce.xray_centering", result), ("ispyb_pia", result)]
    body = sent[0].body
    assert (body["recipe-path"], body["recipe-pointer"], body["environment"]) == ([1, 2], 3, {"ID": "guid"})
    assert list(body["recipe"]) == ["3", "9", "start"]


def test_a_frame_that_cannot_be_analysed_was_seen_all_the_same() -> None:
    failed = FrameFailed(0, 0, "its chunk is damaged")
    assert [name for name, _ in told(outputs(gridscan()).frame(failed, 4, 1.0))] == ["images"]


@pytest.mark.parametrize("output", [2, [2], {"result": 2}])
def test_a_step_for_the_whole_collection_has_one_output(output: Any) -> None:
    parameters = {"dcid": 7, "filename": "ins_4", "message_index": 0, "number_of_frames": 30, "start_frame_index": 0}
    message = envelope(
        {"1": {"queue": "per_image_analysis.gpu", "parameters": parameters, "output": output}, "2": {"queue": "xrc"}}
    )
    one = outputs(message)
    assert one.request.dcid == 7
    assert [name for name, _ in told(one.frame(FrameResult(0, 0, NUMBERS, "native"), 30, 1.0))] == ["xrc"]
    assert not list(one.end(Tally(30, 30, None)))


def test_the_end_says_whether_all_came() -> None:
    one = outputs(gridscan())
    assert told(one.end(Tally(4, 4, None))) == [
        ("any", {"images-expected": 4, "images-seen": 4}),
        ("archive", {"images-expected": 4, "images-seen": 4, "success": True}),
    ]
    assert told(one.end(Tally(4, 3, 2))) == [
        ("timeouts", {"file": MASTER, "hdf5-index": 2, "success": False}),
        ("any", {"images-expected": 4, "images-seen": 3}),
        ("archive", {"images-expected": 4, "images-seen": 3, "success": False}),
    ]
    assert told(one.end(Tally(None, 0, None))) == [
        ("timeouts", {"file": MASTER, "hdf5-index": 0, "success": False}),
        ("archive", {"images-expected": None, "images-seen": 0, "success": False}),
    ]


def test_only_some_outputs_need_to_know_how_many_there_will_be() -> None:
    assert not needs_total(outputs(gridscan()).request)
    assert needs_total(outputs(gridscan(last=2)).request)
    assert needs_total(outputs(gridscan(**{"select-250": 2})).request)


def test_a_message_may_go_to_a_queue_and_a_topic() -> None:
    message = envelope({"1": {"output": 2}, "2": {"queue": "q", "topic": "t", "exchange": "x", "transport-delay": 5}})
    body = next(iter(Step.parse(message).message(2, {}))).body
    assert list(Step.parse(message).message(2, {})) == [
        Outgoing("queue", "q", body, "x", 5), Outgoing("topic", "t", body, "x", 5)
    ]  # fmt: skip
