"""What the builders produce is, node for node and arc for arc, the reference's net."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import networkx as nx
import pytest

from petriflow.analysis import verify
from petriflow.net import Net
from petriflow.patterns import (
    Fragment,
    arbitrary_cycles,
    blocking_discriminator,
    branching,
    cancel_case,
    cancel_instances,
    cancel_region,
    cancellable,
    complete_instances,
    critical_section,
    deferred_choice,
    detached_instances,
    discriminator,
    exclusive_choice,
    exclusive_split,
    explicit_termination,
    generalised_join,
    growing_instances,
    implicit_termination,
    interleaved_parallel_routing,
    interleaved_routing,
    milestone,
    multi_choice,
    multi_merge,
    multi_split,
    multiple_instances,
    one_of,
    parallel,
    parallel_split,
    partial_join,
    persistent_trigger,
    recursion,
    sequence,
    simple_merge,
    skip,
    some_of,
    structured_loop,
    synchronization,
    synchronizing_graph,
    synchronizing_merge,
    thread_merge,
    thread_split,
    transient_trigger,
    when,
)
from petriflow.patterns.fragment import as_fragment

from ..analysis.reference import Published, published
from .brute import a, b, c, d, e, f, g

REFERENCE = {row.name: row for row in published()}


def guarded(*tasks: Callable[..., None]) -> list[branching.Alternative]:
    return [when(f"x == {n}", task) for n, task in enumerate(tasks)]


def chain() -> Fragment:
    kept, branching.MOST_SUBSET_BRANCHES = branching.MOST_SUBSET_BRANCHES, 0
    try:
        return multi_choice(*guarded(a, b, c), exhaustive=True)
    finally:
        branching.MOST_SUBSET_BRANCHES = kept


def counting() -> Fragment:
    kept, partial_join.MOST_SUBSET_BRANCHES = partial_join.MOST_SUBSET_BRANCHES, 0
    try:
        return discriminator(a, b, c, required=2, cancel=True, then=d)
    finally:
        partial_join.MOST_SUBSET_BRANCHES = kept


def cycles() -> Fragment:
    """The net of the reference, drawn by hand; tasks compete at p2 and p3."""
    net = REFERENCE["10 arbitrary cycles (2 entries, 2 exits)"].net()
    tasks = dict(zip("ABCDEFG", (a, b, c, d, e, f, g), strict=True))
    choices = {"p1": {"B": "x > 1", "G": None}, "p2": {"C": "x > 2", "D": None}}
    return arbitrary_cycles(net, tasks, choices=choices | {"p3": {"E": "x", "F": None}}, name="n")


def graph_of_five() -> Fragment:
    return synchronizing_graph(
        some_of(("a", "x > 1"), ("b", "x < 3")),
        {"a": a, "b": b, "c": c, "d": d, "e": e},
        {"a": one_of(("c", "x > 2"), "d"), "b": "e", "c": "e", "d": "end", "e": "end"},
    )


BUILT: dict[str, Callable[[], Fragment | Callable[..., None]]] = {
    "01 sequence": lambda: sequence(a, b),
    "02+03 AND-split/AND-join n=2": lambda: parallel(a, b),
    "02+03 AND-split/AND-join n=3": lambda: synchronization(parallel_split(a, b, c)),
    "04+05 XOR-split/XOR-join n=2": lambda: exclusive_choice(*guarded(a, b), exhaustive=True),
    "04+05 XOR-split/XOR-join n=3": lambda: simple_merge(
        exclusive_split(*guarded(a, b, c), exhaustive=True)
    ),
    "06+07 OR-split/sync-merge skip-token n=2": lambda: multi_choice(
        *guarded(a, b), exhaustive=True
    ),
    "06+07 OR-split/sync-merge skip-token n=3": lambda: multi_choice(
        *guarded(a, b, c), exhaustive=True
    ),
    "06+07 same, linear exact chain n=3": chain,
    "08 multi-merge + thread-merge n=2": lambda: sequence(
        multi_merge(parallel_split(a, b)), d, thread_merge(2)
    ),
    "08 multi-merge + thread-merge n=3": lambda: sequence(
        multi_merge(parallel_split(a, b, c)), d, thread_merge(3)
    ),
    "09 structured discriminator 1-of-2": lambda: discriminator(a, b, then=d),
    "09 structured discriminator 1-of-3": lambda: discriminator(a, b, c, then=d),
    "30 structured partial join 2-of-3": lambda: discriminator(a, b, c, required=2, then=d),
    "28 blocking discriminator 1-of-2, 2 rounds": lambda: blocking_discriminator(
        skip, skip, rounds=2
    ),
    "31 blocking partial join 2-of-3, 2 rounds": lambda: blocking_discriminator(
        skip, skip, skip, required=2, rounds=2
    ),
    "29 cancelling discriminator 1-of-2": lambda: discriminator(a, b, cancel=True, then=d),
    "29 cancelling discriminator 1-of-3": lambda: discriminator(a, b, c, cancel=True, then=d),
    "32 cancelling partial join 2-of-3": lambda: discriminator(
        a, b, c, required=2, cancel=True, then=d
    ),
    "32 same, one counting place": counting,
    "33 generalized AND-join, 2 rounds": lambda: sequence(
        generalised_join(a, b, threads=2), thread_merge(2)
    ),
    "41+42 thread split 3 / thread merge 3": lambda: sequence(thread_split(3), a, thread_merge(3)),
    "10 arbitrary cycles (2 entries, 2 exits)": cycles,
    "06+38 OR-split/general OR-join n=3": lambda: synchronizing_merge(
        multi_split(*guarded(a, b, c), exhaustive=True)
    ),
    "37 local (acyclic) sync merge, T/F tokens": graph_of_five,
    "11 implicit termination (two sinks, joined)": lambda: implicit_termination(a, b),
    "43 explicit termination": lambda: explicit_termination(a, b),
    "21 structured loop while": lambda: structured_loop(a, while_="x"),
    "21 structured loop repeat-until": lambda: structured_loop(a, until="x"),
    "22 recursion depth<=3 (counter, capacity place)": lambda: recursion(
        a, before=b, after=c, again="x", depth=3
    ),
    "12 MI without sync (as async sub-cases, n=3)": lambda: detached_instances(a, 3, b),
    "13 MI design-time n=3": lambda: multiple_instances(a, 3),
    "14 MI run-time, complement place K=3": lambda: multiple_instances(a, "n", most=3),
    "15 MI no a-priori, K=3": lambda: growing_instances(a, add=b, most=3),
    "26 cancel MI (n=3)": lambda: cancel_instances(a, 3, by=b),
    "27 complete MI (n=3)": lambda: complete_instances(a, 3, then=b),
    "34 static partial join MI 2-of-3": lambda: multiple_instances(a, 3, required=2, then=d),
    "35 cancelling partial join MI 2-of-3": lambda: multiple_instances(
        a, 3, required=2, cancel=True, then=d
    ),
    "36 dynamic partial join MI K=3": lambda: growing_instances(
        a, add=b, most=3, until="x", then=d
    ),
    "16 deferred choice n=3": lambda: deferred_choice(a, b, c),
    "17 interleaved parallel routing, pick<pack, invoice": lambda: interleaved_parallel_routing(
        sequence(b, c), d
    ),
    "17 same without mutex": lambda: parallel(sequence(b, c), d),
    "40 interleaved routing n=3": lambda: interleaved_routing(a, b, c),
    "39 critical section (2 sections of 2 tasks)": lambda: critical_section(
        sequence(b, d), sequence(c, e)
    ),
    "18 milestone, no expiry path": lambda: milestone(a, b, c, unsafe_ok=True),
    "18 milestone with expiry skip": lambda: milestone(a, b, c, expired=skip),
    "23 transient trigger + lost fallback": lambda: transient_trigger(a, b),
    "23 transient trigger, no fallback": lambda: transient_trigger(
        a, b, fallback=False, unsafe_ok=True
    ),
    "24 persistent trigger": lambda: persistent_trigger(a, b, c),
    "19 cancel task (external event)": lambda: cancellable(a, by=b, then=c),
    "20 cancel case (guard token w)": lambda: cancel_case(a, b),
    "25 cancel region": lambda: cancel_region(a, beside=b, by=c, then=d),
    "BAD1 AND-split + XOR-join": lambda: simple_merge(parallel_split(a, b), unsafe_ok=True),
    "BAD2 XOR-split + AND-join": lambda: synchronization(
        exclusive_split(*guarded(a, b), exhaustive=True), unsafe_ok=True
    ),
    "BAD3 multi-choice + AND-join n=2": lambda: synchronization(
        multi_split(*guarded(a, b), exhaustive=True), unsafe_ok=True
    ),
    "BAD4 multi-choice + XOR-join n=2": lambda: simple_merge(
        multi_split(*guarded(a, b), exhaustive=True), unsafe_ok=True
    ),
}


@dataclass
class Node:
    kind: str


def graph(net: Net) -> nx.MultiDiGraph:
    """The net without its names."""
    drawn = nx.MultiDiGraph()
    for place in net.places:
        start = net.source.id == place.id
        drawn.add_node(place.id, kind="source" if start else "place")
    for t in net.transitions:
        drawn.add_node(("t", t.id), kind=(t.silent, t.join))
        for kind, place, weight in t.arcs():
            ends = (("t", t.id), place) if kind == "produce" else (place, ("t", t.id))
            drawn.add_edge(*ends, what=(kind, weight))
        for victim in t.cancels:
            drawn.add_edge(("t", t.id), ("t", victim), what=("cancels", 1))
    return drawn


def same(one: Net, other: Net) -> bool:
    nodes = nx.algorithms.isomorphism.categorical_node_match("kind", "")
    edges = nx.algorithms.isomorphism.categorical_multiedge_match("what", None)
    return nx.is_isomorphic(graph(one), graph(other), node_match=nodes, edge_match=edges)


@pytest.mark.promise("PAT-14")
@pytest.mark.parametrize("name", BUILT)
def test_a_built_pattern_is_the_reference_net(name: str) -> None:
    row: Published = REFERENCE[name]
    built = as_fragment(BUILT[name]())
    assert same(built.net, row.net()), str(built.net.transitions)


@pytest.mark.promise("PAT-2")
@pytest.mark.parametrize("name", BUILT)
def test_a_built_pattern_has_the_published_numbers(name: str) -> None:
    row: Published = REFERENCE[name]
    net = as_fragment(BUILT[name]()).net
    for form, (size, sound) in (("atomic", row.atomic), ("expanded", row.expanded)):
        report = verify(net, form=form)  # type: ignore[arg-type]
        assert f"{report.markings}/{report.edges}" == size
        assert report.verdict == {"Y": "sound", "n": "unsound"}[sound]
        if form == "atomic":
            assert report.bound == int(row.bound)
