"""Honest proofs of verdicts, made from the definitions by brute force, and ways to spoil them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from petriflow.analysis.checking.check import Checked, check_certificate
from petriflow.net import Marking, Net, Transition, enabled, fire
from petriflow.net.errors import FormatError

from ..nets import nets

Graph = dict[Marking, list[tuple[str, Marking]]]
LIMIT = 80
seeds = st.integers(0, 2**32).map(random.Random)


def certificate(net: Net, verdict: str, proof: Any, k: int = 1) -> dict[str, Any]:
    return {
        "petriflow_certificate": 1,
        "name": net.name,
        "net": net.content_hash,
        "form": net.form,
        "k": k,
        "verdict": verdict,
        "method": "by hand",
        "proof": proof,
    }


def check(net: Net, verdict: str, proof: Any, k: int = 1) -> Checked:
    """The answer, for the proof as it comes back from a file."""
    return check_certificate(json.loads(json.dumps(certificate(net, verdict, proof, k))), net)


def accepts(net: Net, verdict: str, proof: Any, k: int = 1) -> bool:
    try:
        return check(net, verdict, proof, k).ok
    except FormatError:
        return False


# -- brute force ----------------------------------------------------------------------------------


def play(net: Net, k: int = 1, limit: int = LIMIT) -> Graph | None:
    graph: Graph = {}
    todo = [Marking({net.source.id: k})]
    while todo:
        marking = todo.pop()
        if marking not in graph:
            graph[marking] = [(t.id, fire(t, marking, net)) for t in enabled(net, marking)]
            todo += [after for _, after in graph[marking]]
            if len(graph) > limit:
                return None
    return graph


def distances(graph: Graph, end: Marking) -> dict[Marking, int]:
    far = {end: 0} if end in graph else {}
    while more := {
        m: 1 + min(far[a] for _, a in graph[m] if a in far)
        for m in graph
        if m not in far and any(a in far for _, a in graph[m])
    }:
        far |= more
    return far


def verdict_of(net: Net, graph: Graph, k: int = 1) -> str:
    end = Marking({net.sink.id: k})
    fired = {t for firings in graph.values() for t, _ in firings}
    fine = (
        distances(graph, end).keys() == graph.keys()
        and not any(end < m for m in graph)
        and fired == {t.id for t in net.transitions}
    )
    return "sound" if fine else "unsound"


def traces(graph: Graph, begin: Marking) -> dict[Marking, list[str]]:
    found, todo = {begin: []}, [begin]
    for here in todo:
        for t, after in graph[here]:
            if after not in found:
                found[after] = [*found[here], t]
                todo.append(after)
    return found


# -- honest proofs, each made from the definition -------------------------------------------------


def honest(net: Net, graph: Graph, k: int = 1) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every proof by states that there is about a net, with the verdict."""
    begin, end = Marking({net.source.id: k}), Marking({net.sink.id: k})
    far, way = distances(graph, end), traces(graph, begin)
    if verdict_of(net, graph, k) == "sound":
        listed = [[dict(m), far[m]] for m in graph]
        yield "sound", {"kind": "states", "states": listed}
        odd = any(
            t.reset or t.inhibitor or not t.produce or t.join == "or" for t in net.transitions
        )
        if not odd and not net.consumers[net.sink.id]:
            yield "sound", {"kind": "stubborn", "states": stubborn_states(net, begin, end)}
        return
    bad = [m for m in graph if m not in far or end < m]
    for m in bad[:2] + bad[-2:]:
        if not graph[m] and m != end:
            yield "unsound", {"kind": "deadlock", "trace": way[m]}
        if end < m:
            yield "unsound", {"kind": "improper-completion", "trace": way[m]}
        if m not in far:
            after = [dict(s) for s in traces(graph, m)]
            yield "unsound", {"kind": "no-option", "trace": way[m], "states": after}
    fired = {t for firings in graph.values() for t, _ in firings}
    if dead := [t.id for t in net.transitions if t.id not in fired]:
        proof = {"kind": "dead-transitions", "transitions": dead}
        yield "unsound", proof | {"states": [dict(m) for m in graph]}
        plain = not any(t.inhibitor or t.join == "or" for t in net.transitions)
        if plain and (upward := backward(net, begin, dead)):
            yield "unsound", proof | {"upward": [dict(m) for m in upward]}
        if weights := weighing(net, begin, dead):
            yield "unsound", proof | {"weights": weights}


def stubborn_set(net: Net, here: Marking, first: Transition) -> set[str]:
    """Closed by the two rules, with the first place that explains why something is disabled."""
    inside, todo = {first.id}, [first]
    while todo:
        t = todo.pop()
        lacking = [p for p in (*t.consume, *t.read) if here[p] < max(t.consume[p], t.read[p])]
        if lacking:
            new = [u for u in net.transitions if u.produce[lacking[0]] > u.consume[lacking[0]]]
        else:
            new = [
                u
                for u in net.transitions
                if any(u.consume[p] or u.read[p] for p in t.consume)
                or any(u.consume[p] for p in t.read)
            ]
        todo += [u for u in new if u.id not in inside]
        inside |= {u.id for u in new}
    return inside


def stubborn_states(net: Net, begin: Marking, end: Marking) -> list[Any]:
    """A smallest stubborn set in each state; all transitions where that would forget one."""
    for sets in (stubborn_set, lambda net, here, first: {t.id for t in net.transitions}):
        graph: Graph = {}
        chosen: dict[Marking, set[str]] = {}
        todo = [begin]
        while todo:
            here = todo.pop()
            if here not in graph:
                able = enabled(net, here)
                chosen[here] = min((sets(net, here, t) for t in able), key=len, default=set())
                graph[here] = [(t.id, fire(t, here)) for t in able if t.id in chosen[here]]
                todo += [after for _, after in graph[here]]
        fired = {t for firings in graph.values() for t, _ in firings}
        if fired == {t.id for t in net.transitions}:
            break
    far = distances(graph, end)
    return [[dict(m), far[m], sorted(chosen[m])] for m in graph]


