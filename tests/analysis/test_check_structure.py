"""The checker's proofs that look at the net only: blocks, the rank theorem, reductions."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import product
from math import lcm
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from petriflow.analysis.checking.check import Checked
from petriflow.analysis.checking.reading import Claim, Wrong
from petriflow.analysis.checking.structural import reduced
from petriflow.net import Marking, Net
from petriflow.net.errors import FormatError

from ..nets import nets
from .certificates import (
    accepts,
    bent,
    check,
    ended,
    honest,
    play,
    seeds,
    small_nets,
    some_mutations,
    verdict_of,
)

# -- blocks ---------------------------------------------------------------------------------------


def grown(rng: random.Random, depth: int = 3) -> list[Any]:
    """A random tree; a net of 6 to 30 nodes in the middle."""
    count = iter(range(10**6))

    def spot(depth: int) -> Any:
        if depth > 0 and rng.random() < 0.2:
            return {"loop": path(depth - 1, 1), "redo": seq(depth - 1)}
        return f"p{next(count)}"

    def block(depth: int) -> Any:
        kind = rng.choice(["one", "choice", "parallel"]) if depth > 0 else "one"
        if kind == "choice":
            return {"choice": [seq(depth - 1) for _ in range(rng.randint(1, 3))]}
        if kind == "parallel":
            paths = [path(depth - 1, 1) for _ in range(rng.randint(1, 3))]
            return {"parallel": paths, "split": f"t{next(count)}", "join": f"t{next(count)}"}
        return f"t{next(count)}"

    def path(depth: int, least: int = 2) -> list[Any]:
        items = [spot(depth)]
        for _ in range(rng.randint(least, 2) - 1):
            items += [block(depth), spot(depth)]
        return items

    def seq(depth: int) -> list[Any]:
        items = [block(depth)]
        for _ in range(rng.randint(0, 1)):
            items += [spot(depth), block(depth)]
        return items

    return ["i", block(depth), spot(depth), block(depth), "o"]


def net_of(tree: list[Any]) -> Net:
    """The net that a tree stands for, one call a block."""
    builder = Net.build("tree")

    def spot(item: Any) -> tuple[str, str]:
        if isinstance(item, str):
            builder.place(item)
            return item, item
        begin, end = path(item["loop"])
        seq(item["redo"], end, begin)
        return begin, end

    def path(items: list[Any]) -> tuple[str, str]:
        assert len(items) % 2 == 1
        ends = [spot(item) for item in items[::2]]
        for n, item in enumerate(items[1::2]):
            block(item, ends[n][1], ends[n + 1][0])
        return ends[0][0], ends[-1][1]

    def seq(items: list[Any], before: str, after: str) -> None:
        assert len(items) % 2 == 1
        ends = [(before, before), *map(spot, items[1::2]), (after, after)]
        for n, item in enumerate(items[::2]):
            block(item, ends[n][1], ends[n + 1][0])

    def block(item: Any, before: str, after: str) -> None:
        if isinstance(item, str):
            builder.transition(item, before, after)
        elif "choice" in item:
            for inner in item["choice"]:
                seq(inner, before, after)
        else:
            ends = [path(inner) for inner in item["parallel"]]
            builder.transition(item["split"], before, [begin for begin, _ in ends])
            builder.transition(item["join"], [end for _, end in ends], after)

    path(tree)
    return ended(builder.done())


def same(net: Net, other: Net) -> bool:
    return {p.id for p in net.places} == {p.id for p in other.places} and {
        (t.id, t.consume, t.produce) for t in net.transitions
    } == {(t.id, t.consume, t.produce) for t in other.transitions}


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(seeds, st.integers(1, 3))
def test_a_block_tree_is_accepted_and_right(rng: random.Random, k: int) -> None:
    tree = grown(rng)
    net = net_of(tree)
    assert check(net, "sound", {"kind": "blocks", "tree": tree}, k).ok
    graph = play(net, k, 500)
    assert graph is None or verdict_of(net, graph, k) == "sound"


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(seeds)
def test_a_changed_block_tree_is_refused_unless_it_is_of_the_same_net(rng: random.Random) -> None:
    tree = grown(rng, 2)
    net = net_of(tree)
    proof = {"kind": "blocks", "tree": tree}
    for changed in some_mutations(net, proof, rng, 40):
        if accepts(net, "sound", changed):
            assert same(net_of(changed["tree"]), net)
    for _ in range(10):
        other = bent(net, rng)
        assert same(other, net) or not accepts(other, "sound", proof)


def arcs(*transitions: tuple[Any, Any]) -> Net:
    """A net of these transitions, t0, t1, …, from i to o."""
    builder = Net.build("arcs").places("i", "o")
    builder.places(*sorted({p for t in transitions for side in t for p in side} - {"i", "o"}))
    for n, (consume, produce) in enumerate(transitions):
        builder.transition(f"t{n}", Marking(list(consume)), Marking(list(produce)))
    return ended(builder.done())


def judge(net: Net) -> str:
    graph = play(net)
    assert graph is not None
    return verdict_of(net, graph)


def test_a_block_tree_leads_from_the_source_to_the_sink() -> None:
    net = arcs(("o", "i"))
    assert judge(net) == "unsound"
    assert (
        "source to sink"
        in check(net, "sound", {"kind": "blocks", "tree": ["o", "t0", "i"]}).sentence
    )


def test_a_block_without_members_is_none() -> None:
    for net, block in (
        (arcs(("p", "o")), {"choice": []}),
        (arcs(("i", ""), ("", "p"), ("p", "o")), {"parallel": [], "split": "t0", "join": "t1"}),
    ):
        last = net.transitions[-1].id
        tree = ["i", block, "p", last, "o"]
        with pytest.raises(FormatError, match="members"):
            check(net, "sound", {"kind": "blocks", "tree": tree})


def test_a_place_occurs_once_in_a_block_tree() -> None:
    net = arcs(("i", "pq"), ("p", "q"), ("q", "r"), ("qr", "o"))
    assert judge(net) == "unsound"
    block = {"parallel": [["p", "t1", "q"], ["q", "t2", "r"]], "split": "t0", "join": "t3"}
    checked = check(net, "sound", {"kind": "blocks", "tree": ["i", block, "o"]})
    assert "every place" in checked.sentence


@pytest.mark.parametrize("kind", ["read", "inhibitor", "reset"])
def test_blocks_have_no_special_arcs(kind: str) -> None:
    net = Net.build("special").places("i", "p", "o").transition("a", "i", "p")
    net = net.transition("b", "p", "o", **{kind: {"i": 1} if kind != "reset" else "i"}).done()
    proof = {"kind": "blocks", "tree": ["i", "a", "p", "b", "o"]}
    assert check(net, "sound", proof).holds == "no"


# -- free choice ----------------------------------------------------------------------------------


@st.composite
def free_choice_nets(draw: st.DrawFn) -> Net:
    """Clusters of one or two places, with one to three transitions each."""
    clusters = draw(st.sampled_from([["i", "p", "qr"], ["i", "p", "q", "r"], ["i", "pq", "r"]]))
    builder = Net.build("free").places("i", "p", "q", "r", "o")
    some = st.lists(st.sampled_from("pqro"), min_size=1, max_size=2, unique=True)
    n = 0
    for cluster in clusters:
        for produce in draw(st.lists(some, min_size=1, max_size=3)):
            builder.transition(f"t{n}", list(cluster), produce)
            n += 1
    return ended(builder.done())


def matrix(net: Net) -> np.ndarray:
    """The incidence of N*: a row a place, a column a transition, the closing one last."""
    return np.array(
        [
            [t.produce[p.id] - t.consume[p.id] for t in net.transitions]
            + [(p.id == net.source.id) - (p.id == net.sink.id)]
            for p in net.places
        ]
    )


def whole(numbers: list[float]) -> list[int]:
    parts = [Fraction(n).limit_denominator(200) for n in numbers]
    return [int(n * lcm(*(n.denominator for n in parts))) for n in parts]


def positive(a: np.ndarray) -> list[int] | None:
    """x ≥ 1 with a·x = 0."""
    n = a.shape[1]
    done = linprog(np.ones(n), A_eq=a, b_eq=np.zeros(len(a)), bounds=[(1, None)] * n)
    return whole(done.x) if done.status == 0 else None


def uneven(a: np.ndarray) -> list[int]:
    """x with a·x ≥ 0 and not 0, which there is if none is as above."""
    n = a.shape[1]
    done = linprog(
        np.zeros(n), A_ub=np.vstack([-a, -a.sum(0)]), b_ub=[0] * len(a) + [-1], bounds=(None, None)
    )
    assert done.status == 0
    return whole(done.x)


def by_rank(net: Net) -> tuple[str, dict[str, Any]]:
    c = matrix(net)
    places = [p.id for p in net.places]
    columns = [*(t.id for t in net.transitions), ""]
    fails: dict[str, Any] = {"kind": "free-choice-fails"}
    if (y := positive(c.T)) is None:
        return "unsound", fails | {"grows": dict(zip(columns, uneven(c), strict=True))}
    if (x := positive(c)) is None:
        return "unsound", fails | {"falls": dict(zip(places, uneven(c.T), strict=True))}
    siphon = set(places) - {net.source.id}
    while less := {
        p for t in net.transitions if not siphon & t.consume.keys() for p in siphon & {*t.produce}
    }:
        siphon -= less
    if siphon:
        return "unsound", fails | {"siphon": sorted(siphon)}
    clusters = {frozenset(t.consume) for t in net.transitions} | {frozenset([net.sink.id])}
    if np.linalg.matrix_rank(c) != len(clusters) - 1:
        return "unsound", fails | {"rank": True}
    proof = {"kind": "free-choice", "place_invariant": dict(zip(places, y, strict=True))}
    return "sound", proof | {"transition_invariant": dict(zip(columns, x, strict=True))}


def on_paths(net: Net) -> bool:
    graph = nx.DiGraph([(net.sink.id, "*"), ("*", net.source.id)])
    graph.add_edges_from((p, t.id) for t in net.transitions for p in t.consume)
    graph.add_edges_from((t.id, p) for t in net.transitions for p in t.produce)
    return nx.is_strongly_connected(graph) and len(graph) == 1 + len(net.places) + len(
        net.transitions
    )


@st.composite
def free_choice_cases(draw: st.DrawFn) -> Net:
    if draw(st.booleans()):
        net = draw(free_choice_nets())
    else:
        net = net_of(grown(draw(seeds), 2))
        presets = {p: {t.consume for t in ts} for p, ts in net.consumers.items()}
        assume(all(len(some) < 2 for some in presets.values()))
    assume(on_paths(net))
    return net


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(free_choice_cases(), st.integers(1, 3))
def test_the_rank_theorem_gives_the_verdict_of_brute_force(net: Net, k: int) -> None:
    verdict, proof = by_rank(net)
    checked = check(net, verdict, proof, k)
    assert checked.ok, checked
    assert not accepts(net, {"sound": "unsound", "unsound": "sound"}[verdict], proof, k)
    graph = play(net, k, 500)
    assert graph is None or verdict_of(net, graph, k) == verdict


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(free_choice_cases(), seeds)
def test_a_changed_rank_proof_is_refused_unless_it_is_as_true(net: Net, rng: random.Random) -> None:
    verdict, proof = by_rank(net)
    c = matrix(net)
    columns = [*(t.id for t in net.transitions), ""]
    for changed in some_mutations(net, proof, rng, 40):
        if not accepts(net, verdict, changed):
            continue
        if verdict == "sound":
            x = np.array([changed["transition_invariant"][t] for t in columns], dtype=object)
            y = np.array([changed["place_invariant"][p.id] for p in net.places], dtype=object)
            assert (x > 0).all()
            assert (y > 0).all()
            assert not (c @ x).any()
            assert not (y @ c).any()
        elif "siphon" in changed:
            siphon = {*changed["siphon"]}
            assert siphon - {net.source.id} == siphon != set()
            for t in net.transitions:
                assert not siphon & {*t.produce} or siphon & {*t.consume}
        elif "rank" not in changed:
            (vector,) = (changed[key] for key in ("grows", "falls") if key in changed)
            names, a = (columns, c) if "grows" in changed else ([p.id for p in net.places], c.T)
            sums = a @ np.array([vector.get(name, 0) for name in names], dtype=object)
            assert (sums >= 0).all()
            assert sums.any()


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(free_choice_cases(), seeds)
def test_no_rank_proof_of_a_like_net_proves_the_wrong_verdict(net: Net, rng: random.Random) -> None:
    verdict, proof = by_rank(net)
    for _ in range(10):
        other = bent(net, rng)
        if accepts(other, verdict, proof):
            graph = play(other)
            assert graph is None or verdict_of(other, graph) == verdict


@pytest.mark.slow
def test_the_rank_is_exact_and_the_check_of_a_thousand_transitions_is_done() -> None:
    """By a block tree too deep for the brute force, against numpy's rank."""
    rng = random.Random(7)
    builder, last = Net.build("wide").places("i", "o"), "i"
    for n in range(100):
        builder.places(f"a{n}", f"b{n}", f"c{n}", f"d{n}", f"e{n}")
        builder.transition(f"s{n}", last, [f"a{n}", f"b{n}"])
        for m in range(rng.randint(2, 8)):
            builder.transition(f"x{n}-{m}", f"a{n}", f"c{n}").transition(
                f"y{n}-{m}", f"b{n}", f"d{n}"
            )
        builder.transition(f"j{n}", [f"c{n}", f"d{n}"], f"e{n}").transition(f"r{n}", f"e{n}", last)
        last = f"e{n}"
    net = (
        builder.transition("end", last, "o").transition("begin", "start", "i").place("start").done()
    )
    verdict, proof = by_rank(net)
    assert verdict == "sound"
    assert check(net, "sound", proof).ok


