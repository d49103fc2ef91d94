"""Answers against fixed points by sets on brute-forced graphs; every way shown is played again."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from petriflow.analysis.queries import logic
from petriflow.analysis.queries.fixpoints import Checker, first_with
from petriflow.analysis.queries.formula import read_query
from petriflow.analysis.queries.logic import Answer, Trail, ask
from petriflow.analysis.space import state_space
from petriflow.analysis.space.compiled_space import explore_compiled
from petriflow.formats.pnml import read_pnml
from petriflow.net import Marking, Net, compile_net, enabled, replay
from petriflow.net.errors import DefinitionError, WorkflowNetError
from petriflow.patterns import exclusive_choice, parallel, sequence, when

from ..nets import PLACES, brute_force, nets

LIMIT = 300
Graph = dict[Marking, list[tuple[str, Marking]]]
States = set[Marking]


@dataclass(frozen=True)
class Said:
    """A formula as text, and the states of a graph where it holds."""

    text: str
    where: Callable[[Graph], States]


# -- what the operators mean, by sets ------------------------------------------------------------


def ex(graph: Graph, p: States) -> States:
    return {m for m in graph if any(after in p for _, after in graph[m])}


def eu(graph: Graph, p: States, q: States) -> States:
    found = set(q)
    while more := {m for m in p - found if any(after in found for _, after in graph[m])}:
        found |= more
    return found


def eg(graph: Graph, p: States) -> States:
    found = set(p)
    while gone := {m for m in found if graph[m] and not any(a in found for _, a in graph[m])}:
        found -= gone
    return found


def au(graph: Graph, p: States, q: States) -> States:
    """The least set with q, and with p where there is a next step and each leads into it."""
    found = set(q)
    while more := {m for m in p - found if graph[m] and all(a in found for _, a in graph[m])}:
        found |= more
    return found


def away(graph: Graph, p: States) -> States:
    return set(graph) - p


WAYS: dict[str, Callable[[Graph, States], States]] = {
    "EX": ex,
    "AX": lambda g, p: {m for m in g if all(after in p for _, after in g[m])},
    "EF": lambda g, p: eu(g, set(g), p),
    "AF": lambda g, p: au(g, set(g), p),
    "EG": eg,
    "AG": lambda g, p: away(g, eu(g, set(g), away(g, p))),
}
COMPARE: dict[str, Callable[[int, int], bool]] = {
    "<": int.__lt__,
    "<=": int.__le__,
    "==": int.__eq__,
    "!=": int.__ne__,
    ">=": int.__ge__,
    ">": int.__gt__,
}


@st.composite
def comparisons(draw: st.DrawFn) -> Said:
    terms = draw(st.lists(st.tuples(st.integers(-3, 3), st.sampled_from(PLACES)), max_size=3))
    op, bound = draw(st.sampled_from(sorted(COMPARE))), draw(st.integers(-2, 4))
    left = " + ".join(f"{n} * {p}" for n, p in terms) or "0"
    return Said(
        f"{left} {op} {bound}",
        lambda g: {m for m in g if COMPARE[op](sum(n * m[p] for n, p in terms), bound)},
    )


def words() -> st.SearchStrategy[Said]:
    return st.sampled_from(
        [
            Said("deadlock", lambda g: {m for m in g if not g[m] and m != Marking("o")}),
            Said("completed", lambda g: {m for m in g if m == Marking("o")}),
            Said("true", lambda g: set(g)),
            Said("false", lambda g: set()),
            Said("p", lambda g: {m for m in g if m["p"]}),
            Said("enabled(t0)", lambda g: {m for m in g if "t0" in {t for t, _ in g[m]}}),
            Said('fireable("t0")', lambda g: {m for m in g if "t0" in {t for t, _ in g[m]}}),
        ]
    )


def joined(parts: tuple[Said, Said]) -> st.SearchStrategy[Said]:
    p, q = parts
    return st.sampled_from(
        [
            Said(f"({p.text} and {q.text})", lambda g: p.where(g) & q.where(g)),
            Said(f"({p.text} or {q.text})", lambda g: p.where(g) | q.where(g)),
            Said(f"({p.text} -> {q.text})", lambda g: away(g, p.where(g)) | q.where(g)),
        ]
    )


def with_ways(parts: tuple[Said, Said]) -> st.SearchStrategy[Said]:
    p, q = parts
    one = [
        Said(f"{name} ({p.text})", lambda g, of=of: of(g, p.where(g)))  # type: ignore[misc]
        for name, of in WAYS.items()
    ]
    two = [
        Said(f"E[{p.text} U {q.text}]", lambda g: eu(g, p.where(g), q.where(g))),
        Said(f"A[{p.text} U {q.text}]", lambda g: au(g, p.where(g), q.where(g))),
    ]
    return st.sampled_from([*one, *two])


def negated(said: Said) -> Said:
    return Said(f"not ({said.text})", lambda g: away(g, said.where(g)))


atoms = comparisons() | words()
of_markings = st.recursive(
    atoms, lambda s: s.map(negated) | st.tuples(s, s).flatmap(joined), max_leaves=4
)
formulas = st.recursive(
    atoms,
    lambda s: s.map(negated) | st.tuples(s, s).flatmap(lambda two: joined(two) | with_ways(two)),
    max_leaves=6,
)


def truth(holds: bool) -> str:
    return "yes" if holds else "no"


def require_possible(net: Net, trail: Trail | None) -> None:
    """The trace is possible and leads to its marking, the loop leads back, an end is one."""
    if trail is None:
        return
    *_, last = replay(net, trail.trace)
    assert last == trail.marking
    if trail.loop:
        *_, again = replay(net, trail.loop, trail.marking)
        assert again == trail.marking
    if trail.stuck:
        assert not enabled(net, trail.marking)


# -- tests ---------------------------------------------------------------------------------------


@pytest.mark.promise("ASK-1")
@pytest.mark.slow
@settings(max_examples=100)
@given(nets(), formulas)
def test_the_answer_is_that_of_the_definition(net: Net, said: Said) -> None:
    graph = brute_force(net, LIMIT)
    assume(graph is not None)
    assert graph is not None
    answer = ask(net, said.text)
    assert answer.verdict == truth(net.initial_marking in said.where(graph))
    require_possible(net, answer.witness)
    if answer.witness is not None:
        assert answer.witness.kind == ("witness" if answer.verdict == "yes" else "counterexample")


@settings(max_examples=25)
@given(nets(), formulas)
def test_every_state_is_judged_as_the_definition_says(net: Net, said: Said) -> None:
    """In both forms of a graph."""
    graph = brute_force(net, LIMIT)
    assume(graph is not None)
    assert graph is not None
    where, formula = said.where(graph), read_query(said.text, net)
    compiled = compile_net(net)
    first = compiled.vector(net.initial_marking)
    packed, complete = explore_compiled(compiled, first, 8, 10 * LIMIT, None)
    assert complete
    for explored in (packed, state_space.explore(net).graph):
        found = Checker(explored).holds(formula)
        markings = [compiled.marking(explored.tokens(n)) for n in range(explored.count)]
        assert {m for m, holds in zip(markings, found.surely, strict=True) if holds} == where
        assert (found.surely == found.perhaps).all()


@pytest.mark.promise("ASK-1")
@settings(max_examples=30)
@given(nets(), formulas, st.integers(1, 12))
def test_what_is_said_of_a_part_is_true_of_the_whole(net: Net, said: Said, most: int) -> None:
    graph = brute_force(net, LIMIT)
    assume(graph is not None)
    assert graph is not None
    answer = ask(net, said.text, max_markings=most)
    assert answer.verdict in (truth(net.initial_marking in said.where(graph)), "unknown")
    assert bool(answer.note) == (answer.verdict == "unknown")
    require_possible(net, answer.witness)


@settings(max_examples=50)
@given(nets(plain=True), formulas)
def test_a_larger_part_never_says_the_opposite(net: Net, said: Said) -> None:
    """Also where the net grows without end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logic, "ENDLESS", 150)
        small, large = (ask(net, said.text, max_markings=n) for n in (10, 150))
    if small.verdict != "unknown":
        assert large.verdict == small.verdict
    for answer in (small, large):
        require_possible(net, answer.witness)


