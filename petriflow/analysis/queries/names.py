"""Which node of a net a name means that somebody wrote: an id, a label, or the end of a path."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from petriflow.net import Net

#: Words of the query language, and what needs no quotes there.
WORDS = frozenset(
    (
        *("AX", "EX", "AF", "EF", "AG", "EG", "A", "E", "U", "and", "or", "not"),
        *("true", "false", "deadlock", "completed", "enabled", "fireable", "running", "mutex"),
    )
)
BARE = re.compile(r"[^\W\d]\w*([./]\w+)*")
#: How many names are listed, of those that were perhaps meant.
LISTED = 4


@dataclass(frozen=True, slots=True)
class Found:
    """The id of the node that a name means, or why there is none."""

    id: str
    fault: str | None = None


class Directory:
    """Names in three ranks: ids, other whole names, ends of paths. The first that knows decides."""

    def __init__(self) -> None:
        self.ranks: tuple[dict[str, dict[str, None]], ...] = ({}, {}, {})

    def add(self, node: str, ids: Iterable[str], others: Iterable[str | None] = ()) -> None:
        """Enter the names of a node."""
        for rank, names in enumerate((ids, others)):
            for name in filter(None, names):
                self.ranks[rank].setdefault(name, {})[node] = None
                for at in (n for n, c in enumerate(name) if c == "/"):
                    self.ranks[2].setdefault(name[at + 1 :], {})[node] = None

    def nodes(self, name: str) -> list[str]:
        """The nodes that a name may mean."""
        return next((list(rank[name]) for rank in self.ranks if name in rank), [])


class Names:
    """The nodes of a net, by name."""

    def __init__(self, net: Net) -> None:
        self.net = net

    @cached_property
    def _tasks(self) -> Directory:
        """The running place of each task, by the task's names; none in an atomic net."""
        directory = Directory()
        for place in self.net.places:
            if place.origin is not None and place.origin.role == "running":
                task = place.id.removesuffix(".running")
                label = self.net.producers[place.id][0].label
                directory.add(place.id, [task], [place.origin.path, label])
        return directory

    @cached_property
    def _places(self) -> Directory:
        directory = Directory()
        for place in self.net.places:
            directory.add(place.id, [place.id], [*place.aliases, place.label])
        return directory

    @cached_property
    def _steps(self) -> Directory:
        """The transitions; the name of a task that starts and completes means its start."""
        directory = Directory()
        for t in self.net.transitions:
            role = t.origin.role if t.origin is not None else ""
            if role == "start" and t.id.endswith(".start"):
                directory.add(t.id, [t.id, t.id.removesuffix(".start")], [t.label])
            else:
                directory.add(t.id, [t.id], [None if role == "complete" else t.label])
        return directory

    def place(self, name: str) -> Found:
        """A place; or else the place of a running task."""
        if not self._places.nodes(name):
            if self._tasks.nodes(name):
                return self.task(name)
            if self.net.form == "atomic" and self._steps.nodes(name):
                return Found("", f"{name!r} is a step, not a place; {ATOMIC}")
        return self._only(name, "place", self._places, self._tasks)

    def task(self, name: str) -> Found:
        """The running place of a task."""
        if self.net.form == "atomic":
            return Found("", f"no task is ever seen running; {ATOMIC}")
        return self._only(name, "task", self._tasks)

    def step(self, name: str) -> Found:
        """A transition."""
        return self._only(name, "step", self._steps)

    def _only(self, name: str, kind: str, directory: Directory, *others: Directory) -> Found:
        """The node that the directory has; the others are for suggestions only."""
        nodes = directory.nodes(name)
        if len(nodes) == 1:
            return Found(nodes[0])
        if nodes:
            more = ", …" if len(nodes) > LISTED else ""
            listed = ", ".join(map(written, nodes[:LISTED])) + more
            return Found("", f"{name!r} may be several things; write one of {listed}")
        known = dict.fromkeys(n for d in (directory, *others) for rank in d.ranks for n in rank)
        near = difflib.get_close_matches(name, known, n=LISTED)
        hint = "write its id, its label, or the end of its path"
        if near:
            hint = f"did you mean {' or '.join(map(written, near))}?"
        return Found("", f"{name!r} is no {kind} of net {self.net.name!r}; {hint}")


ATOMIC = "in this form a task is one step: ask about the expanded form (form='expanded')"


def written(name: str) -> str:
    """A name as a query has it, in quotes where it must be."""
    if BARE.fullmatch(name) and name not in WORDS:
        return name
    return json.dumps(name, ensure_ascii=False)