def theorem(net: Net, verdict: str, **proof: Any) -> Checked:
    """What is said of a free-choice proof with all ones where no numbers are given."""
    y = {p.id: 1 for p in net.places} | proof.pop("places", {})
    x = {t.id: 1 for t in net.transitions} | {"": 1} | proof.pop("transitions", {})
    if verdict == "sound":
        proof |= {"kind": "free-choice", "place_invariant": y, "transition_invariant": x}
    return check(net, verdict, proof | {"kind": proof.get("kind", "free-choice-fails")})


def test_two_choices_that_must_agree_have_the_wrong_rank() -> None:
    net = arcs(("i", "mn"), ("m", "p"), ("m", "q"), ("n", "p"), ("n", "q"), ("pq", "o"))
    assert judge(net) == "unsound"
    numbers = {"places": {"i": 2, "o": 2}, "transitions": {"t0": 2, "t5": 2, "": 2}}
    assert "rank" in theorem(net, "sound", **numbers).sentence
    assert theorem(net, "unsound", rank=True).ok


def test_a_siphon_without_tokens_is_found() -> None:
    net = arcs((["i", "q"], ["o", "q"]))
    assert judge(net) == "unsound"
    assert "is in a siphon" in theorem(net, "sound").sentence
    assert theorem(net, "unsound", siphon=["q"]).ok
    assert not theorem(net, "unsound", siphon=["i", "q"]).ok


