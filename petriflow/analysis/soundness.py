"""Classical soundness of a workflow net, with a witness for every fault.

From one token on the source [i], with the end [o] (van der Aalst 1998; PATTERNS §4):

* option to complete: from every reachable marking, [o] can be reached;
* proper completion: a reachable marking that covers [o] is [o];
* no dead transition: every transition is enabled in some reachable marking.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from itertools import pairwise

from petriflow.analysis.report import Bound, Form, Kind, Report, Verdict, Witness
from petriflow.analysis.state_space import Progress, StateSpace, explore
from petriflow.net import Net, replay, require_net
from petriflow.net.errors import DefinitionError
from petriflow.net.or_join import circles


def verify(
    net: Net,
    *,
    form: Form | None = None,
    name: str | None = None,
    max_markings: int = 1_000_000,
    progress: Progress | None = None,
) -> Report:
    """Judge whether a workflow net is sound.

    Args:
        net: a net with one source and one sink.
        form: `expanded` judges the net in which each task starts, runs and completes; by default
            the net is judged as it is given.
        name: what the report calls the net.
        max_markings: look at no more markings than this; a verdict that needs more is `unknown`.
        progress: told now and then how many markings were found.

    Raises:
        WorkflowNetError: the net has no source or sink, or several.
        DefinitionError: the form is none that this net can be judged in.

    >>> net = Net.build("door").places("i", "o").transition("open", "i", "o").done()
    >>> verify(net).verdict
    'sound'
    """
    began = time.perf_counter()
    require_net(net, "verify")
    if form not in (None, "atomic", "expanded"):
        raise DefinitionError(f"form={form!r}; use 'atomic' or 'expanded'")
    if form == "atomic" and net.form == "expanded":
        raise DefinitionError(
            f"net {net.name!r} is in its expanded form; to judge the atomic one, pass the net that "
            "it was expanded from"
        )
    judged = net.expanded() if form == "expanded" else net
    source, sink = judged.source.id, judged.sink.id
    space = explore(judged, max_markings=max_markings, progress=progress)
    faults = _faults(space, sink)
    plain = not any(t.reset or t.inhibitor or t.join == "or" for t in judged.transitions)
    if space.pump is not None and plain:
        faults.insert(0, _grows(space))
    verdict: Verdict = "unsound" if faults else "sound" if space.complete else "unknown"
    return Report(
        name=name or net.name,
        verdict=verdict,
        form=judged.form,
        method="state space",
        markings=space.markings if space.complete else None,
        edges=space.edges if space.complete else None,
        bound=_bound(space),
        faults=tuple(faults),
        warnings=tuple(_warnings(judged, source, sink, space, plain)),
        explored=space.markings,
        seconds=time.perf_counter() - began,
        net=judged,
        given=net,
    )


def _bound(space: StateSpace) -> Bound:
    if space.pump is not None:
        return "unbounded"
    return space.max_tokens_in_place if space.complete else None


def _faults(space: StateSpace, sink: str) -> list[Witness]:
    """What is certainly wrong in the part that was explored, the gravest first."""
    graph = space.graph
    place = graph.net.place_index[sink]
    final = graph.lane(place)
    lane = graph.lane(place, (1 << graph.width) - 1)
    faults = []

    improper = next((n for n, s in enumerate(graph.states) if s & lane and s != final), None)
    if improper is not None:
        faults.append(_witness(space, "improper-completion", improper))

    stuck = [
        n
        for n in range(graph.expanded)
        if graph.start[n] == graph.start[n + 1] and not graph.states[n] & lane
    ]
    if stuck:
        faults.append(_witness(space, "deadlock", stuck[0]))

    if space.complete:
        ended = [n for n, s in enumerate(graph.states) if s & lane]
        circle = _closed_loop(space, _can_reach(space, [*ended, *stuck]))
        if circle:
            entered = min(circle)
            inside = set(circle)
            loop = dict.fromkeys(
                graph.via[e]
                for n in sorted(circle)
                for e in range(graph.start[n], graph.start[n + 1])
                if graph.target[e] in inside
            )
            ids = tuple(graph.net.transition_ids[t] for t in loop)
            faults.append(_witness(space, "livelock", entered, ids))
        fired = set(graph.via)
        dead = tuple(id for t, id in enumerate(graph.net.transition_ids) if t not in fired)
        if dead:
            faults.append(_witness(space, "dead-transitions", 0, dead))
    return faults


def _witness(space: StateSpace, kind: Kind, state: int, transitions: Sequence[str] = ()) -> Witness:
    return Witness(kind, space.trace(state), space.marking(state), tuple(transitions))


def _grows(space: StateSpace) -> Witness:
    pump = space.pump
    assert pump is not None
    trace = (*pump.trace, *pump.segment)
    *_, marking = replay(space.net, trace)
    return Witness("unbounded", trace, marking, pump.segment)


def _can_reach(space: StateSpace, goals: Iterable[int]) -> bytearray:
    """Which states can reach one of the goals, by a search backwards."""
    graph = space.graph
    count = len(graph.states)
    degree = [0] * (count + 1)
    for successor in graph.target:
        degree[successor + 1] += 1
    for n in range(count):
        degree[n + 1] += degree[n]
    sources = [0] * len(graph.target)
    fill = list(degree)
    for state, (first, last) in enumerate(pairwise(graph.start)):
        for e in range(first, last):
            sources[fill[graph.target[e]]] = state
            fill[graph.target[e]] += 1
    reached = bytearray(count)
    waiting = list(goals)
    for n in waiting:
        reached[n] = 1
    while waiting:
        n = waiting.pop()
        for m in sources[degree[n] : degree[n + 1]]:
            if not reached[m]:
                reached[m] = 1
                waiting.append(m)
    return reached


def _closed_loop(space: StateSpace, free: bytearray) -> list[int]:
    """A bottom strongly connected component among the states that are not free.

    They are closed under successors, so the first component that Tarjan's algorithm completes
    has no way out.
    """
    graph = space.graph
    root = next((n for n in range(len(graph.states)) if not free[n]), None)
    if root is None:
        return []
    number = {root: 0}
    low = {root: 0}
    stack, work = [root], [(root, iter(graph.row(root)))]
    while work:
        state, successors = work[-1]
        for successor in successors:
            if successor not in number:
                number[successor] = low[successor] = len(number)
                stack.append(successor)
                work.append((successor, iter(graph.row(successor))))
                break
            low[state] = min(low[state], number[successor])
        else:
            if low[state] == number[state]:
                return stack[stack.index(state) :]
            work.pop()
            low[work[-1][0]] = min(low[work[-1][0]], low[state])
    return []


def _warnings(net: Net, source: str, sink: str, space: StateSpace, plain: bool) -> Iterable[str]:
    """What is worth saying besides the verdict."""
    off = sorted(_off_the_path(net, source, sink))
    if off:
        names = ", ".join(map(repr, off[:5])) + (" …" if len(off) > 5 else "")
        yield f"not on a path from {source!r} to {sink!r}: {names}"
    for joins in circles(net):
        names = " and ".join(map(repr, joins))
        yield f"OR-joins {names} lie on one circle, and may wait for each other for ever"
    if space.pump is not None and not plain:
        grows = ", ".join(map(repr, space.pump.grows))
        yield (
            f"{grows} can grow without end; with resets, inhibitors or OR-joins that alone decides "
            "nothing"
        )
    elif space.pump is None and not space.complete:
        yield f"stopped after {space.markings:,} markings; raise max_markings to look further"


def _off_the_path(net: Net, source: str, sink: str) -> set[str]:
    """The nodes that are not between source and sink; a reset counts as a way out of its place."""
    ids = [p.id for p in net.places] + [t.id for t in net.transitions]
    after: dict[str, set[str]] = {id: set() for id in ids}
    before: dict[str, set[str]] = {id: set() for id in after}
    for t in net.transitions:
        for id in (*t.consume, *t.read, *t.reset):
            after[id].add(t.id)
        for id in t.produce:
            after[t.id].add(id)
    for id, following in after.items():
        for other in following:
            before[other].add(id)
    return set(after) - (_closure(source, after) & _closure(sink, before))


def _closure(start: str, following: dict[str, set[str]]) -> set[str]:
    found, waiting = {start}, [start]
    while waiting:
        for id in following[waiting.pop()] - found:
            found.add(id)
            waiting.append(id)
    return found
