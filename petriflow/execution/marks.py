"""What a case notes of itself beside its tokens: bodies at work, and places where it is stuck."""

from __future__ import annotations

from dataclasses import dataclass

from petriflow.execution.events import Status
from petriflow.workflow.variables import Data


@dataclass(slots=True)
class Running:
    """A firing whose body is at work: the token on a running place.

    `spent` are the attempts before a person had it tried again, which count no more.
    """

    task: str
    attempt: int
    instance: int | None = None
    spent: int = 0
    #: who has claimed it, where it is a person's task
    holder: str | None = None

    def dump(self) -> list[object]:
        """As plain data; what is rare is left out."""
        if self.spent:
            return [self.task, self.attempt, self.instance, self.spent]
        return [self.task, self.attempt, *([] if self.instance is None else [self.instance])]


@dataclass(slots=True)
class Incident:
    """Why a case waits for a person, at a choice or in a firing."""

    kind: str
    error: str


@dataclass(frozen=True, slots=True)
class Item:
    """A person's task as a work list shows it: on offer to its role, or held by somebody."""

    task: str
    holder: str | None = None
    instance: int | None = None


@dataclass(slots=True)
class Done:
    """A firing that has completed, whose task can be undone, with what its body returned."""

    firing_id: str
    task: str
    updates: Data
    instance: int | None = None

    @property
    def undo_id(self) -> str:
        """The id of the firing that undoes it."""
        head, _, number = self.firing_id.rpartition("/")
        return f"{head}.undo/{number}"


@dataclass(frozen=True, slots=True)
class Ending:
    """How a case that is given up will have ended, and why."""

    status: Status
    error: str | None