def test_the_theorem_says_nothing_of_weights() -> None:
    net = arcs(("i", "ppp"), ("pp", "qq"), ("qqq", "o"))
    assert judge(net) == "unsound"
    numbers = {"places": {"i": 3, "o": 3}, "transitions": {"t0": 2, "t1": 3, "t2": 2, "": 2}}
    assert "weight" in theorem(net, "sound", **numbers).sentence


def test_the_theorem_says_nothing_of_choices_that_are_not_free() -> None:
    net = arcs(("i", "pq"), ("p", "p"), ("pq", "o"))
    assert judge(net) == "sound"
    assert "not free" in theorem(net, "unsound", rank=True).sentence


def test_the_theorem_says_nothing_where_the_sink_is_left_or_the_source_entered() -> None:
    net = arcs(("i", "o"), ("o", "p"), ("p", "o"))
    assert judge(net) == "sound"
    assert "emptied" in theorem(net, "unsound", rank=True).sentence
    net = arcs(("i", "p"), ("p", "i"), ("p", "o"))
    assert judge(net) == "sound"
    assert theorem(net, "unsound", rank=True).holds == "no"


def test_the_theorem_says_nothing_of_what_is_off_the_path() -> None:
    net = arcs(("i", "o"), ("", ""))
    assert judge(net) == "sound"
    assert "path" in theorem(net, "unsound", rank=True).sentence


