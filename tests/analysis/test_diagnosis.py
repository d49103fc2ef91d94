"""A diagnosis names the split and the join that do not fit, and says nothing that is not so."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from petriflow import Workflow
from petriflow.analysis import Witness, verify
from petriflow.analysis.diagnosis.diagnose import Diagnosis, diagnose
from petriflow.analysis.diagnosis.history import history
from petriflow.formats.pnml import read_pnml
from petriflow.net import Marking, Net, Place, Transition, enabled, fire, is_enabled, replay
from petriflow.patterns import (
    Fragment,
    exclusive_choice,
    parallel,
    sequence,
    skip,
    structured_loop,
    when,
)

from ..nets import brute_force, nets
from ..patterns.brute import a, b, c
from .reference import published, read_net
from .test_reduction import damaged, ordinary

# -- workflows with a known fault -----------------------------------------------------------

#: name -> net, kind, split, join; the split and the join are what was built wrongly
PLANTED: dict[str, tuple[str, str, str | None, str | None]] = {
    "exclusive split, parallel join": (
        "card: i → a; bank: i → b; pay: a → a1; send: b → b1; ship: a1 b1 → o",
        "exclusive-split-parallel-join", "i", "ship",
    ),
    "the same, inside a parallel branch": (
        "fork: i → s z; card: s → a; bank: s → b; pay: a b → d; pack: z → y; ship: d y → o",
        "exclusive-split-parallel-join", "s", "pay",
    ),
    "the same, and the join comes late": (
        "x: i → a; y: i → b; A: a → a1; B: b → b1; wait: a1 b1 → c; log: c → d; end: d → o",
        "exclusive-split-parallel-join", "i", "wait",
    ),
    "parallel split, simple merge at the end": (
        "fork: i → a b; A: a → o; B: b → o",
        "parallel-split-simple-merge", "fork", "o",
    ),
    "parallel split, simple merge before a step": (
        "fork: i → a b; A: a → m; B: b → m; bill: m → o",
        "parallel-split-simple-merge", "fork", "m",
    ),
    "parallel split, simple merge, in a loop": (
        "in: i → s; fork: s → a b; A: a → d; B: b → d; more: d → s; end: d → o",
        "parallel-split-simple-merge", "fork", "d",
    ),
    "a merge of threads": (
        "three: i → 3*q; T: q → o",
        "parallel-split-simple-merge", "three", "q",
    ),
    "a loop out of a parallel branch": (
        "in: i → s; fork: s → a b; A: a → a1; B: b → b1; back: a1 → s; join: a1 b1 → o",
        "loop-in-branch", "fork", "join",
    ),
    "a loop into a parallel branch": (
        "fork: i → a b; A: a → a1; B: b → b1; join: a1 b1 → c; back: c → a; end: c → o",
        "branch-entered", "c", "join",
    ),
    "a way out of a parallel branch": (
        "fork: i → a b; A: a → a1; jump: a1 → o; stay: a1 → a2; B: b → b1; join: a2 b1 → o",
        "branch-left", "fork", "join",
    ),
    "a way into a parallel branch": (
        "all: i → s; some: i → a; fork: s → a b; A: a → a1; B: b → b1; join: a1 b1 → o",
        "branch-entered", "i", "join",
    ),
    "two choices that must agree": (
        "fork: i → a b; ax: a → p; ay: a → q; bx: b → r; by: b → s; jx: p r → o; jy: q s → o",
        "independent-choices", "fork", "jx",
    ),
    "a choice that is forgotten": (
        "no: i → m; yes: i → m extra; A: extra → done; go: m → o; all: m done → o",
        "independent-choices", "i", "all",
    ),
    "a lock that is not given back": (
        "fork: i → a b lock; take: a lock → w; work: w → a1; also: b lock → v; "
        "play: v → b1 lock; end: a1 b1 lock → o",
        "not-given-back", "take", None,
    ),
    "locks in different order": (
        "fork: i → a b m n; a1: a m → c; a2: c n → d; A: d → e m n; b1: b n → f; b2: f m → g; "
        "B: g → h m n; join: e h m n → o",
        "circular-wait", None, "a2",
    ),
    "a cancelled region without a place of its own": (
        "fork: i → a w; A: a → a1; ok: a1 w → o; stop: w → c [reset a]; tell: c → o",
        "withdrawn-too-little", "stop", "a1",
    ),
    "a cancelled region with what a join needs": (
        "fork: i → a b; A: a → a1; B: b → b1 [reset a a1]; join: a1 b1 → o",
        "withdrawn-too-much", "B", "join",
    ),
    "a loop without a way out": (
        "good: i → a; bad: i → b; A: a → o; on: b → c; off: c → b",
        "no-exit", "i", None,
    ),
    "a loop with a way out that never opens": (
        "good: i → a k; bad: i → b; A: a k → o; on: b → c; off: c → b; out: b k → o",
        "exclusive-split-parallel-join", "i", "out",
    ),
    "a generator without a limit": (
        "start: i → c; more: c → c q; T: q c → c; stop: c → o",
        "endless-growth", "more", "q",
    ),
    "a place that nothing takes from": (
        "go: i → a note; A: a → o",
        "never-emptied", "go", "note",
    ),
    "too few threads": (
        "two: i → 2*q; T: q → r; three: 3*r → o",
        "too-few", "two", "three",
    ),
    "a milestone that is passed": (
        "fork: i → a b; A: a → m; B: m → a1; C: b → b1 [read m]; join: a1 b1 → o",
        "too-late", "m", "C",
    ),
    "a limit that is never kept": (
        "fork: i → a b; A: a → a1 [inhib b<1]; B: b a1 → o",
        "blocked", None, "A",
    ),
    "two OR-joins that wait for each other": (
        "_fork: i → x y; _X: x yx → x2 [OR-join]; _Y: y xy → y2 [OR-join]; _x: x2 → x3 xy; "
        "_y: y2 → y3 yx; _join: x3 y3 → o",
        "circular-wait", None, "_X",
    ),
    "a loop that is entered where it waits for itself": (
        "go: i → a; do: a b → c; again: c → a b; end: c → o",
        "never-brought", None, "do",
    ),
    "a step that hands on to nothing": (
        "good: i → o; bad: i → a; lose: a → ",
        "vanished", "lose", None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_the_split_and_the_join_that_were_built_wrongly_are_named(name: str) -> None:
    text, kind, split, join = PLANTED[name]
    report = verify(read_net(name, text))
    assert report.verdict == "unsound"
    found = report.diagnosis[0]
    assert (found.kind, found.split) == (kind, split)
    assert join is None or found.join == join
    assert split is None or repr(split) in str(found)


DEAD = {
    "its inputs exclude each other": (
        "x: i → a w; y: i → b w; both: a b w → o; out: w → x1 [reset a b]; end: x1 → o",
        "exclusive-split-parallel-join", "i", "both",
    ),
    "nothing brings what it needs": (
        "go: i → o; dream: i wish → o; wake: wish → wish",
        "never-brought", None, "dream",
    ),
    "it needs more than there ever is": (
        "go: i → a; all: 2*a → o; on: a → o",
        "too-few", None, "all",
    ),
    "it comes after a step that never happens": (
        "go: i → o; dream: i wish → d; then: d → e; last: e → o; wake: wish → wish",
        "never-brought", None, "dream",
    ),
    "its inputs come one after the other": (
        "go: i → a; on: a → b; both: a b → o; end: b → o",
        "never-together", None, "both",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DEAD)
def test_why_a_step_can_never_happen_is_told_by_the_first_that_cannot(name: str) -> None:
    text, kind, split, join = DEAD[name]
    report = verify(read_net(name, text))
    (fault,) = [fault for fault in report.faults if fault.kind == "dead-transitions"]
    found = diagnose(report.net, fault)
    assert (found.kind, found.split, found.join) == (kind, split, join)
    assert set(fault.transitions) <= {found.join, *found.culprits}


#: bad net of PATTERNS.md §3 -> kind, split, join of its gravest fault
BAD = {
    "BAD1": ("parallel-split-simple-merge", "_split", "o"),
    "BAD1b": ("parallel-split-simple-merge", "_split", "m"),
    "BAD2": ("exclusive-split-parallel-join", "i", "_join"),
    "BAD3": ("exclusive-split-parallel-join", "i", "_join"),
    "BAD4": ("parallel-split-simple-merge", "_sAB", "o"),
    "BAD5": ("loop-in-branch", "_split", "_join"),
    "BAD6": ("branch-entered", "c", "_join"),
    "BAD7": ("branch-left", "_split", "_join"),
    "BAD8": ("branch-entered", "i", "_join"),
    "BAD9": ("parallel-split-simple-merge", "_split", "d"),
    "BAD10": ("parallel-split-simple-merge", "_split", "d"),
    "BAD11": ("withdrawn-too-little", "Cancel", "a1"),
    "BAD12": ("withdrawn-too-little", "Cancel.complete", "A.running"),
    "BAD13": ("withdrawn-too-much", "B", "_join"),
    "BAD14": ("circular-wait", None, "_a2"),
    "BAD15": ("exclusive-split-parallel-join", "i", "_join"),
    "BAD16": ("endless-growth", "_more", "q"),
    "BAD17": ("no-exit", "i", None),
    "BAD18": ("independent-choices", "_split", "_jX"),
    "BAD20": ("branch-entered", "b.i", "_b.e1"),
}


@pytest.mark.parametrize("name", BAD)
def test_the_bad_nets_of_the_reference_are_diagnosed_as_they_are_described(name: str) -> None:
    (row,) = [row for row in published() if row.name.split()[0] == name]
    report = verify(row.net(), form="expanded" if name == "BAD12" else None)
    found = report.diagnosis[0]
    assert (found.kind, found.split, found.join) == BAD[name]


# -- one thing bent in a sound block structure ----------------------------------------------


def blocks(depth: int = 3) -> st.SearchStrategy[Fragment | Callable[..., None]]:
    """Sequences, parallel blocks, choices and loops: there the planted fault is the only one."""
    leaves: st.SearchStrategy[Fragment | Callable[..., None]] = st.sampled_from([a, b, c])
    if depth == 0:
        return leaves
    part = blocks(depth - 1)
    some = st.lists(part, min_size=2, max_size=3)
    return (
        leaves
        | some.map(lambda parts: sequence(*parts))
        | some.map(lambda parts: parallel(*parts))
        | some.map(_choice)
        | part.map(lambda body: structured_loop(body, until="x > 1"))
    )


def _choice(parts: list[Fragment | Callable[..., None]]) -> Fragment:
    branches = [when(f"x == {n}", part) for n, part in enumerate(parts)]
    return exclusive_choice(*branches, otherwise=skip)


def bent(net: Net, old: set[str], new: list[Transition], places: tuple[Place, ...] = ()) -> Net:
    kept = [t for t in net.transitions if t.id not in old]
    final = Marking(net.sink.id)
    return replace(net, places=(*net.places, *places), transitions=(*kept, *new), final=final)


def of_pattern(net: Net, pattern: str, role: str) -> list[Transition]:
    return [
        t
        for t in net.transitions
        if t.origin and t.origin.pattern == pattern and t.origin.role.startswith(role)
    ]


@st.composite
def with_a_block(draw: st.DrawFn, pattern: str) -> Net:
    """A sound net with such a block in it somewhere."""
    inner = draw(st.lists(blocks(1), min_size=2, max_size=3))
    block = parallel(*inner) if pattern == "parallel" else _choice(inner)
    around = draw(st.sampled_from(["alone", "sequence", "parallel", "choice", "loop"]))
    match around:
        case "alone":
            whole = block
        case "sequence":
            whole = sequence(draw(blocks(2)), block, draw(blocks(1)))
        case "parallel":
            whole = parallel(block, draw(blocks(2)))
        case "choice":
            whole = _choice([block, draw(blocks(2))])
        case _:
            whole = structured_loop(block, until="x > 1")
    return whole.net


def joined(selects: list[Transition]) -> str:
    """Where the branches of a choice meet: its empty branch leads there at once."""
    (empty,) = [t for t in selects if t.origin and t.origin.role == "select-otherwise"]
    (place,) = empty.produce
    return place


def judged(net: Net) -> Diagnosis:
    report = verify(net)
    assert report.verdict == "unsound"
    return report.diagnosis[0]


@pytest.mark.promise("VERIFY-13")
@settings(max_examples=30, deadline=None)
@given(with_a_block("parallel"), st.data())
def test_a_parallel_split_made_exclusive_is_found_with_its_join(
    net: Net, data: st.DataObject
) -> None:
    """Always: the block that waits is the one whose split was bent."""
    split = data.draw(st.sampled_from(of_pattern(net, "parallel", "split")))
    (place,) = split.consume
    ways = [
        replace(split, id=f"{split.id}-{n}", produce=Marking(p))
        for n, p in enumerate(split.produce)
    ]
    found = judged(bent(net, {split.id}, ways))
    assert found.kind == "exclusive-split-parallel-join"
    assert (found.split, found.join) == (place, split.id.removesuffix("split") + "join")


@pytest.mark.promise("VERIFY-13")
@settings(max_examples=30, deadline=None)
@given(with_a_block("choice"), st.data())
def test_a_merge_made_a_parallel_join_is_found_with_its_choice(
    net: Net, data: st.DataObject
) -> None:
    """Always: the choice before it is the split, and the join is the one that was put in."""
    path = data.draw(
        st.sampled_from(sorted({t.origin.path for t in of_pattern(net, "exclusive_choice", "")}))
    )
    selects = [t for t in of_pattern(net, "exclusive_choice", "select") if t.origin.path == path]
    (split,) = {p for t in selects for p in t.consume}
    merge = joined(selects)
    inside = [t for t in net.producers[merge] if t.id.startswith(path)]
    ends = tuple(Place(f"end-{n}") for n in range(len(inside)))
    new = [
        replace(t, produce=t.produce - Marking(merge) + Marking(end.id))
        for t, end in zip(inside, ends, strict=True)
    ]
    join = Transition("join-of-all", None, Marking([end.id for end in ends]), Marking(merge))
    found = judged(bent(net, {t.id for t in inside}, [*new, join], ends))
    assert found.kind == "exclusive-split-parallel-join"
    assert (found.split, found.join) == (split, "join-of-all")


@pytest.mark.promise("VERIFY-13")
@settings(max_examples=30, deadline=None)
@given(with_a_block("parallel"), st.data())
def test_a_parallel_join_made_a_simple_merge_is_found_with_its_split(
    net: Net, data: st.DataObject
) -> None:
    """Always: the split of the same block; and the place where its branches run together."""
    join = data.draw(st.sampled_from(of_pattern(net, "parallel", "join")))
    (meet,) = join.produce
    ways = [
        replace(join, id=f"{join.id}-{n}", consume=Marking(p)) for n, p in enumerate(join.consume)
    ]
    found = judged(bent(net, {join.id}, ways))
    assert found.kind == "parallel-split-simple-merge"
    assert (found.split, found.join) == (join.id.removesuffix("join") + "split", meet)


@pytest.mark.promise("VERIFY-13")
@settings(max_examples=30, deadline=None)
@given(with_a_block("choice"), st.data())
def test_a_choice_made_a_parallel_split_is_found_with_its_merge(
    net: Net, data: st.DataObject
) -> None:
    """Always: the step that takes all ways at once; and the place where they run together."""
    path = data.draw(
        st.sampled_from(sorted({t.origin.path for t in of_pattern(net, "exclusive_choice", "")}))
    )
    selects = [t for t in of_pattern(net, "exclusive_choice", "select") if t.origin.path == path]
    meet = joined(selects)
    every = Marking([p for t in selects for p in t.produce])
    split = Transition("all-at-once", None, selects[0].consume, every)
    found = judged(bent(net, {t.id for t in selects}, [split]))
    assert found.kind == "parallel-split-simple-merge"
    assert (found.split, found.join) == ("all-at-once", meet)


# -- what is claimed is so ------------------------------------------------------------------


def check(net: Net, fault: Witness, found: Diagnosis) -> None:
    """What a diagnosis claims, by the firing rule alone."""
    *_, marking = replay(net, fault.trace)
    assert marking == fault.marking
    assert found == diagnose(net, fault)
    assert found.remedy.endswith(".")
    assert all(sentence.endswith(".") for sentence in found.sentences)
    assert json.loads(json.dumps(found.to_json()))["kind"] == found.kind
    assert all(node in net for node in (*found.culprits, *found.missing, *found.left_over))
    match fault.kind:
        case "deadlock":
            assert found.left_over == marking
            if found.missing and found.join and found.kind != "circular-wait":
                _check_missing(net, marking, found)
            if found.kind == "exclusive-split-parallel-join":
                _check_choice(net, fault, found)
        case "improper-completion":
            assert Marking(net.sink.id) + found.left_over == marking
        case "unbounded":
            before = list(replay(net, fault.trace))[-1 - len(fault.transitions)]
            assert all(marking[p] > before[p] for p in found.left_over)
        case "dead-transitions":
            assert not found.left_over
            assert all(not net.producers[p] or _all_dead(net, p, fault) for p in found.missing)


def _check_missing(net: Net, marking: Marking, found: Diagnosis) -> None:
    """The join, or a step if that is a place, has something and lacks just what is missing."""
    joins = [t for t in net.transitions if found.join in (t.id, *net.producers)]
    lacks = []
    for t in joins:
        need = {p: max(t.consume[p], t.read[p]) for p in (*t.consume, *t.read)}
        if any(p in marking for p in need):
            lacks.append({p: n - marking[p] for p, n in need.items() if n > marking[p]})
    assert dict(found.missing) in lacks


def _check_choice(net: Net, fault: Witness, found: Diagnosis) -> None:
    """After the wrong way was taken, what is missing cannot come without the join."""
    assert found.split is not None
    takers = net.consumers[found.split]
    assert len(takers) > 1
    chosen = [n for n, id in enumerate(fault.trace) if net.transition(id) in takers]
    assert chosen
    after = list(replay(net, fault.trace))[chosen[-1] + 1]
    without = replace(
        net,
        transitions=tuple(t for t in net.transitions if t.id != found.join),
        initial=after,
        final=Marking(net.sink.id),
    )
    ahead = brute_force(without, 2_000)
    if ahead is not None and "can come" in str(found):
        assert any(all(p not in marking for marking in ahead) for p in found.missing)


def _all_dead(net: Net, place: str, fault: Witness) -> bool:
    return {t.id for t in net.producers[place]} <= set(fault.transitions)


@pytest.mark.promise("VERIFY-13")
@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(ordinary() | damaged() | nets())
def test_every_fault_of_every_net_is_diagnosed_and_the_claims_hold(net: Net) -> None:
    assume(len(net.sinks) == 1 or net.final)
    net = replace(net, final=Marking(net.sink.id))
    report = verify(net, max_markings=1_000)
    assert len(report.diagnosis) == len(report.faults)
    for fault, found in zip(report.faults, report.diagnosis, strict=True):
        check(report.net, fault, found)
        assert "Why: " in str(report)


@settings(max_examples=30, deadline=None)
@given(ordinary() | nets())
def test_a_place_without_an_option_is_diagnosed_too(net: Net) -> None:
    """Whatever the marking that a method stops at."""
    assume(len(net.sinks) == 1 or net.final)
    net = replace(net, final=Marking(net.sink.id))
    trace: list[str] = []
    marking = net.initial_marking
    for _ in range(4):
        able = enabled(net, marking)
        if not able:
            break
        trace.append(able[-1].id)
        marking = fire(able[-1], marking)
    found = diagnose(net, Witness("no-option", tuple(trace), marking))
    assert found.remedy
    assert found.sentences


@settings(max_examples=30, deadline=None)
@given(ordinary() | nets(), st.data())
def test_the_tokens_of_a_history_are_those_of_the_firing_rule(
    net: Net, data: st.DataObject
) -> None:
    """And each descends from a firing that put it there, through firings of the trace."""
    net = replace(net, final=Marking("o"))
    marking, trace = net.initial_marking, list[str]()
    for _ in range(data.draw(st.integers(0, 8))):
        able = enabled(net, marking)
        if not able:
            break
        trace.append(data.draw(st.sampled_from(able)).id)
        marking = fire(net.transition(trace[-1]), marking)
    past = history(net, tuple(trace), marking)
    assert Marking([token.place for token in past.tokens]) == marking
    for token in past.tokens:
        if token.maker < 0:
            assert token.place in net.initial_marking
            continue
        assert token.place in net.transition(trace[token.maker]).produce
        assert past.descends(token, token.maker)
        assert past.past(token) < 2 ** (token.maker + 1)
    for n, firing in enumerate(past.firings):
        assert Marking([token.place for token in firing.taken]) == firing.transition.consume
        assert all(token.maker < n for token in firing.taken)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::petriflow.net.errors.FormatNote")
def test_every_unsound_industrial_net_gets_a_diagnosis_whose_claims_hold(corpora: Path) -> None:
    with (corpora / "industrial" / "verdicts.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["verdict"] == "unsound"]
    assert len(rows) == 427
    for row in rows:
        report = verify(read_pnml(corpora / "industrial" / row["file"]))
        assert report.faults
        for fault, found in zip(report.faults, report.diagnosis, strict=True):
            check(report.net, fault, found)
            assert found.split or found.join, row["file"]


# -- how it is shown ------------------------------------------------------------------------


def pick(case: object) -> None: ...
def pack(case: object) -> None: ...


@pytest.mark.promise("VERIFY-13")
def test_a_report_says_why_what_to_do_and_how_a_case_gets_there() -> None:
    flow = Workflow("shop", parallel(pick, pack))
    split = flow.net.transition("shop.split")
    ways = [replace(split, id=f"{split.id}-{p}", produce=Marking(p)) for p in split.produce]
    report = verify(bent(flow.net, {split.id}, ways))
    text = str(report)
    assert "Why: The parallel 'shop' takes one way only" in text
    assert "the 'join' of parallel 'shop'" in text
    assert re.search(r"Remedy: let the ways meet in a simple merge instead of the 'join'", text)
    assert text.index("Why:") < text.index("Remedy:") < text.index("The way there:")
    told = report.to_json()["diagnosis"]
    assert [each["kind"] for each in told] == [each.kind for each in report.diagnosis]
    assert told[0]["way"] == list(report.diagnosis[0].way)


def test_the_picture_of_a_report_marks_the_split_and_the_join() -> None:
    text, _, split, join = PLANTED["exclusive split, parallel join"]
    page = verify(read_net("trip", text))._repr_html_()
    (marked,) = re.findall(r"At fault: ([^.]*)\.", page)
    assert {split, join} <= set(marked.split(", "))


def test_long_labels_are_cut_and_told_apart_by_their_ids() -> None:
    net = read_net("long", "x: i → a; y: i → b; end: a b → o")
    long = "_".join(["step"] * 40)
    net = replace(net, transitions=tuple(replace(t, label=long) for t in net.transitions))
    found = verify(net).diagnosis[0]
    assert long not in str(found)
    assert "… " in str(found)
    assert "(end)" in str(found)


def test_tokens_of_several_cases_are_told_apart_from_what_is_left_over() -> None:
    net = read_net("two", "fork: i → a b; A: a → o; B: b → c; C: 2*c → o")
    report = verify(net, k=2)
    for fault, found in zip(report.faults, report.diagnosis, strict=True):
        if fault.kind == "improper-completion":
            assert Marking({"o": 2}) + found.left_over == fault.marking
    assert not is_enabled(net.transition("C"), Marking("c"))


@pytest.mark.parametrize("weight", [3_000, 2_000_000, 10**15])
def test_very_many_tokens_are_not_followed_one_by_one(weight: int) -> None:
    many = Net.build("many").places("i", "p", "o").transition("put", "i", {"p": weight})
    grown = Net.build("grown").places("i", "p", "q", "o").transition("put", "i", "p")
    for net in (
        many.transition("take", {"p": 2}, "o").done(),
        grown.transition("again", "p", {"p": 1, "q": weight})
        .transition("take", ["p", "q"], "o")
        .done(),
    ):
        report = verify(net)
        assert report.verdict == "unsound"
        for fault, why in zip(report.faults, report.diagnosis, strict=True):
            assert why.remedy
            *_, last = replay(net, fault.trace)
            assert why.left_over <= last
