"""BPMN files: each element with the verdict that its meaning gives, and files that others wrote."""

from __future__ import annotations

import asyncio
import os
import random
import re
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from petriflow import Engine, Workflow, verify
from petriflow.formats.bpmn import BpmnModel, read_bpmn
from petriflow.formats.bpmn.elements import NODES
from petriflow.formats.bpmn.stub import stub
from petriflow.formats.target import load_target
from petriflow.net.errors import DefinitionError, FormatError, PetriflowError
from petriflow.patterns.fragment import Event, Timer

NAMESPACE = "http://www.omg.org/spec/BPMN/20100524/MODEL"


def bpmn(*elements: str, flows: str = "", more: str = "") -> str:
    """A file with one process `p` of these elements; flows as `a>b a>c`, or `a>b?total > 5`."""
    drawn = []
    for n, flow in enumerate(filter(None, (f.strip() for f in flows.split(",")))):
        ends, _, condition = flow.partition("?")
        source, target = ends.split(">")
        inside = f"<conditionExpression>{condition}</conditionExpression>" if condition else ""
        drawn.append(
            f'<sequenceFlow id="f{n}" sourceRef="{source}" targetRef="{target}">{inside}'
            "</sequenceFlow>"
        )
    body = "".join((*elements, *drawn))
    return f'<definitions xmlns="{NAMESPACE}"><process id="p">{body}</process>{more}</definitions>'


def node(kind: str, id: str, inside: str = "", **attributes: str) -> str:
    given = "".join(f' {name}="{value}"' for name, value in attributes.items())
    return f'<{kind} id="{id}" name="{id}"{given}>{inside}</{kind}>'


START, END = node("startEvent", "start"), node("endEvent", "end")
TIMER = "<timerEventDefinition><timeDuration>PT1H</timeDuration></timerEventDefinition>"
MESSAGE = "<messageEventDefinition/>"


def task(id: str, **attributes: str) -> str:
    return node("serviceTask", id, **attributes)


@pytest.fixture
def read(tmp_path: Path) -> Any:
    def read(text: str, **options: Any) -> BpmnModel:
        file = tmp_path / "file.bpmn"
        file.write_text(text)
        return read_bpmn(file, **options)

    return read


def only(model: BpmnModel) -> Workflow:
    process = model.process()
    assert isinstance(process, Workflow)
    return process


def fates(model: BpmnModel) -> dict[str, str]:
    return {item.id: item.fate for item in model.report.items}


def gateway(kind: str, *ids: str) -> list[str]:
    return [node(f"{kind}Gateway", id) for id in ids]


SIDE_BY_SIDE = "start>split, split>a, split>b, a>join, b>join, join>end"
VERDICTS = {
    "a sequence": (["a"], [], "start>a, a>end", "sound"),
    "exclusive, merged": (["a", "b"], gateway("exclusive", "split", "join"), SIDE_BY_SIDE, "sound"),
    "parallel, joined": (["a", "b"], gateway("parallel", "split", "join"), SIDE_BY_SIDE, "sound"),
    "inclusive, joined": (["a", "b"], gateway("inclusive", "split", "join"), SIDE_BY_SIDE, "sound"),
    "complex, joined": (["a", "b"], gateway("complex", "split", "join"), SIDE_BY_SIDE, "sound"),
    "exclusive, then a parallel join": (
        ["a", "b"],
        [*gateway("exclusive", "split"), *gateway("parallel", "join")],
        SIDE_BY_SIDE,
        "unsound",
    ),
    # A process ends when its last token has come to an end, so that this is well-behaved.
    "parallel, then merged": (
        ["a", "b"],
        [*gateway("parallel", "split"), *gateway("exclusive", "join")],
        SIDE_BY_SIDE,
        "sound",
    ),
    "parallel, two ends": (
        ["a", "b"],
        [*gateway("parallel", "split"), node("endEvent", "end2")],
        "start>split, split>a, split>b, a>end, b>end2",
        "sound",
    ),
    "two flows out of a task": (["a", "b", "c"], [], "start>a, a>b, a>c, b>end, c>end", "sound"),
    "two flows into a task": (
        ["a", "b", "c"],
        gateway("exclusive", "split"),
        "start>split, split>a, split>b, a>c, b>c, c>end",
        "sound",
    ),
    "a cycle by gateways": (
        ["a", "b"],
        gateway("exclusive", "join", "again"),
        "start>join, join>a, a>again, again>b, b>join, again>end",
        "sound",
    ),
    "nothing starts it": (["a", "b"], gateway("parallel", "join"), "a>join, b>join", "sound"),
}


