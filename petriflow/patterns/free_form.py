"""Nets drawn by hand as fragments: Arbitrary Cycles (WCP-10)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from petriflow.net import Net, Origin, Place
from petriflow.net.errors import CompositionError
from petriflow.patterns.fragment import (
    Binding,
    Branch,
    Choice,
    Fragment,
    Guard,
    Port,
    Selector,
    Trigger,
    check_guard,
    check_name,
)
from petriflow.patterns.parts import moved

Ways = Mapping[str, Guard | None]


def arbitrary_cycles(
    net: Net,
    tasks: Mapping[str, Binding],
    *,
    choices: Mapping[str, Ways] | None = None,
    triggers: Mapping[str, Trigger] | None = None,
    name: str | None = None,
) -> Fragment:
    """A net drawn by hand as a fragment, whose loops may have several ways in and out (WCP-10
    Arbitrary Cycles).

    Args:
        net: a net with one source and one sink.
        tasks: what each of its tasks runs, by the transition's id.
        choices: for a place from which several transitions take: a guard for each of them, asked
            in this order, and `None` for the one that is taken if no guard is true.
        triggers: what silent transitions wait for, by id.
        name: the segment that stands for the net in the ids of its nodes; by default the net's.

    Raises:
        CompositionError: a task without a binding or a binding without a task; a choice that does
            not speak of all its transitions, or not of exactly one as the other case; a name that
            cannot be part of a path.
        WorkflowNetError: the net has no source or sink, or several.

    >>> def check(case): ...
    >>> def repair(case): ...
    >>> net = (Net.build("work").places("i", "checked", "broken", "o")
    ...     .transition("check", "i", "checked").silent("fail", "checked", "broken")
    ...     .transition("repair", "broken", "checked").silent("pass", "checked", "o").done())
    >>> ways = {"checked": {"pass": "ok", "fail": None}}
    >>> list(arbitrary_cycles(net, {"check": check, "repair": repair}, choices=ways).tasks)
    ['work/check', 'work/repair']
    """
    root = check_name(name or net.name)
    where = f"arbitrary_cycles {root!r}"
    wanted = {t.id for t in net.tasks}
    for id in sorted(wanted ^ set(tasks)):
        what = f"task {id!r} has nothing to run" if id in wanted else f"{id!r} is no task of it"
        raise CompositionError(f"{where}: {what}; tasks= says what each task of the net runs")
    silent = {t.id for t in net.transitions} - wanted
    for id in sorted(set(triggers or {}) - silent):
        raise CompositionError(f"{where}: {id!r} has a trigger and is no silent transition of it")

    def rename(id: str) -> str:
        return f"{root}/{check_name(id)}" if id in wanted else f"{root}.{check_name(id)}"

    places = [Place(rename(p.id), Origin(root, "arbitrary_cycles", p.id)) for p in net.places]
    transitions = []
    for t in net.transitions:
        task = Origin(rename(t.id), "task", "task")
        origin = task if t.id in wanted else Origin(root, "arbitrary_cycles", t.id)
        transitions.append(replace(moved(t, rename), origin=origin))
    return Fragment(
        Net(root, tuple(places), tuple(transitions)),
        {"entry": Port(rename(net.source.id)), "exit": Port(rename(net.sink.id))},
        "arbitrary_cycles",
        root,
        {rename(id): binding for id, binding in tasks.items()},
        {rename(id): trigger for id, trigger in (triggers or {}).items()},
        tuple(_choice(net, place, ways, rename, where) for place, ways in (choices or {}).items()),
    )


def _choice(net: Net, place: str, ways: Ways, rename: Callable[[str], str], where: str) -> Choice:
    takers = {t.id for t in net.consumers.get(place, ())}
    if set(ways) != takers or list(ways.values()).count(None) != 1:
        raise CompositionError(
            f"{where}: the choice at {place!r} must have a guard for each of {sorted(takers)}, and "
            "None for just one of them: the one that is taken if no guard is true"
        )
    ordered = sorted(ways.items(), key=lambda way: way[1] is None)
    everything = frozenset(range(len(ordered)))
    return Choice(
        rename(place),
        rename(place),
        False,
        tuple(Branch(id, None if g is None else check_guard(g, where)) for id, g in ordered),
        tuple(
            Selector(rename(id), frozenset([n]), everything - {n})
            for n, (id, _) in enumerate(ordered)
        ),
    )
