"""Classical soundness of a workflow net, with a witness for every fault.

From one token on the source [i], with the end [o] (van der Aalst 1998; PATTERNS §4):

* option to complete: from every reachable marking, [o] can be reached;
* proper completion: a reachable marking that covers [o] is [o];
* no dead transition: every transition is enabled in some reachable marking.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from petriflow.analysis.notions import notions_of
from petriflow.analysis.report import Bound, Form, Kind, Report, Verdict, Witness
from petriflow.analysis.state_space import Progress, StateSpace, explore
from petriflow.analysis.structure import off_the_path, structure
from petriflow.net import Marking, Net, replay, require_net
from petriflow.net.errors import DefinitionError
from petriflow.net.or_join import circles


def verify(
    net: Net,
    *,
    form: Form | None = None,
    name: str | None = None,
    k: int = 1,
    max_markings: int = 1_000_000,
    progress: Progress | None = None,
) -> Report:
    """Judge whether a workflow net is sound.

    Args:
        net: a net with one source and one sink.
        form: `expanded` judges the net in which each task starts, runs and completes; by default
            the net is judged as it is given.
        name: what the report calls the net.
        k: with how many tokens on the source to begin, of which as many must come out at the sink
            (k-soundness); with 1 this is classical soundness.
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
    if not isinstance(k, int) or k < 1:
        raise DefinitionError(f"k={k!r}; with how many tokens a net begins is 1 or more")
    space = explore(
        judged, initial=Marking({source: k}), max_markings=max_markings, progress=progress
    )
    faults = _faults(space, sink, k)
    plain = structure(judged).plain
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
        notions=notions_of(space, k, plain),
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


def _faults(space: StateSpace, sink: str, k: int) -> list[Witness]:
    """What is certainly wrong in the part that was explored, the gravest first."""
    graph = space.graph
    final = graph.lane(graph.net.place_index[sink], k)
    ended = graph.holding(graph.net.place_index[sink], k)
    faults = []

    improper = next((n for n in ended if graph.states[n] != final), None)
    if improper is not None:
        faults.append(_witness(space, "improper-completion", improper))

    over = set(ended)
    stuck = [
        n for n in range(graph.expanded) if graph.start[n] == graph.start[n + 1] and n not in over
    ]
    if stuck:
        faults.append(_witness(space, "deadlock", stuck[0]))

    if space.complete:
        circle = _closed_loop(space, graph.can_reach([*ended, *stuck]))
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
    off = sorted(off_the_path(net, source, sink, resets=True))
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