@pytest.mark.promise("BPMN-1")
@pytest.mark.parametrize("name", VERDICTS)
def test_a_process_has_the_verdict_that_its_elements_give(read: Any, name: str) -> None:
    tasks, others, flows, verdict = VERDICTS[name]
    ends = [START] * ("start" in flows) + [END] * ("end" in re.findall(r"\w+", flows))
    model = read(bpmn(*ends, *map(task, tasks), *others, flows=flows))
    assert only(model).verify().verdict == verdict
    assert {t.rpartition("/")[2] for t in only(model).tasks} == set(tasks)


def test_a_process_that_never_ends_is_unsound(read: Any) -> None:
    process = read(bpmn(START, task("a"), task("b"), flows="start>a, a>b, b>a")).process()
    assert verify(process).verdict == "unsound"


def test_a_wrong_join_is_named(read: Any) -> None:
    tasks, others, flows, _ = VERDICTS["exclusive, then a parallel join"]
    model = read(bpmn(START, END, *map(task, tasks), *others, flows=flows))
    assert "'join' of bpmn 'p'" in str(only(model).verify())


EVENTS = {
    "a timer": ([node("intermediateCatchEvent", "wait", TIMER)], "start>wait, wait>a, a>end"),
    "a message": ([node("intermediateCatchEvent", "wait", MESSAGE)], "start>wait, wait>a, a>end"),
    "a receive task": ([node("receiveTask", "wait")], "start>wait, wait>a, a>end"),
    "the first of two events": (
        [
            node("eventBasedGateway", "which"),
            node("intermediateCatchEvent", "paid", MESSAGE),
            node("intermediateCatchEvent", "late", TIMER),
        ],
        "start>which, which>paid, which>late, paid>a, late>end, a>end",
    ),
    "instead of a task": (
        [node("boundaryEvent", "late", TIMER, attachedToRef="a"), task("b")],
        "start>a, a>end, late>b, b>end",
    ),
    "beside a task": (
        [
            node("boundaryEvent", "late", TIMER, attachedToRef="a", cancelActivity="false"),
            task("b"),
        ],
        "start>a, a>end, late>b, b>end",
    ),
    "both at one task": (
        [
            node("boundaryEvent", "late", TIMER, attachedToRef="a", cancelActivity="false"),
            node("boundaryEvent", "no", MESSAGE, attachedToRef="a"),
            task("b"),
        ],
        "start>a, a>end, late>b, b>end, no>end",
    ),
    "a link": (
        [
            node("intermediateThrowEvent", "there", '<linkEventDefinition name="x"/>'),
            node("intermediateCatchEvent", "here", '<linkEventDefinition name="x"/>'),
        ],
        "start>a, a>there, here>end",
    ),
    "terminate": (
        [
            *gateway("parallel", "split"),
            task("b"),
            node("endEvent", "stop", "<terminateEventDefinition/>"),
        ],
        "start>split, split>a, split>b, a>stop, b>end",
    ),
    "a message that is sent": (
        [node("intermediateThrowEvent", "tell", MESSAGE)],
        "start>a, a>tell, tell>end",
    ),
    "two beginnings": (
        [node("startEvent", "called", MESSAGE), node("startEvent", "daily", TIMER)],
        "called>a, daily>a, a>end",
    ),
}


@pytest.mark.promise("BPMN-1")
@pytest.mark.parametrize("name", EVENTS)
def test_events_are_sound_where_they_are_used_as_meant(read: Any, name: str) -> None:
    others, flows = EVENTS[name]
    start = [START] * ("start" in flows)
    model = read(bpmn(*start, END, task("a"), *others, flows=flows))
    assert only(model).verify().verdict == "sound"


def test_what_is_waited_for_is_a_trigger_of_the_net(read: Any) -> None:
    others, flows = EVENTS["the first of two events"]
    flow = only(read(bpmn(START, END, task("a"), *others, flows=flows)))
    assert set(flow.fragment.triggers.values()) == {Event("paid"), Timer(3600)}


def sub(id: str, *elements: str, flows: str, kind: str = "subProcess", **attributes: str) -> str:
    inside = re.sub(r'id="f', f'id="{id}f', bpmn(*elements, flows=flows))
    body = re.search(r'<process id="p">(.*)</process>', inside, re.DOTALL)
    assert body is not None
    return node(kind, id, body[1], **attributes)


