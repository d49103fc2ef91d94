"""What a verdict says: in the words of the workflow's tasks, as data, and as a picture."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from petriflow import Workflow, explore
from petriflow.analysis import Report, verify
from petriflow.net import Marking, Net, replay
from petriflow.net.errors import DefinitionError, WorkflowNetError
from petriflow.patterns import parallel, sequence, skip

from ..execution.test_case import trap


def check_order(case: object) -> None: ...
def pack(case: object) -> None: ...


def net(**transitions: dict[str, Any]) -> Net:
    """A net from i to o whose places are those that its transitions name."""
    places = {"i": None, "o": None}
    for arcs in transitions.values():
        for ends in arcs.values():
            places.update(dict.fromkeys([ends] if isinstance(ends, str) else ends))
    builder = Net.build("net").places(*places)
    for id, arcs in transitions.items():
        builder.transition(id, **arcs)
    return builder.done()


STUCK = net(
    call={"consume": "i", "produce": "phoned"},
    write={"consume": "i", "produce": "written"},
    settle={"consume": ["phoned", "written"], "produce": "o"},
)
LEFT_OVER = net(
    split={"consume": "i", "produce": ["a", "b"]},
    first={"consume": "a", "produce": "o"},
    second={"consume": "b", "produce": "o"},
)
CAUGHT = net(
    enter={"consume": "i", "produce": "a"},
    turn={"consume": "a", "produce": "a"},
    leave={"consume": "i", "produce": "o"},
)
PILING = net(
    begin={"consume": "i", "produce": "a"},
    more={"consume": "a", "produce": ["a", "b"]},
    leave={"consume": ["a", "b"], "produce": "o"},
)
NEVER = net(
    go={"consume": "i", "produce": "o"},
    dream={"consume": ["i", "wish"], "produce": ["o"]},
    wake={"consume": "wish", "produce": "wish"},
)


@pytest.mark.promise("VERIFY-7")
@pytest.mark.parametrize("form", ["expanded", "atomic"])
def test_a_witness_is_told_by_the_names_of_the_tasks(form: Any) -> None:
    flow = Workflow("shop", sequence(check_order, parallel(pack, skip, name="both"), trap()))
    report = flow.verify(form=form)
    text = str(report)
    assert report.verdict == "unsound"
    assert report.witness is not None
    way = [line.strip() for line in text.split("The way there:")[1].split("Then")[0].splitlines()]
    steps = [line for line in way if line]
    assert steps[0].startswith(
        "1. 'check_order' (shop/check_order)" if form == "expanded" else "1."
    )
    assert any("pack" in line and "shop/both/pack" in line for line in steps)
    assert "waits for ever: it needs 2 tokens, and has 1, on 'shop/trap.mid'" in text
    *_, last = replay(report.net, report.witness.trace)
    assert last == report.witness.marking


@pytest.mark.promise("VERIFY-7")
@pytest.mark.parametrize(
    ("bad", "kind", "lines"),
    [
        (
            STUCK,
            "deadlock",
            [
                "1. 'call'",
                "'settle' waits for ever: it lacks a token on 'written', brought by 'write'",
            ],
        ),
        (LEFT_OVER, "improper-completion", ["1. 'split'", "Left over: a token on 'b'"]),
        (CAUGHT, "livelock", ["1. 'enter'", "round and round: 'turn'"]),
        (PILING, "unbounded", ["1. 'begin'", "again and again: 'more'"]),
        (NEVER, "dead-transitions", ["can never happen: 'dream', 'wake'"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_kind_of_fault_is_told(bad: Net, kind: str, lines: list[str]) -> None:
    report = verify(bad)
    assert report.witness is not None
    assert report.witness.kind == kind
    for line in lines:
        assert line in str(report)
    page = report._repr_html_()
    assert page.startswith("<details open>")
    svg = page[page.index("<svg") : page.index("</svg>") + 6]
    assert ET.fromstring(svg).tag.endswith("svg")


@pytest.mark.promise("VERIFY-8")
@pytest.mark.parametrize("bad", [STUCK, LEFT_OVER, CAUGHT, PILING, NEVER])
def test_an_unsound_net_is_a_report_and_no_error(bad: Net) -> None:
    report = verify(bad)
    assert isinstance(report, Report)
    assert report.verdict == "unsound"
    assert json.loads(json.dumps(report.to_json()))["verdict"] == "unsound"


def test_a_sound_report_is_folded_and_short() -> None:
    report = Workflow("w", parallel(check_order, pack)).verify()
    assert str(report) == "w is sound (expanded form, by state space: 11 markings, 14 edges)"
    assert report._repr_html_().startswith("<details><summary>✓ w is sound")


def test_a_report_escapes_what_names_hold() -> None:
    hostile = net(
        **{
            "<script>x": {"consume": "i", "produce": "a"},
            "b": {"consume": ["a", "i"], "produce": "o"},
        }
    )
    page = verify(hostile, name="<b>")._repr_html_()
    assert "<script>" not in page
    assert "<b>:" not in page
    assert "&lt;script&gt;x" in page


def test_a_broken_path_is_a_warning_and_no_fault() -> None:
    aside = net(go={"consume": "i", "produce": "o"}, round={"consume": "x", "produce": "x"})
    report = verify(aside)
    assert [fault.kind for fault in report.faults] == ["dead-transitions"]
    assert any("not on a path from 'i' to 'o'" in w and "'x'" in w for w in report.warnings)


def test_a_net_without_a_single_source_and_sink_is_no_workflow_net() -> None:
    two_ends = net(a={"consume": "i", "produce": ["o"]}, b={"consume": "i", "produce": "p"})
    with pytest.raises(WorkflowNetError, match="'o', 'p'"):
        verify(two_ends)


def test_a_form_that_cannot_be_judged_is_an_error_and_not_another_form() -> None:
    flow = Workflow("w", check_order)
    with pytest.raises(DefinitionError, match="expanded form"):
        verify(flow.expanded, form="atomic")
    with pytest.raises(DefinitionError, match="use 'atomic' or 'expanded'"):
        verify(flow.net, form="atomc")  # type: ignore[arg-type]


@pytest.mark.parametrize("what", [verify, explore])
def test_what_is_no_net_is_refused_with_the_way_to_one(what: Callable[..., object]) -> None:
    flow = Workflow("w", check_order)
    with pytest.raises(DefinitionError, match=rf"{what.__name__} takes a Net.*pass its \.net"):
        what(flow)
    with pytest.raises(DefinitionError, match=r"pass its \.net"):
        what(parallel(check_order, pack))
    with pytest.raises(DefinitionError, match="not None"):
        what(None)


def test_a_long_way_is_told_without_its_middle() -> None:
    build = Net.build("long").place("p0")
    for n in range(40):
        build.place(f"p{n + 1}").transition(f"t{n}", f"p{n}", f"p{n + 1}")
    build.places("never", "end").transition("last", ["p40", "never"], "end")
    report = verify(replace(build.done(), initial=Marking("p0"), final=Marking("end")))
    text = str(report)
    assert "  4. 't3'" in text
    assert "… 26 more steps …" in text
    assert "  40. 't39'" in text
    assert "'t20'" not in text.split("The way there:")[1].split("Then")[0]
    assert len(report.diagnosis[0].way) == 40