@pytest.mark.parametrize("kind", ["read", "inhibitor", "reset"])
def test_the_theorem_says_nothing_of_special_arcs(kind: str) -> None:
    """Each of these is unsound by the arc alone."""
    net = arcs(("i", "pq"), ("p", "r"), ("q", "s"), ("rs", "o"))
    numbers = {"places": {"i": 2, "o": 2}}
    assert theorem(net, "sound", **numbers).ok
    special = {"read": Marking({"s": 2}), "inhibitor": Marking("r"), "reset": frozenset("qs")}
    spoilt = replace(net.transition("t1" if kind != "inhibitor" else "t3"), **{kind: special[kind]})
    net = replace(
        net, transitions=tuple(spoilt if t.id == spoilt.id else t for t in net.transitions)
    )
    assert judge(net) == "unsound"
    assert "does not allow" in theorem(net, "sound", **numbers).sentence


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(small_nets() | nets(plain=True) | seeds.map(partial(grown, depth=2)).map(net_of))
def test_the_theorem_is_not_misused_on_any_net(net: Net) -> None:
    graph = play(net)
    assume(graph is not None)
    assume(not any(t.read or t.inhibitor or t.reset for t in net.transitions))
    verdict, proof = by_rank(net)
    assert verdict == verdict_of(net, graph) or not accepts(net, verdict, proof)