INNER = (node("startEvent", "in"), task("work"))
SCOPES = {
    "plain": (sub("s", *INNER, node("endEvent", "out"), flows="in>work, work>out"), ""),
    "an error, caught": (
        sub(
            "s",
            *INNER,
            *gateway("exclusive", "ok"),
            node("endEvent", "out"),
            node("endEvent", "bad", "<errorEventDefinition/>"),
            flows="in>work, work>ok, ok>out, ok>bad",
        )
        + node("boundaryEvent", "caught", "<errorEventDefinition/>", attachedToRef="s"),
        ", caught>end",
    ),
    "an error that nobody catches": (
        sub(
            "s",
            *INNER,
            *gateway("exclusive", "ok"),
            node("endEvent", "out"),
            node("endEvent", "bad", "<errorEventDefinition/>"),
            flows="in>work, work>ok, ok>out, ok>bad",
        ),
        "",
    ),
    "terminated inside": (
        sub(
            "s",
            *INNER,
            task("beside"),
            *gateway("parallel", "split"),
            node("endEvent", "out"),
            node("endEvent", "stop", "<terminateEventDefinition/>"),
            flows="in>split, split>work, split>beside, work>stop, beside>out",
        ),
        "",
    ),
    "interrupted from outside": (
        sub("s", *INNER, node("endEvent", "out"), flows="in>work, work>out")
        + node("boundaryEvent", "late", TIMER, attachedToRef="s"),
        ", late>end",
    ),
    "one that ends only by interruption": (
        sub("s", *INNER, flows="in>work, work>work")
        + node("boundaryEvent", "late", TIMER, attachedToRef="s"),
        ", late>end",
    ),
    "an event sub-process instead": (
        sub("s", *INNER, node("endEvent", "out"), flows="in>work, work>out")
        + sub(
            "h",
            node("startEvent", "called", MESSAGE),
            task("handle"),
            node("endEvent", "handled"),
            flows="called>handle, handle>handled",
            triggeredByEvent="true",
        ),
        "",
    ),
    "an event sub-process beside": (
        sub("s", *INNER, node("endEvent", "out"), flows="in>work, work>out")
        + sub(
            "h",
            node("startEvent", "called", MESSAGE, isInterrupting="false"),
            task("handle"),
            node("endEvent", "handled"),
            flows="called>handle, handle>handled",
            triggeredByEvent="true",
        ),
        "",
    ),
    "several instances": (
        sub("s", *INNER, node("endEvent", "out"), flows="in>work, work>out").replace(
            "</subProcess>", "<multiInstanceLoopCharacteristics/></subProcess>"
        ),
        "",
    ),
    "a loop": (
        node("task", "s", "<standardLoopCharacteristics/>"),
        "",
    ),
}


@pytest.mark.promise("BPMN-1")
@pytest.mark.parametrize("name", SCOPES)
def test_sub_processes_are_blocks(read: Any, name: str) -> None:
    inside, flows = SCOPES[name]
    model = read(
        bpmn(START, END, inside, task("after"), flows=f"start>s, s>after, after>end{flows}")
    )
    if name == "one that ends only by interruption":
        assert fates(model)["after"] == "kept"
        assert any(i.became == "nothing ever comes to it" for i in model.report.liberties)
    assert only(model).verify().verdict == "sound"


def test_lanes_name_the_roles_of_people(read: Any) -> None:
    lanes = (
        '<laneSet id="l"><lane id="c" name="clerk"><flowNodeRef>a</flowNodeRef></lane></laneSet>'
    )
    model = read(bpmn(lanes, START, END, node("userTask", "a"), flows="start>a, a>end"))
    assert [t.role for t in only(model).tasks.values()] == ["clerk"]


@pytest.mark.promise("BPMN-2")
async def test_conditions_become_guards_and_bound_tasks_run(read: Any) -> None:
    seen: list[str] = []

    def step(name: str) -> Any:
        def body(case: Any) -> None:
            seen.append(name)

        return body

    text = bpmn(
        START,
        END,
        node("exclusiveGateway", "which", default="f3"),
        *map(task, ["large", "small", "none"]),
        flows="start>which, which>large?${total &gt;= 100 &amp;&amp; open}, "
        "which>small?#{total gt 0}, which>none, large>end, small>end, none>end",
    )
    bodies = {name: step(name) for name in ("large", "small", "none")}
    flow = only(read(text, tasks=bodies))
    (asked,) = flow.questions.values()
    assert [q.text if q else None for q in asked] == [
        "total >= 100 and open", "total > 0", None,
    ]  # fmt: skip
    async with Engine("sqlite://", workflows=[flow]) as engine:
        for total in (200, 5, 0):
            case = await engine.start(flow, {"total": total, "open": True})
            assert (await case.wait()).completed
    assert seen == ["large", "small", "none"]


