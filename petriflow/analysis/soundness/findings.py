"""What is wrong in a space that was explored, whole or in part, the gravest first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from petriflow.analysis.soundness.reduction import Reduction
from petriflow.analysis.soundness.report import Kind, Witness
from petriflow.analysis.space.graph import closed_loop, exact
from petriflow.analysis.space.state_space import StateSpace
from petriflow.analysis.space.stubborn import Reduced
from petriflow.net import Marking, Net, replay


def faults_of(
    space: StateSpace, sink: str, k: int, plain: bool, small: Reduction | None
) -> list[Witness]:
    """What is certainly wrong in the part that was explored.

    `plain` is `Structure.plain`; where a smaller net was explored, `small` leads back from it.
    """
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
        circle = closed_loop(graph, graph.can_reach([*ended, *stuck]))
        if circle:
            entered = min(circle)
            inside = set(circle)
            loop = {
                ids[t]: None
                for n in sorted(circle)
                for t, m in zip(graph.row_via(n), graph.row(n), strict=True)
                if m in inside
            }
            round_ = _in_the_net(space.net, small, loop)
            faults.append(_witness(space, small, "livelock", entered, round_))
        dead = _dead(space.net, small, {ids[t] for t in graph.fired()})
        if dead:
            faults.append(_witness(space, small, "dead-transitions", 0, dead))
    return faults


def faults_of_reduced(reduced: Reduced, final: Marking, small: Reduction) -> list[Witness]:
    """What is certainly wrong, seen in a space of stubborn sets."""
    net, initial = small.given, reduced.marking(0)

    def witness(kind: Kind, state: int, transitions: Sequence[str] = ()) -> Witness:
        trace = small.trace(reduced.trace(state))
        *_, marking = replay(net, trace, initial)
        return Witness(kind, trace, marking, tuple(transitions))

    end = tuple(reduced.net.vector(final))
    sink = reduced.net.place_index[net.sink.id]
    over = [n for n, state in enumerate(reduced.states) if state[sink] >= end[sink]]
    faults = []
    improper = next((n for n in over if reduced.states[n] != end), None)
    if improper is not None:
        faults.append(witness("improper-completion", improper))
    ended = set(over)
    stuck = next((n for n in reduced.stuck() if n not in ended), None)
    if stuck is not None:
        faults.append(witness("deadlock", stuck))
    if faults or not reduced.complete:
        return faults
    goal = reduced.state(final)
    far = reduced.distances(goal) if goal is not None else [-1]
    if min(far) < 0:
        return [witness("no-option", far.index(-1))]
    ids = reduced.net.transition_ids
    dead = _dead(net, small, {ids[t] for t in reduced.fired})
    return [witness("dead-transitions", 0, dead)] if dead else []


def dead_transitions(
    net: Net, small: Reduction | None, alive: set[str], initial: Marking
) -> list[Witness]:
    """The fault that transitions never fire, if the `alive` ones of the explored net do."""
    dead = _dead(net, small, alive)
    return [Witness("dead-transitions", (), initial, dead)] if dead else []


def _dead(net: Net, small: Reduction | None, alive: set[str]) -> tuple[str, ...]:
    """The transitions of the judged net that never fire, if those of the explored net do."""
    judged = net if small is None else small.given
    found = alive if small is None else small.members(alive)
    return tuple(t.id for t in judged.transitions if t.id not in found)


def _in_the_net(net: Net, small: Reduction | None, transitions: Iterable[str]) -> tuple[str, ...]:
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
    *_, marking = replay(small.given, trace, space.marking(0))
    return Witness(kind, trace, marking, tuple(transitions))


def _grows(space: StateSpace, small: Reduction | None) -> Witness:
    pump = space.pump
    assert pump is not None
    before, segment = pump.trace, pump.segment
    if small is not None:
        before, segment = small.trace(before), small.trace(segment)
    net = space.net if small is None else small.given
    *_, marking = replay(net, (*before, *segment), space.marking(0))
    return Witness("unbounded", (*before, *segment), marking, segment)