# -- reductions -----------------------------------------------------------------------------------


def all_steps(net: Net) -> Iterator[dict[str, Any]]:
    """Every step that could be asked for, allowed or not."""
    ids, places = [t.id for t in net.transitions], [p.id for p in net.places]
    number = 1 + max((int(id) for id in ids if id.isdecimal()), default=0)
    for p in places:
        pairs = product(
            [t.id for t in net.transitions if p in t.produce],
            [t.id for t in net.transitions if p in t.consume],
        )
        yield {"fuse": p, "into": [[m, t, number + n] for n, (m, t) in enumerate(pairs)]}
    for some, way in ((places, "drop_place"), (ids, "drop")):
        for one, other in product(some, repeat=2):
            for how in ("like",) if some is places else ("like", "beside"):
                yield {way: one, how: other}


def claim_of(net: Net) -> Claim:
    source, sink = net.source.id, net.sink.id
    return Claim(net, source, sink, Marking(source), Marking(sink))


def taken_steps(net: Net) -> list[tuple[dict[str, Any], Net]]:
    found = []
    for step in all_steps(net):
        try:
            found.append((step, reduced(claim_of(net), {"steps": [step]}).net))
        except (Wrong, FormatError):
            continue
    return found


def refusal(net: Net, step: dict[str, Any]) -> str:
    with pytest.raises(Wrong) as error:
        reduced(claim_of(net), {"steps": [step]})
    return str(error.value)


def test_what_a_taker_swallows_would_be_forgotten() -> None:
    net = arcs(("i", "op"), ("p", ""))
    assert judge(net) == "unsound"
    assert judge(arcs(("i", "o"))) == "sound"
    assert "puts nothing" in refusal(net, {"fuse": "p", "into": [["t0", "t1", 1]]})


