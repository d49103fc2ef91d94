"""`Program`: a workflow made ready to run, once for all its cases.

It holds the compiled expanded net and, by transition number, what the engine's reading of the net
adds to the firing rule: which transitions are starts and completions of tasks, which belong to a
choice, and where branches with variables of their own begin and end.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from petriflow.net import compile_net
from petriflow.patterns.fragment import Choice, Count, Event, within
from petriflow.workflow import Workflow


@dataclass(frozen=True, slots=True)
class Job:
    """One task of the net: its transition in the atomic net, and its parts in the expanded one."""

    task: str
    start: int
    complete: int
    running: int
    scope: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """One choice of the net, by numbers: selectors as (transition, takes, skips)."""

    choice: Choice
    place: int
    selectors: tuple[tuple[int, frozenset[int], frozenset[int]], ...]
    scope: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tally:
    """A question for a number: after it `more` fires for each further one, and then `stop`."""

    count: Count
    place: int
    more: int
    stop: int
    scope: tuple[str, ...]


class Program:
    """What a case needs to know of its workflow."""

    def __init__(self, workflow: Workflow) -> None:
        self.workflow = workflow
        self.net = net = compile_net(workflow.expanded)
        index = net.transition_index
        self.sink = net.place_index[workflow.expanded.sink.id]
        self.source = net.place_index[workflow.expanded.source.id]

        self._branches = {b: block.path for block in workflow.blocks for b in block.branches}
        self.parent = {b: self.scope(path) for b, path in self._branches.items()}
        self.inside = {
            branch: tuple(p for id, p in net.place_index.items() if within(branch, id))
            for branch in self._branches
        }

        self.jobs = {
            task: Job(
                task,
                index[f"{task}.start"],
                index[f"{task}.complete"],
                net.place_index[f"{task}.running"],
                self.scope(task),
            )
            for task in workflow.tasks
        }
        self.starts = {job.start: job for job in self.jobs.values()}
        completions = {job.complete for job in self.jobs.values()}

        self.decisions = {
            choice.path: Decision(
                choice,
                net.place_index[choice.place],
                tuple(
                    # In a net drawn by hand a choice may be between tasks: it selects a start.
                    (index[_begin(s.transition, workflow)], s.takes, s.skips)
                    for s in choice.selectors
                ),
                self.scope(choice.path),
            )
            for choice in workflow.choices
        }
        self.decides = {
            t: decision for decision in self.decisions.values() for t, _, _ in decision.selectors
        }

        self.tallies = {
            count.path: Tally(
                count,
                net.place_index[count.place],
                index[count.more],
                index[count.stop],
                self.scope(count.path),
            )
            for count in workflow.fragment.counts
        }
        self.tallied = {t: y for y in self.tallies.values() for t in (y.more, y.stop)}
        self.triggers = {index[id]: trigger for id, trigger in workflow.fragment.triggers.items()}
        self.persistent = frozenset(
            t.name for t in self.triggers.values() if isinstance(t, Event) and t.persistent
        )
        #: the tasks that people do; those whose start competes with others begin when claimed
        self.people = frozenset(id for id, task in workflow.tasks.items() if task.role)
        self.offers = {
            job.start: job
            for job in self.jobs.values()
            if job.task in self.people and job.start not in self.decides and self._competes(job)
        }
        #: the tasks that run in several instances, and by transition those whose count it begins
        self.many = frozenset(i.task for i in workflow.fragment.instances)
        self.opens = {index[t]: i.task for i in workflow.fragment.instances for t in i.opens}

        self.splits: dict[int, tuple[str, ...]] = {}
        self.joins: dict[int, tuple[str, ...]] = {}
        for block in workflow.blocks:
            for id in block.splits:
                t = index[id]
                marks = {p for p, _ in net.rows[t].produce}
                opened = [b for b in block.branches if marks & set(self.inside[b])]
                self.splits[t] = tuple(opened)
            for id in block.joins:
                self.joins[index[id]] = block.branches
        self.cancels = {
            # A branch is withdrawn if all of it is; one around the region goes on.
            t: tuple(b for b, all in self.inside.items() if all and set(all) <= set(row.reset))
            for t, row in enumerate(net.rows)
            if row.reset
        }
        #: after a firing, the transitions to look at: completions wait for their task
        self.wakes = tuple(
            tuple(t for t in row.affects if t not in completions) for row in net.rows
        )
        self.everything = tuple(t for t in range(len(net.rows)) if t not in completions)
        self.everything_set = frozenset(self.everything)

    def _competes(self, job: Job) -> bool:
        """Whether another step can take what the task needs to begin."""
        net = self.net.net
        own = net.transitions[job.start]
        rivals = [t for p in own.consume + own.read for t in net.consumers[p]]
        rivals += [t for p in own.inhibitor for t in net.producers[p]]
        return any(t is not own for t in rivals)

    def scope(self, id: str) -> tuple[str, ...]:
        """The branches that a node lies in, the innermost first, and the case itself."""
        around = [branch for branch in self._branches if within(branch, id)]
        return (*sorted(around, key=len, reverse=True), "")


def branch_names(choice: Choice) -> list[str]:
    """The names of a choice's branches; those of one name are told apart as `pay#1`, `pay#2`."""
    names = [branch.name for branch in choice.branches]
    return [f"{name}#{n}" if names.count(name) > 1 else name for n, name in enumerate(names, 1)]


def _begin(transition: str, workflow: Workflow) -> str:
    return f"{transition}.start" if transition in workflow.tasks else transition


def undeclared_choices(workflow: Workflow) -> list[str]:
    """Steps that would always come before another that competes with them, so that the other never
    has its turn: nothing outside decides between the two.
    """
    known = program(workflow)
    net = known.net
    transitions = workflow.expanded.transitions
    groups = {t: d.choice.path for t, d in known.decides.items()}
    groups |= {t: y.count.path for t, y in known.tallied.items()}
    found = []
    for n, t in enumerate(transitions):
        if n in groups or n in known.triggers or n in known.offers:
            continue
        if n not in known.everything_set:
            continue
        if t.join == "or":
            continue
        for m in {m for p in t.consume for m in net.net.consumers[p]} - {t}:
            if (
                t.consume + t.read <= m.consume + m.read
                and net.transition_index[m.id] in known.everything_set
                and not any(m.consume[p] + m.read[p] >= k for p, k in t.inhibitor.items())
            ):
                found.append(
                    f"{t.id!r} would always come before {m.id!r}: give the choice between them to "
                    "guards (exclusive_choice), or begin both with event(…), timer(…) or human(…)"
                )
    return found


@lru_cache(maxsize=256)
def program(workflow: Workflow) -> Program:
    """The program of a workflow, made once."""
    return Program(workflow)
