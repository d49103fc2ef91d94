"""The firing rule: the only definition of what a step is.

    enabled  ⇔  M ≥ consume,  M ≥ read,  M < inhibitor
    fire     =  consume → reset → produce, in one atomic step

An OR-join takes one token from each of its inputs that is marked, and is enabled if some are and
no more can come; net/or_join.py says when that is, and needs the whole net for it.

A place may be in the reset set and in the output of one transition: it then ends with exactly
the produced tokens. Everything else in petriflow that fires transitions (compiled nets, the
explorer, the engine's case) is tested against this file on random nets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from petriflow.net.errors import NetError, NotEnabled
from petriflow.net.marking import Marking
from petriflow.net.net import Net, Transition
from petriflow.net.or_join import nothing_more_can_come, taken


def is_enabled(transition: Transition, marking: Marking, net: Net | None = None) -> bool:
    """Whether the marking enables the transition; an OR-join's net must be given."""
    if not (
        transition.read <= marking
        and all(marking[p] < threshold for p, threshold in transition.inhibitor.items())
    ):
        return False
    if transition.join == "or":
        if net is None:
            raise NetError(f"whether OR-join {transition.id!r} is enabled depends on its whole net")
        return nothing_more_can_come(net, transition, marking)
    return transition.consume <= marking


def enabled(net: Net, marking: Marking) -> tuple[Transition, ...]:
    """The transitions that the marking enables, in the order of the net."""
    return tuple(t for t in net.transitions if is_enabled(t, marking, net))


def fire(transition: Transition, marking: Marking, net: Net | None = None) -> Marking:
    """The marking after one firing; an OR-join's net must be given.

    Raises:
        NotEnabled: the marking does not enable the transition; the message says what is missing.
    """
    if not is_enabled(transition, marking, net):
        raise NotEnabled(
            f"transition {transition.id!r} is not enabled in {marking}: "
            + "; ".join(obstacles(transition, marking))
        )
    return (marking - taken(transition, marking)).without(transition.reset) + transition.produce


def obstacles(transition: Transition, marking: Marking) -> list[str]:
    """What keeps the transition from firing, a sentence each; empty when it is enabled."""
    if transition.join == "or":
        inputs = ", ".join(map(repr, transition.consume))
        if any(p in marking for p in transition.consume):
            return [f"more can still come to one of {inputs}"]
        return [f"none of {inputs} has a token"]
    needs = {
        p: max(transition.consume[p], transition.read[p])
        for p in (*transition.consume, *transition.read)
    }
    return [
        f"place {p!r} has {marking[p]} of {n} tokens" for p, n in needs.items() if marking[p] < n
    ] + [
        f"place {p!r} has {marking[p]} tokens and must have fewer than {n}"
        for p, n in transition.inhibitor.items()
        if marking[p] >= n
    ]


def replay(net: Net, trace: Iterable[str], marking: Marking | None = None) -> Iterator[Marking]:
    """The markings along a trace of transition ids, the first one included.

    Args:
        net: the net whose transitions the trace names.
        trace: transition ids, in order.
        marking: where to begin; by default the net's initial marking.

    Raises:
        NotEnabled: a step of the trace is not possible.
    """
    current = net.initial_marking if marking is None else marking
    yield current
    for id in trace:
        current = fire(net.transition(id), current, net)
        yield current