@pytest.mark.promise("ASK-2")
@pytest.mark.slow
@settings(max_examples=80)
@given(nets(), of_markings, of_markings, st.sampled_from([*WAYS, "E[]", "A[]"]))
def test_a_way_shows_just_what_was_asked(net: Net, p: Said, q: Said, way: str) -> None:
    """A witness of some way, a counterexample of every way, and of the first kind a shortest."""
    graph = brute_force(net, LIMIT)
    assume(graph is not None)
    assert graph is not None
    of_p, of_q = p.where(graph), q.where(graph)
    text = f"{way[0]}[{p.text} U {q.text}]" if way.endswith("]") else f"{way} ({p.text})"
    answer = ask(net, text)
    trail = answer.witness
    assert (trail is not None) == ((way[0] == "E") == (answer.verdict == "yes"))
    if trail is None:
        return
    markings = list(replay(net, trail.trace))
    *before, last = markings
    round_ = list(replay(net, trail.loop, last))
    forever = bool(trail.loop) or trail.stuck

    def shortest(goal: States) -> int:
        depth, seen = 0, {net.initial_marking}
        while not seen & goal:
            seen |= {after for m in seen for _, after in graph[m]}
            depth += 1
        return depth

    match way:
        case "EX" | "AX":
            assert len(trail.trace) == 1
            assert (last in of_p) == (way == "EX")
        case "EF":
            assert last in of_p
            assert len(trail.trace) == shortest(of_p)
        case "AG":
            assert last not in of_p
            assert len(trail.trace) == shortest(away(graph, of_p))
        case "EG":
            assert forever
            assert {*markings, *round_} <= of_p
        case "AF":
            assert forever
            assert not {*markings, *round_} & of_p
        case "E[]":
            assert set(before) <= of_p
            assert last in of_q
        case _:  # q never comes, or only after p has failed
            assert not {*markings, *round_} & of_q
            assert forever or last not in of_p


