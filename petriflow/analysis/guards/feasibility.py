"""Whether the data let a trace happen: choices that are asked about the same values must agree.

A net forgets the guards, so that a trace may take `x > 0` here and `not x > 0` there (PATTERNS §6).
Two choices see the same values if nothing was written between them: a task may write every
variable, and so may an event from outside, and the end of branches in which something was written.
A branch of a parallel block has variables of its own, which begin as those around it are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import count
from typing import Any, Literal

from petriflow.analysis.guards.prover import SECONDS, Demand, Prover
from petriflow.net import Marking, Net, fire
from petriflow.net.errors import NetError
from petriflow.net.or_join import taken
from petriflow.patterns.fragment import Choice, Event, Selector, within
from petriflow.workflow.workflow import Workflow

Answer = Literal["yes", "no", "unknown"]


@dataclass(frozen=True, slots=True)
class Decided:
    """A guard as the trace takes it: at which step, and whether it had to be true or false.

    `moment` is the same for guards that are asked about the same values: 0 for those that the case
    began with.
    """

    step: int
    choice: str
    guard: str
    holds: bool
    moment: int

    def __str__(self) -> str:
        return f"{self.guard!r} is {'true' if self.holds else 'false'} at {self.choice!r}"


@dataclass(frozen=True, slots=True)
class Feasibility:
    """Whether there are data for which a trace happens, without corrections by a person.

    `yes` comes with `examples`: the values of the variables at each moment, on which the guards
    were asked; from one moment to the next, tasks and events must bring them. `no` comes with
    `conflict`: guards that cannot all be as the trace takes them, none of them named without need.
    """

    answer: Answer
    examples: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    conflict: tuple[Decided, ...] = ()
    reason: str | None = None

    def __str__(self) -> str:
        if self.answer == "no":
            return f"infeasible: {'; '.join(map(str, self.conflict))}"
        if self.answer == "unknown":
            return f"unknown: {self.reason}"
        said = [
            f"{'at first' if not moment else f'moment {moment}'}: {dict(values)}"
            for moment, values in self.examples.items()
        ]
        return "\n  ".join(["feasible", *said])

    def to_json(self) -> dict[str, Any]:
        """The answer as plain data."""
        return asdict(self)


def feasible(workflow: Workflow, trace: Sequence[str], *, seconds: float = SECONDS) -> Feasibility:
    """Whether the guards let a trace happen, such as that of a fault's witness.

    Args:
        workflow: the workflow.
        trace: ids of transitions that fire one after another from the initial marking, of the
            expanded net or of the atomic one.
        seconds: how long one question may take.

    Raises:
        NetError: the trace names a transition that is not there.
        NotEnabled: the trace cannot happen, whatever the data.

    >>> from pydantic import BaseModel
    >>> from petriflow.patterns import exclusive_choice, skip, when
    >>> class Order(BaseModel):
    ...     total: int
    >>> def a(case): ...
    >>> def b(case): ...
    >>> once = exclusive_choice(when("total > 9", skip), otherwise=a, name="once")
    >>> again = exclusive_choice(when("total < 9", skip), otherwise=b, name="again")
    >>> w = Workflow("w", once >> again, variables=Order)
    >>> print(feasible(w, ["w/once.select-skip-1", "w/again.select-skip-1"]))
    infeasible: 'total > 9' is true at 'w/once'; 'total < 9' is true at 'w/again'
    """
    net = workflow.expanded if set(trace) <= _ids(workflow.expanded) else workflow.net
    for id in trace:
        if id not in _ids(net):
            raise NetError(f"the trace names {id!r}, which is no transition of {workflow.name!r}")
    walk = _Walk(workflow, net)
    for id in trace:
        walk.step(id)
    demands = dict(walk.decided)
    prover = Prover(workflow.schema, seconds)
    found = prover.exists(list(demands))
    if found.answer == "no":
        conflict = prover.conflict(list(demands))
        return Feasibility("no", conflict=tuple(demands[d] for d in conflict))
    if found.answer == "yes" and walk.counted:
        return Feasibility("unknown", reason="how many instances there are is not looked at")
    examples = {int(moment): values for moment, values in found.examples.items()}
    return Feasibility(found.answer, examples, reason=found.reason)


def _ids(net: Net) -> set[str]:
    return {t.id for t in net.transitions}


class _Walk:
    """A trace step by step: which values each guard is asked about."""

    def __init__(self, workflow: Workflow, net: Net) -> None:
        self.workflow, self.net = workflow, net
        self.decided: list[tuple[Demand, Decided]] = []
        #: whether a number by data played a part
        self.counted = False
        self._marking = net.initial_marking
        self._steps = 0
        self._moments = count(1)
        #: the moment at which each open scope was last written; the case itself is ""
        self._now = {"": 0}
        self._branches = [b for block in workflow.blocks for b in block.branches]
        #: since when a choice could have been asked: the moment that it saw then
        self._since: dict[str, tuple[str, int]] = {}
        #: of a choice that is decided bit by bit: the moment, and the branches settled so far
        self._under_way: dict[str, tuple[int, frozenset[int]]] = {}
        self._mixed: set[str] = set()
        self._selectors = {
            self._begin(s.transition): (choice, s) for choice in workflow.choices
            for s in choice.selectors
        }  # fmt: skip
        self._completions = {
            task if net is workflow.net else f"{task}.complete": task for task in workflow.tasks
        }
        self._counting = {t for c in workflow.fragment.counts for t in (c.more, c.stop)}
        self._look()

    def _begin(self, transition: str) -> str:
        expanded = self.net is self.workflow.expanded and transition in self.workflow.tasks
        return f"{transition}.start" if expanded else transition

    def step(self, id: str) -> None:
        """Fire a transition, and note what its choice demands and what it may write."""
        transition = self.net.transition(id)
        if id in self._selectors:
            self._demand(*self._selectors[id])
        before, self._marking = self._marking, fire(transition, self._marking, self.net)
        left = before - taken(transition, before)
        self._steps += 1
        self.counted |= id in self._counting
        if id in self._completions:
            self._write(self._scope(self._completions[id]))
        if isinstance(self.workflow.fragment.triggers.get(id), Event):
            self._write(self._scope(id))
        for block in self.workflow.blocks:
            around = self._scope(block.path)
            if id in block.joins:
                self._join(block.branches, around, left)
            if id in block.splits:
                self._open(block.branches, around)
        self._withdraw(transition.reset)
        self._look()

    def _open(self, branches: Iterable[str], around: str) -> None:
        for branch in branches:
            # Of a branch that was there before it is not certain here what it remembers.
            again = branch in self._now
            self._now[branch] = next(self._moments) if again else self._now[around]

    def _join(self, branches: Iterable[str], around: str, left: Marking) -> None:
        """Branches in which no token is left end, and what was written there is written around."""
        ending = [b for b in branches if b in self._now and not _any_inside(b, left)]
        if any(self._now[b] != self._now[around] for b in ending):
            self._write(around)
        self._close(ending)

    def _withdraw(self, reset: frozenset[str]) -> None:
        """A branch ends if all of it is emptied, and nothing is put there at once."""
        for branch in [b for b in self._now if b and reset]:
            inside = {p.id for p in self.net.places if within(branch, p.id)}
            if inside and inside <= reset and not _any_inside(branch, self._marking):
                self._close([branch])

    def _close(self, branches: Iterable[str]) -> None:
        for branch in branches:
            self._now = {scope: n for scope, n in self._now.items() if not within(branch, scope)}

    def _write(self, scope: str) -> None:
        self._now[scope] = next(self._moments)

    def _scope(self, id: str) -> str:
        """The innermost open scope around a node."""
        around = [b for b in self._branches if b in self._now and within(b, id)]
        return max(around, key=len, default="")

    def _look(self) -> None:
        """A choice may be asked at any time from when its place is marked."""
        for choice in self.workflow.choices:
            if choice.place not in self._marking:
                self._since.pop(choice.place, None)
            elif choice.place not in self._since:
                scope = self._scope(choice.path)
                self._since[choice.place] = scope, self._now[scope]

    def _demand(self, choice: Choice, selector: Selector) -> None:
        """What the guards were, if this selector fires."""
        moment = self._moment(choice, selector)
        questions = self.workflow.questions[choice.path]
        wanted: dict[int, bool] = {}
        for n in selector.takes:
            if questions[n] is not None:
                wanted[n] = True
            for other in range(len(questions) if questions[n] is None else n):
                if other not in selector.takes and (questions[n] is None or not choice.many):
                    wanted[other] = False
        if choice.many:
            wanted |= dict.fromkeys(selector.skips, False)
        for n, holds in sorted(wanted.items()):
            question = questions[n]
            if question is not None:
                decided = Decided(self._steps, choice.path, question.text, holds, moment)
                want: Literal["true", "false"] = "true" if holds else "false"
                self.decided.append((Demand(question, want, str(moment)), decided))

    def _moment(self, choice: Choice, selector: Selector) -> int:
        """The moment whose values the guards were asked about; one of its own if that is not sure.

        A long multi-choice is decided at once and selected bit by bit: its first selector counts.
        """
        transition = self.net.transition(self._begin(selector.transition))
        settled = selector.takes | selector.skips
        if choice.place in transition.consume:
            scope = self._scope(choice.path)
            certain = self._since.get(choice.place) == (scope, self._now[scope])
            moment = self._now[scope] if certain else next(self._moments)
            if choice.path in self._under_way:  # two at once: it is not certain which goes on
                self._mixed.add(choice.path)
        else:
            moment, before = self._under_way.pop(choice.path, (next(self._moments), frozenset()))
            settled |= before
        if len(settled) < len(choice.branches):
            self._under_way[choice.path] = moment, settled
        return next(self._moments) if choice.path in self._mixed else moment


def _any_inside(branch: str, marking: Marking) -> bool:
    return any(within(branch, place) for place in marking)