async def test_a_step_without_a_body_says_how_to_give_it_one(read: Any) -> None:
    flow = only(read(bpmn(START, END, task("a"), flows="start>a, a>end")))
    async with Engine("sqlite://", workflows=[flow]) as engine:
        outcome = await (await engine.start(flow)).wait()
    assert outcome.status == "failed"
    assert "`petriflow bind file.bpmn`" in str(outcome.error)


def test_pools_are_processes_and_their_messages_events(read: Any) -> None:
    other = (
        f'<process id="q">{START}{task("b")}{END}'
        '<sequenceFlow id="g" sourceRef="start" targetRef="b"/>'
        '<sequenceFlow id="h" sourceRef="b" targetRef="end"/></process>'
        '<collaboration id="c"><participant id="x" name="Shop" processRef="p"/>'
        '<participant id="y" name="Bank" processRef="q"/>'
        '<messageFlow id="m" sourceRef="a" targetRef="b"/></collaboration>'
    )
    model = read(bpmn(START, END, task("a"), flows="start>a, a>end", more=other))
    assert list(model.processes) == ["Shop", "Bank"]
    assert fates(model)["m"] == "no part"
    with pytest.raises(DefinitionError, match=r"several processes.*file.bpmn:Shop"):
        model.process()


def test_what_cannot_be_kept_is_told(read: Any) -> None:
    undo = node("boundaryEvent", "undo", "<compensateEventDefinition/>", attachedToRef="a")
    model = read(
        bpmn(
            START,
            END,
            task("a"),
            undo,
            task("reverse", isForCompensation="true"),
            task("island"),
            node("adHocSubProcess", "any", task("whatever")),
            node("intermediateCatchEvent", "when", "<timerEventDefinition><timeDate>"
                 "2030-01-01T00:00:00</timeDate></timerEventDefinition>"),
            "<textAnnotation id='note'/>",
            flows="start>a, a>any, any>when, when>end",
        )
    )  # fmt: skip
    assert fates(model) == {
        "start": "kept", "a": "kept", "end": "kept", "undo": "left out", "reverse": "left out",
        "island": "left out", "any": "changed", "whatever": "left out", "when": "changed",
        "note": "no part", "f0": "kept", "f1": "kept", "f2": "kept", "f3": "kept",
    }  # fmt: skip
    assert "island" in str(model.report)
    assert "<table>" in model.report._repr_html_()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<pnml/>", "no BPMN file: its root is <pnml>"),
        (f'<definitions xmlns="{NAMESPACE}"/>', "there is no process in it"),
        (bpmn(START, flows="start>nowhere"), "ends at 'nowhere', which is no activity"),
        (bpmn(START, START), "there are two elements 'start'"),
        (bpmn(node("boundaryEvent", "b", attachedToRef="x")), "attached to 'x'"),
        ('<!DOCTYPE d [<!ENTITY a "b">]><definitions/>', "document type"),
        (sub("s", flows="") * 2, "not well-formed"),
    ],
)
def test_what_is_no_process_is_refused(read: Any, text: str, told: str) -> None:
    with pytest.raises(FormatError, match=re.escape(told)):
        read(text)


def test_deep_nesting_is_refused(read: Any) -> None:
    text = START
    for n in range(60):
        text = node("subProcess", f"s{n}", text)
    with pytest.raises(FormatError, match="50 deep"):
        read(bpmn(text))


def test_a_key_that_is_no_step_is_refused(read: Any) -> None:
    with pytest.raises(DefinitionError, match="'b' is no step"):
        read(bpmn(START, END, task("a"), flows="start>a, a>end"), tasks={"b": print})


@pytest.mark.promise("BPMN-2")
def test_a_stub_names_every_step_and_is_a_model(read: Any, tmp_path: Path) -> None:
    model = read(
        bpmn(
            START, END, task("a-1"), task("class"), node("userTask", "sign"),
            flows="start>a-1, a-1>class, class>sign, sign>end",
        )
    )  # fmt: skip
    (tmp_path / "steps.py").write_text(stub(model, tmp_path))
    flow = load_target(str(tmp_path / "steps.py"))
    assert isinstance(flow, Workflow)
    assert flow.verify().verdict == "sound"
    assert {t.qualified_name.rpartition(".")[2] for t in flow.tasks.values()} == {
        "a_1", "step_class", "by_a_person",
    }  # fmt: skip


# -- files that others wrote ----------------------------------------------------------------------


