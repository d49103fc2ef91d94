"""`Program`: a workflow made ready to run, once for all its cases.

It holds the compiled expanded net and, by transition number, what the engine's reading of the net
adds to the firing rule: which transitions are starts and completions of tasks, which belong to a
choice, and where branches with variables of their own begin and end.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from petriflow.net import compile_net
from petriflow.patterns.fragment import Choice, within
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
                tuple((index[s.transition], s.takes, s.skips) for s in choice.selectors),
                self.scope(choice.path),
            )
            for choice in workflow.choices
        }
        self.decides = {
            t: decision for decision in self.decisions.values() for t, _, _ in decision.selectors
        }

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
            t: tuple(b for b in self._branches if set(self.inside[b]) & set(row.reset))
            for t, row in enumerate(net.rows)
            if row.reset
        }
        #: after a firing, the transitions to look at: completions wait for their task
        self.wakes = tuple(
            tuple(t for t in row.affects if t not in completions) for row in net.rows
        )
        self.everything = tuple(t for t in range(len(net.rows)) if t not in completions)

    def scope(self, id: str) -> tuple[str, ...]:
        """The branches that a node lies in, the innermost first, and the case itself."""
        around = [branch for branch in self._branches if within(branch, id)]
        return (*sorted(around, key=len, reverse=True), "")


@lru_cache(maxsize=256)
def program(workflow: Workflow) -> Program:
    """The program of a workflow, made once."""
    return Program(workflow)
