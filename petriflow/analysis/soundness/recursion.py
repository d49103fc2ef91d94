"""Workflows that call each other: can each of them end?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from petriflow.analysis.space.state_space import explore
from petriflow.net import Marking, Net


class Calling(Protocol):
    """What is asked of a workflow here."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def net(self) -> Net:
        """Its atomic net."""
        ...

    @property
    def calls(self) -> Mapping[str, str]:
        """The names of those that its tasks call, by the task's id."""
        ...


def endless(workflows: Sequence[Calling]) -> list[str]:
    """The workflows that can end only by calls that can never end themselves.

    A least fixed point: a workflow can end if its end can be reached by calls of such as can end
    (the productivity of a grammar). Where too many markings would have to be looked at, it counts
    as one that can end.
    """
    ending: set[str] = set()
    todo = list(workflows)
    while more := [w for w in todo if _can_end(w, ending)]:
        ending |= {w.name for w in more}
        todo = [w for w in todo if w not in more]
    return [w.name for w in todo if w.calls]


def _can_end(workflow: Calling, ending: set[str]) -> bool:
    blocked = {id for id, name in workflow.calls.items() if name not in ending}
    if not blocked:
        return True
    net = workflow.net
    left = Net(
        net.name,
        net.places,
        tuple(
            replace(t, cancels=t.cancels - blocked) for t in net.transitions if t.id not in blocked
        ),
        net.initial_marking,
        Marking(net.sink.id),
    )
    space = explore(left)
    end = Marking(net.sink.id)
    return not space.complete or any(space.marking(n) == end for n in range(space.markings))