def backward(net: Net, begin: Marking, dead: list[str]) -> set[Marking] | None:
    """The least markings that can cover what a dead transition needs, if they stay few."""
    need = {
        t.id: {p: max(t.consume[p], t.read[p]) for p in (*t.consume, *t.read)}
        for t in net.transitions
    }
    basis: set[Marking] = set()
    todo = [Marking(need[t]) for t in dead]
    while todo:
        b = todo.pop()
        if any(a <= b for a in basis):
            continue
        basis = {a for a in basis if not b <= a} | {b}
        if len(basis) > 50 or any(a <= begin for a in basis):
            return None  # not dead without the inhibitors, or too much for a test
        for t in net.transitions:
            if all(b[p] <= t.produce[p] for p in t.reset):
                least = dict(need[t.id])
                for p in b:
                    if p not in t.reset:
                        before = b[p] - t.produce[p] + t.consume[p]
                        least[p] = max(least.get(p, 0), before)
                todo.append(Marking(least))
    return basis


def weighing(net: Net, begin: Marking, dead: list[str]) -> dict[str, int] | None:
    """Weights of up to 2 that show it, tried one after the other."""
    places = [p.id for p in net.places]
    if len(places) > 5 or any(t.join == "or" for t in net.transitions):
        return None
    for numbers in product(range(3), repeat=len(places)):
        w = dict(zip(places, numbers, strict=True))
        weigh = lambda m: sum(w[p] * n for p, n in m.items())  # noqa: B023, E731
        if all(weigh(t.produce) <= weigh(t.consume) for t in net.transitions) and all(
            sum(w[p] * max(t.consume[p], t.read[p]) for p in {*t.consume, *t.read}) > weigh(begin)
            for t in net.transitions
            if t.id in dead
        ):
            return {p: n for p, n in w.items() if n}
    return None


# -- nets and their proofs ------------------------------------------------------------------------


@st.composite
def small_nets(draw: st.DrawFn) -> Net:
    """Mostly arcs of weight 1; some may take from the sink."""
    builder = Net.build("small").places("i", "p", "q", "o")
    for n in range(draw(st.integers(1, 5))):
        consume = draw(st.lists(st.sampled_from("iipqpqo"), min_size=1, max_size=2))
        produce = draw(st.lists(st.sampled_from("pqoopqo"), min_size=0, max_size=2))
        kind = draw(st.sampled_from([None, None, None, "read", "inhibitor", "reset"]))
        more = {kind: [draw(st.sampled_from("ipq"))]} if kind else {}
        builder.transition(f"t{n}", Marking(consume), Marking(produce), **more)
    return ended(builder.done())


@st.composite
def judged(draw: st.DrawFn) -> tuple[Net, int, Graph]:
    net, k = draw(small_nets() | nets()), draw(st.sampled_from([1, 1, 2]))
    graph = play(net, k)
    assume(graph is not None)
    return net, k, graph


def ended(net: Net) -> Net:
    """The net with its source and sink declared, whatever arcs it has."""
    return replace(net, initial=Marking("i"), final=Marking("o"))


def bent(net: Net, rng: random.Random) -> Net:
    """The net with an arc changed, or with a transition less or more."""
    ts = list(net.transitions)
    n = rng.randrange(len(ts))
    p = rng.choice([p.id for p in net.places])
    match rng.randrange(6):
        case 0:
            ts[n] = replace(ts[n], consume=ts[n].consume + Marking(p))
        case 1:
            ts[n] = replace(ts[n], produce=ts[n].produce + Marking(p))
        case 2:
            ts[n] = replace(ts[n], consume=ts[n].consume.without([p]))
        case 3:
            ts[n] = replace(ts[n], produce=ts[n].produce.without([p]))
        case 4:
            del ts[n]
        case _:
            ts.append(Transition(f"t{len(ts) + 1}-more", None, Marking(p), rng.choice(ts).produce))
    return replace(net, transitions=tuple(ts))


def mutations(value: Any, words: list[str]) -> Iterator[Any]:
    """Everything that one small change makes of JSON data."""
    if isinstance(value, dict):
        for key, inner in value.items():
            rest = {k: v for k, v in value.items() if k != key}
            yield rest
            yield from (rest | {word: inner} for word in words if word not in value)
            yield from (value | {key: other} for other in mutations(inner, words))
    elif isinstance(value, list):
        for n, inner in enumerate(value):
            yield [*value[:n], *value[n + 1 :]]
            yield [*value[:n], inner, *value[n:]]
            yield [*value[:n], *value[n : n + 2][::-1], *value[n + 2 :]]
            yield value[:n]
            yield from ([*value[:n], other, *value[n + 1 :]] for other in mutations(inner, words))
    elif isinstance(value, str):
        yield from (word for word in words if word != value)
    elif isinstance(value, int):
        yield from (value + 1, value - 1, -value, 0, True, 1.5, str(value), 10**4000)
    yield None


def some_mutations(net: Net, proof: Any, rng: random.Random, count: int) -> list[Any]:
    words = [p.id for p in net.places] + [t.id for t in net.transitions] + ["nobody", ""]
    found = [m for m in mutations(proof, words) if m is not None and m != proof]
    return rng.sample(found, min(count, len(found)))