ORDER = (
    Net.build("order")
    .places("new", "paid", "packed", "gone", "done")
    .transition("pay", "new", "paid")
    .transition("pack", "paid", "packed")
    .transition("unpack", "packed", "paid")
    .transition("ship", "packed", "done")
    .transition("lose", "packed", "gone")
    .done()
)


def test_a_loop_is_shown_as_stem_and_loop() -> None:
    answer = ask(ORDER, "AF (done or gone)")
    assert answer.verdict == "no"
    assert answer.witness == Trail(
        "counterexample", ("pay",), Marking("paid"), ("pack", "unpack"), False
    )
    assert "From there on this can go round for ever:" in str(answer)


def test_a_dead_end_is_shown_as_one() -> None:
    net = Net.build("t").places("a", "b").transition("go", "a", "b").done()
    answer = ask(net, "EG (a or b)")
    assert answer.witness == Trail("witness", ("go",), Marking("b"), (), True)
    assert str(answer).endswith("Nothing can happen any more.")


def test_at_a_deadlock_the_way_is_over() -> None:
    net = Net.build("t").places("a", "b").transition("go", "a", "b").done()
    expected = {
        "AX": {"b": "yes", "a": "yes"},
        "EX": {"b": "no", "a": "no"},
        **{way: {"b": "yes", "a": "no"} for way in ("AF", "EF", "AG", "EG")},
    }
    for way, by_place in expected.items():
        for place, verdict in by_place.items():
            assert ask(net, f"AG (not EX true -> {way} {place})").verdict == verdict


def test_the_way_goes_on_to_what_its_end_asks_for() -> None:
    answer = ask(ORDER, "AG (packed -> AF done)")
    assert answer.witness is not None
    assert answer.witness.trace[:2] == ("pay", "pack")
    assert answer.witness.loop or answer.witness.stuck
    nested = ask(ORDER, "EF (packed and EX gone)")
    assert nested.witness is not None
    assert nested.witness.trace == ("pay", "pack", "lose")
    assert ask(ORDER, "E[new U paid and EX (packed and EX done)]").witness == Trail(
        "witness", ("pay", "pack", "ship"), Marking("done")
    )


def test_mutex_is_never_two_at_once() -> None:
    def a(case: object) -> None: ...
    def b(case: object) -> None: ...

    side_by_side, one_of_two = parallel(a, b).net, exclusive_choice(when("x", a), otherwise=b).net
    for net, verdict in ((side_by_side, "no"), (one_of_two, "yes")):
        assert ask(net, "mutex(a, b)", form="expanded").verdict == verdict
        said = ask(net, 'AG not (running(a) and running("b"))', form="expanded")
        assert said.verdict == verdict
    witness = ask(side_by_side, "mutex(a, b)", form="expanded").witness
    assert witness is not None
    assert {"parallel/a.running", "parallel/b.running"} <= set(witness.marking)


def test_steps_are_told_in_the_names_of_tasks() -> None:
    def check(case: object) -> None: ...
    def pay(case: object) -> None: ...

    answer = ask(sequence(check, pay).net, "EF running(pay)", form="expanded")
    assert answer.verdict == "yes"
    assert "  1. 'check' (sequence/check)\n  2. the start of 'pay' (sequence/pay)" in str(answer)
    assert str(answer).startswith("yes: EF running(pay) (sequence, expanded form, ")


