"""Classical soundness of a workflow net, with a witness for every fault.

From one token on the source [i], with the end [o] (van der Aalst 1998; PATTERNS §4):

* option to complete: from every reachable marking, [o] can be reached;
* proper completion: a reachable marking that covers [o] is [o];
* no dead transition: every transition is enabled in some reachable marking.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

from petriflow.analysis.graph import exact
from petriflow.analysis.notions import Notions, notions_of
from petriflow.analysis.reduction import Reduction, reduce_net
from petriflow.analysis.report import Bound, Form, Kind, Report, Verdict, Witness
from petriflow.analysis.state_space import Progress, StateSpace, explore
from petriflow.analysis.structure import off_the_path, structure
from petriflow.analysis.walks import walk_to_fault
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
    plain = structure(judged).plain
    for space, small, walk in _looks(judged, sink, Marking({source: k}), max_markings, progress):
        faults = _faults(space, sink, k, plain, small)
        if walk is not None and not faults:
            faults = [_walked(judged, walk, Marking({source: k}), Marking({sink: k}))]
        if faults or space.complete:
            break
    proven = space.complete or (small is not None and small.trivial)
    verdict: Verdict = "unsound" if faults else "sound" if proven else "unknown"
    counted = small is None and space.complete
    return Report(
        name=name or net.name,
        verdict=verdict,
        form=judged.form,
        method=_method(small, walk),
        markings=space.markings if counted else None,
        edges=space.edges if counted else None,
        bound=_bound(space, small),
        notions=ALL_YES if verdict == "sound" else notions_of(space, k, plain, small),
        faults=tuple(faults),
        warnings=tuple(_warnings(judged, source, sink, space, plain, verdict)),
        explored=space.markings,
        seconds=time.perf_counter() - began,
        net=judged,
        given=net,
    )


def _looks(
    net: Net, sink: str, initial: Marking, max_markings: int, progress: Progress | None
) -> Iterator[tuple[StateSpace, Reduction | None, tuple[str, ...] | None]]:
    """The ladder. First a short look at the state space: it decides a small net at once, and most
    faults are near the start, where their witness is the shortest. Then the net is made smaller
    and played at random, and more and more of the state space of what is left is looked at, as
    long as nothing is found.
    """
    limit = min(max_markings, max(LEAST, SHORT_LOOK // (len(net.places) + 1)))
    space = explore(net, initial=initial, max_markings=limit)
    yield space, None, None
    small = None
    if not any(t.join == "or" for t in net.transitions):
        small = reduce_net(net)
        net = small.net
    walk = walk_to_fault(net, initial, Marking({sink: initial.total}))
    if walk is not None:
        yield space, None, walk if small is None else small.trace(walk)
    while limit < max_markings:
        limit = min(max_markings, 20 * limit)
        space = explore(net, initial=initial, max_markings=limit, progress=progress)
        yield space, small, None


def _walked(net: Net, trace: tuple[str, ...], initial: Marking, final: Marking) -> Witness:
    *_, marking = replay(net, trace, initial)
    return Witness("improper-completion" if final <= marking else "deadlock", trace, marking)


ALL_YES = Notions("yes", "yes", "yes", "yes")
#: How many places times markings a short look may look at, and how many markings at least.
SHORT_LOOK, LEAST = 50_000, 100


def _method(small: Reduction | None, walk: tuple[str, ...] | None) -> str:
    if walk is not None:
        return "reduction and random walk"
    if small is None:
        return "state space"
    return "reduction" if small.trivial else "reduction and state space"


def _bound(space: StateSpace, small: Reduction | None) -> Bound:
    if space.pump is not None:
        return "unbounded"
    return space.max_tokens_in_place if space.complete and small is None else None


def _faults(
    space: StateSpace, sink: str, k: int, plain: bool, small: Reduction | None
) -> list[Witness]:
    """What is certainly wrong in the part that was explored, the gravest first."""
    graph = space.graph
    ids = graph.net.transition_ids
    ended = graph.holding(graph.net.place_index[sink], k)
    final = exact(graph, Marking({sink: k}))
    faults = [_grows(space, small)] if space.pump is not None and plain else []

    improper = next((n for n in ended if n != final), None)
    if improper is not None:
        faults.append(_witness(space, small, "improper-completion", improper))

    over = set(ended)
    stuck = [n for n in graph.stuck() if n not in over]
    if stuck:
        faults.append(_witness(space, small, "deadlock", stuck[0]))

    if space.complete:
        circle = _closed_loop(space, graph.can_reach([*ended, *stuck]))
        if circle:
            entered = min(circle)
            inside = set(circle)
            loop = {
                ids[t]: None
                for n in sorted(circle)
                for t, m in zip(graph.row_via(n), graph.row(n), strict=True)
                if m in inside
            }
            round_ = _in_the_net(space, small, loop)
            faults.append(_witness(space, small, "livelock", entered, round_))
        alive = {ids[t] for t in graph.fired()}
        net = space.net if small is None else small.given
        found = alive if small is None else small.members(alive)
        dead = tuple(t.id for t in net.transitions if t.id not in found)
        if dead:
            faults.append(_witness(space, small, "dead-transitions", 0, dead))
    return faults


def _in_the_net(
    space: StateSpace, small: Reduction | None, transitions: Iterable[str]
) -> tuple[str, ...]:
    """Transitions of the explored net as those of the net that is judged."""
    if small is None:
        return tuple(transitions)
    found = small.members(transitions)
    return tuple(t.id for t in small.given.transitions if t.id in found)


def _witness(
    space: StateSpace,
    small: Reduction | None,
    kind: Kind,
    state: int,
    transitions: Sequence[str] = (),
) -> Witness:
    trace = space.trace(state)
    if small is None:
        return Witness(kind, trace, space.marking(state), tuple(transitions))
    trace = small.trace(trace)
    *_, marking = replay(small.given, trace, _begin(space))
    return Witness(kind, trace, marking, tuple(transitions))


def _begin(space: StateSpace) -> Marking:
    return space.marking(0)


def _grows(space: StateSpace, small: Reduction | None) -> Witness:
    pump = space.pump
    assert pump is not None
    before, segment = pump.trace, pump.segment
    if small is not None:
        before, segment = small.trace(before), small.trace(segment)
    net = space.net if small is None else small.given
    *_, marking = replay(net, (*before, *segment), _begin(space))
    return Witness("unbounded", (*before, *segment), marking, segment)


def _closed_loop(space: StateSpace, free: bytearray) -> list[int]:
    """A bottom strongly connected component among the states that are not free.

    They are closed under successors, so the first component that Tarjan's algorithm completes
    has no way out.
    """
    graph = space.graph
    root = next((n for n in range(graph.count) if not free[n]), None)
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


def _warnings(
    net: Net, source: str, sink: str, space: StateSpace, plain: bool, verdict: Verdict
) -> Iterable[str]:
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
    elif verdict == "unknown":
        yield f"stopped after {space.markings:,} markings; raise max_markings to look further"