def corpus() -> list[Path]:
    folder = os.environ.get("PETRIFLOW_CORPORA")
    return sorted(Path(folder, "bpmn").glob("*/*.bpmn")) if folder else []


@pytest.mark.promise("BPMN-3")
@pytest.mark.parametrize("file", corpus(), ids=lambda file: file.stem)
def test_every_file_of_the_corpus_is_read_and_every_element_is_told(file: Path) -> None:
    model = read_bpmn(file)
    told = {item.id for item in model.report.items}
    for element in etree.parse(file).iter():
        parent = element.getparent()
        kind = etree.QName(element).localname if isinstance(element.tag, str) else ""
        inside = parent is not None and etree.QName(parent).localname in (
            "process", "subProcess", "transaction", "adHocSubProcess",
        )  # fmt: skip
        if inside and kind in NODES | {"sequenceFlow"}:
            assert element.get("id") in told, element.get("id")
    for process in model.processes.values():
        net = process.net if isinstance(process, Workflow) else process
        assert (net.source.id, net.sink.id) == (f"{net.name}.in", f"{net.name}.out")


@pytest.mark.skipif(not corpus(), reason="PETRIFLOW_CORPORA names no folder with BPMN files")
def test_the_reference_models_have_verdicts() -> None:
    found = {}
    for file in corpus():
        if file.parent.name == "miwg":
            for name, process in read_bpmn(file).processes.items():
                net = process.expanded if isinstance(process, Workflow) else process
                found[file.stem, name] = verify(net, max_markings=20_000).verdict
    assert "unknown" not in found.values()
    # Only the two files that show every element, joined as no process would be, are wrong.
    assert {file for (file, _), verdict in found.items() if verdict == "unsound"} <= {"B.2.0"}


def scribbled(chance: random.Random, data: bytearray, other: bytes) -> bytes:
    """The bytes with a few places damaged."""
    for _ in range(chance.randint(1, 6)):
        at, size = chance.randrange(len(data)), chance.randint(1, 40)
        match chance.randrange(4):
            case 0:
                del data[at : at + size]
            case 1:
                data[at : at + size] = bytes(chance.randrange(256) for _ in range(size))
            case 2:
                data[at:at] = data[at // 2 : at // 2 + size]
            case 3:
                data[at : at + size] = other[at % len(other) :][:size]
    return bytes(data)


def rearranged(chance: random.Random, data: bytes) -> bytes:
    """Well-formed XML with elements lost, doubled or moved, and attributes exchanged."""
    root = etree.fromstring(data)
    for _ in range(chance.randint(1, 6)):
        elements = [e for e in root.iter() if isinstance(e.tag, str) and e is not root]
        one, two = chance.choice(elements), chance.choice(elements)
        match chance.randrange(4):
            case 0:
                one.getparent().remove(one)
            case 1:
                one.getparent().append(etree.fromstring(etree.tostring(one)))
            case 2:
                if one not in two.iterancestors() and one is not two:
                    two.append(one)
            case 3:
                for name in one.attrib:
                    one.attrib[name] = chance.choice([*two.attrib.values(), "", "x", "true"])
    return etree.tostring(root)


@pytest.mark.slow
@pytest.mark.skipif(not corpus(), reason="PETRIFLOW_CORPORA names no folder with BPMN files")
def test_damaged_files_give_clear_errors(tmp_path: Path) -> None:
    chance, file = random.Random(5), tmp_path / "damaged.bpmn"
    sources = [f.read_bytes() for f in corpus() if f.stat().st_size < 60_000]
    read = refused = 0
    for n in range(1_000):
        data = chance.choice(sources)
        if n % 4:
            file.write_bytes(rearranged(chance, data))
        else:
            file.write_bytes(scribbled(chance, bytearray(data), chance.choice(sources)))
        try:
            read_bpmn(file)
            read += 1
        except PetriflowError:
            refused += 1
    assert min(read, refused) > 100


def test_the_loop_is_that_of_the_engine_that_runs_it(read: Any) -> None:
    """A task with a standard loop runs again as long as its condition says so."""
    loop = "<standardLoopCharacteristics><loopCondition>n &lt; 3</loopCondition>"
    looped = node("task", "s", f"{loop}</standardLoopCharacteristics>")
    text = bpmn(START, END, looped, flows="start>s, s>end")
    flow = only(read(text, tasks={"s": lambda case: {"n": case["n"] + 1}}))
    outcome = asyncio.run(flow.arun({"n": 0}))
    assert (outcome.status, outcome.variables) == ("completed", {"n": 3})