def test_an_or_join_is_enabled_when_no_more_can_come() -> None:
    net = (
        Net.build("or")
        .places("i", "a", "b", "x", "y", "o")
        .silent("split", "i", ["a", "b"])
        .transition("left", "a", "x")
        .transition("right", "b", "y")
        .silent("join", ["x", "y"], "o", join="or")
        .done()
    )
    assert ask(net, "EF (enabled(join) and not (x and y))").verdict == "no"
    assert ask(net, "EF enabled(join)").verdict == "yes"
    assert ask(net, "AG (x and y -> enabled(join))").verdict == "yes"
    assert ask(net, "AG not deadlock").verdict == "yes"
    assert ask(net, "EF not EX true").verdict == "yes"  # the proper end is none
    assert ask(net, "AF completed").verdict == "yes"


def test_a_net_that_grows_without_end_is_asked_beyond_the_proof_of_that() -> None:
    net = (
        Net.build("pump")
        .place("i", tokens=1)
        .places("p", "o")
        .transition("more", "i", {"i": 1, "p": 1})
        .transition("stop", "i", "o")
        .final("o")
        .done()
    )
    reached = ask(net, "EF p >= 500", max_markings=3_000)
    assert reached.verdict == "yes"
    assert reached.witness is not None
    assert reached.witness.trace == ("more",) * 500
    assert ask(net, "AG p <= 300", max_markings=3_000).verdict == "no"
    unknown = ask(net, "EF (o and i)", max_markings=3_000)
    assert (unknown.verdict, unknown.witness) == ("unknown", None)
    assert "'p' can grow without end" in unknown.note
    assert ask(net, "E[i U p >= 400 and o]", max_markings=3_000).verdict == "yes"


def test_sums_are_exact_whatever_the_factors_are() -> None:
    net = Net.build("t").places("a", "b", "o").transition("t", "a", {"b": 3}).done()
    net = Net(net.name, net.places, net.transitions, Marking("a"), Marking("o"))
    huge = 10**18 - 1
    assert ask(net, f"EF {huge} * {huge} * b == 3 * {huge} * {huge}").verdict == "yes"
    assert ask(net, f"EF {huge} * {huge} * b == 3 * {huge} * {huge} + 1").verdict == "no"
    assert ask(net, f"EF {huge} * 8 * b + {huge} * 8 * b >= {huge} * 48").verdict == "yes"
    assert ask(net, f"AG {huge} * 8 * b < {huge} * 24").verdict == "no"


def test_tokens_beyond_64_bits_are_counted() -> None:
    net = Net.build("t").places("a", "o").transition("t", "a", {"o": 2**70}).done()
    assert ask(net, f"EF o >= {2**35} * {2**35}").verdict == "yes"
    assert ask(net, f"EF o > {2**35} * {2**35}").verdict == "no"


def test_a_hit_ends_the_exploration() -> None:
    def a(case: object) -> None: ...

    net = parallel(*[sequence(a, a, a, a, name=f"s{n}") for n in range(12)]).net
    answer = ask(net, "AG s0/a.in == 0")  # 5**12 markings in all
    assert answer.verdict == "no"
    assert answer.explored < 5_000
    for most in (1_000, 1, 0):
        assert ask(net, "EF completed", max_markings=most).verdict == "unknown"
        assert ask(net, "AF completed", max_markings=most).verdict == "unknown"


@pytest.mark.slow
def test_a_space_of_a_hundred_thousand_markings_is_answered() -> None:
    def a(case: object) -> None: ...
    def b(case: object) -> None: ...

    net = parallel(*[sequence(a, b, name=f"s{n}") for n in range(10)]).net
    fine = ask(net, "AG EF completed and A[not completed U completed]")
    assert (fine.verdict, fine.explored) == ("yes", 3**10 + 2)
    larger = parallel(*[sequence(a, b, name=f"s{n}") for n in range(11)]).net
    assert ask(larger, "AG (s0/b.in -> AF s1/b.out)").verdict == "yes"
    lost = ask(larger, "AG (s0/a.out -> AX s0/a.out)")
    assert lost.verdict == "no"
    require_possible(larger, lost.witness)