def test_what_a_taker_puts_early_would_disable_who_looks_for_it() -> None:
    """t2 goes before t1, t3 after it; fused with t0, t1 leaves t2 no time."""
    net = arcs(("i", "pr"), ("p", "q"), ("r", "s"), ("r", "s"), ("qs", "o"))
    ts = list(net.transitions)
    ts[2] = replace(ts[2], inhibitor=Marking("q"))
    ts[3] = replace(ts[3], read=Marking("q"))
    net = replace(net, transitions=tuple(ts))
    assert judge(net) == "sound"
    fused = replace(ts[0], produce=Marking(["q", "r"]))
    places = tuple(p for p in net.places if p.id != "p")
    assert judge(replace(net, places=places, transitions=(fused, *ts[2:]))) == "unsound"
    assert "an inhibitor looks" in refusal(net, {"fuse": "p", "into": [["t0", "t1", 1]]})


def test_a_net_with_an_or_join_is_not_reduced() -> None:
    net = arcs(("i", "p"), ("p", "o"))
    net = replace(
        net, transitions=tuple(replace(t, label=None, join="or") for t in net.transitions)
    )
    assert "OR-join" in refusal(net, {"fuse": "p", "into": [["t0", "t1", 1]]})


def test_two_pairs_have_two_names() -> None:
    net = arcs(("i", "p"), ("p", "q"), ("p", "r"), ("q", "o"))
    assert judge(net) == "unsound"
    pairs = [["t0", "t2", 1], ["t0", "t1", 1]]  # the second would hide the first
    assert "occurs twice" in refusal(net, {"fuse": "p", "into": pairs})


def test_what_a_reset_empties_is_fused_only_with_what_it_empties_too() -> None:
    """t1 would undo what it needs to go on, were it not first."""
    net = arcs(("i", "pr"), ("p", "q"), ("r", "s"), ("qs", "o"))
    ts = list(net.transitions)
    ts[2] = replace(ts[2], reset=frozenset("p"))
    net = replace(net, transitions=tuple(ts))
    assert judge(net) == "unsound"
    assert "only a part" in refusal(net, {"fuse": "p", "into": [["t0", "t1", 1]]})


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(small_nets() | nets(), st.integers(1, 2))
def test_every_step_that_is_accepted_keeps_the_verdict(net: Net, k: int) -> None:
    graph = play(net, k)
    assume(graph is not None)
    for step, small in taken_steps(net):
        smaller = play(small, k)
        assert smaller is not None, step
        assert verdict_of(small, smaller, k) == verdict_of(net, graph, k), step


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(small_nets() | seeds.map(partial(grown, depth=1)).map(net_of), seeds, st.integers(1, 2))
def test_steps_are_taken_one_after_the_other_and_the_rest_is_proved(
    net: Net, rng: random.Random, k: int
) -> None:
    graph = play(net, k, 500)
    assume(graph is not None)
    verdict, small, steps = verdict_of(net, graph, k), net, []
    for _ in range(6):
        more = taken_steps(small)
        # The numbers of all steps together are new in the first net.
        more = [(s, n) for s, n in more if not any(x[2] in net for x in s.get("into", ()))]
        if not more:
            break
        step, small = rng.choice(more)
        steps.append(step)
    smaller = play(small, k, 500)
    assert smaller is not None
    half = len(steps) // 2
    for right, proof in list(honest(small, smaller, k))[:3]:
        assert right == verdict
        whole = {"kind": "reduction", "steps": steps, "then": proof}
        assert check(net, verdict, whole, k).ok
        halves = {"kind": "reduction", "steps": steps[half:], "then": proof}
        halves = {"kind": "reduction", "steps": steps[:half], "then": halves}
        assert check(net, verdict, halves, k).ok
        wrong = {"sound": "unsound", "unsound": "sound"}[verdict]
        for changed in some_mutations(net, whole, rng, 20):
            assert not accepts(net, wrong, changed, k)


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(seeds)
def test_a_part_of_a_step_may_not_be_missing(rng: random.Random) -> None:
    net = net_of(grown(rng, 1))
    for step, _ in taken_steps(net):
        if "fuse" in step:
            for n in range(len(step["into"])):
                fewer = step | {"into": step["into"][:n] + step["into"][n + 1 :]}
                with pytest.raises((Wrong, FormatError)):
                    reduced(claim_of(net), {"steps": [fewer]})