def test_a_large_space_has_the_same_answers_in_its_packed_form() -> None:
    def a(case: object) -> None: ...

    net = parallel(*[sequence(a, a, a, name=f"s{n}") for n in range(5)]).net
    queries = {"EF completed": 1, "EF (s0/a.out and s4/a.out)": 1, "EF (s0/a.out + s0/a.in > 1)": 0}
    compiled = compile_net(net)
    graph, _ = explore_compiled(compiled, compiled.vector(net.initial_marking), 2, 10**6, None)
    for query, reachable in queries.items():
        formula = read_query(query, net)
        holds = Checker(graph).holds(formula)
        assert bool(holds.surely[0]) == bool(reachable)
        inner = formula.part  # type: ignore[union-attr]
        assert (first_with(graph, inner, True) is not None) == bool(reachable)


@pytest.mark.parametrize(
    ("query", "verdict"),
    [
        ("EX " * 98 + "p", "yes"),
        ("not EX " * 49 + "p", "no"),
        ("A[p U " * 90 + "o" + "]" * 90, "no"),
        ("(EX p and " * 48 + "p" + ")" * 48, "yes"),
        ("E[p U " * 90 + "EG p" + "]" * 90, "yes"),
    ],
)
def test_a_deep_query_is_answered_wherever_it_is_asked(query: str, verdict: str) -> None:
    net = (
        Net.build("spin")
        .place("p", tokens=1)
        .place("o")
        .transition("stay", "p", "p")
        .transition("leave", "p", "o")
        .done()
    )

    def deeper(levels: int) -> Answer:
        return deeper(levels - 1) if levels else ask(net, query)

    answer = deeper(300)
    assert answer.verdict == verdict
    require_possible(net, answer.witness)


def test_a_witness_of_the_expanded_form_is_drawn_on_the_given_net() -> None:
    def pay(case: object) -> None: ...
    def ship(case: object) -> None: ...

    net = parallel(pay, ship).net
    html = ask(net, "EF (running(pay) and running(ship))", form="expanded")._repr_html_()
    assert "<svg" in html
    assert "pay" in html


@pytest.mark.slow
def test_industrial_nets_can_always_end_just_if_another_explorer_says_so(corpora: Path) -> None:
    folder = corpora / "industrial"
    with (folder / "verdicts.csv").open(encoding="utf-8") as lines:
        known = [r for r in csv.DictReader(lines) if r["markings"] and int(r["markings"]) < 10_000]
    for row in known[::10]:
        net = read_pnml(folder / row["file"])
        answer = ask(net, "AG EF completed")
        assert answer.verdict == truth("no-option" not in row["reasons"].split("|")), row["file"]
        require_possible(net, answer.witness)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["kanban_2", "fms_2", "parallel_4x10"])
def test_nets_of_the_model_checking_contest_have_their_deadlocks(corpora: Path, name: str) -> None:
    folder = corpora / "state_spaces"
    with (folder / "counts.csv").open(encoding="utf-8") as lines:
        deadlocks = {r["file"]: int(r["deadlocks"]) for r in csv.DictReader(lines)}[f"{name}.pnml"]
    net = read_pnml(folder / f"{name}.pnml")
    answer = ask(net, "EF not EX true")
    assert answer.verdict == truth(deadlocks > 0)
    assert ask(net, "AG EX true").verdict == truth(deadlocks == 0)
    require_possible(net, answer.witness)


def test_an_answer_shows_itself() -> None:
    answer = ask(ORDER, "EF gone")
    html = answer._repr_html_()
    assert html.startswith("<details open><summary>✓ yes: EF gone")
    assert "<svg" in html
    assert answer.to_json() == {
        "name": "order",
        "query": "EF gone",
        "verdict": "yes",
        "form": "atomic",
        "witness": {
            "kind": "witness",
            "trace": ["pay", "pack", "lose"],
            "marking": {"gone": 1},
            "loop": [],
            "stuck": False,
        },
        "note": "",
        "explored": answer.explored,
        "seconds": round(answer.seconds, 6),
    }
    assert "<svg" not in ask(ORDER, "AG not (gone and done)")._repr_html_()
    assert repr(answer).startswith("<Answer: yes: EF gone")


def test_what_cannot_be_asked_is_said() -> None:
    with pytest.raises(DefinitionError, match="use 'atomic' or 'expanded'"):
        ask(ORDER, "EF gone", form="other")  # type: ignore[arg-type]
    with pytest.raises(DefinitionError, match="in its expanded form"):
        ask(ORDER.expanded(), "EF gone", form="atomic")
    with pytest.raises(DefinitionError, match="takes a Net"):
        ask("order.py", "EF gone")  # type: ignore[arg-type]
    with pytest.raises(WorkflowNetError, match="needs exactly one sink"):
        ask(ORDER, "AF completed")
