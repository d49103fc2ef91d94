"""What an engine needs of a database, and the rows that they exchange.

A store is used from one thread. It knows rows, not cases: what they mean is the engine's matter.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from petriflow.execution.notify import Notifier
from petriflow.execution.store.calendar import Schedule
from petriflow.execution.store.listing import OpenIncident, Summary, Which
from petriflow.execution.store.versions import Definition
from petriflow.execution.store.work import WhichWork, WorkItem
from petriflow.net.errors import StoreError
from petriflow.workflow.variables import Data


class Unreachable(StoreError):
    """The server is not there, or has ended the connection; later it may answer."""


@dataclass(frozen=True, slots=True)
class Record:
    """One event of a case as it is stored: what happened, and what the net did.

    `fired` are the transitions in order, `delta` the change of each place's tokens. A late event
    came for a firing that was already gone and changed nothing.
    """

    case_id: str
    seq: int
    at: float
    kind: str
    data: Data
    fired: list[str]
    delta: dict[str, int]
    late: bool

    @property
    def task(self) -> str | None:
        """The id of the task that the event is about."""
        firing = self.data.get("firing_id")
        return None if firing is None else firing[len(self.case_id) + 1 :].rpartition("/")[0]

    @property
    def error(self) -> str | None:
        """The error that the event tells of."""
        found: str | None = self.data.get("error")
        return found


@dataclass(frozen=True, slots=True)
class StoredCase:
    """A case's row: its last committed state."""

    id: str
    definition: str
    workflow: str
    status: str
    marking: Data
    variables: Data
    control: Data
    version: int
    error: str | None
    created_at: float
    updated_at: float
    parent: str | None = None
    call: Any = None
    #: whether an engine has something to do for it; else it only waits, and any may have it
    active: bool = True
    #: how often it has changed hands
    fence: int = 1


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked of a case by somebody whose engine does not have it."""

    id: str
    case_id: str
    kind: str
    data: Data
    at: float
    answer: Data | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """An event that is told by what it is about, as JSON text, and not to a case.

    Its id is made of its key, so that what is told twice under one key is one message. `taken_by`
    is the case that has taken it; empty if it was lost.
    """

    id: str
    event: str
    about: str
    payload: Data
    at: float
    taken_by: str | None = None


@dataclass(slots=True)
class Batch:
    """What one commit writes, all of it or nothing."""

    cases: list[StoredCase] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    #: (case, timer) → when it is due; `None` for one that nobody waits for any more
    timers: dict[tuple[str, str], float | None] = field(default_factory=dict)
    #: (case, key, event, at) of the events that were told from outside
    inbox: list[tuple[str, str, str, float]] = field(default_factory=list)
    #: (workflow, key, case) of the cases that were started under a key
    keys: list[tuple[str, str, str]] = field(default_factory=list)
    #: order → (case, answer) of the orders that were carried out
    answers: dict[str, tuple[str, Data]] = field(default_factory=dict)
    #: (case, transition) → (event, about, since); `None` for what is waited for no more
    subscriptions: dict[tuple[str, str], tuple[str, str, float] | None] = field(
        default_factory=dict
    )
    #: the messages that cases have taken
    taken: list[Message] = field(default_factory=list)
    #: (case, incident) → (element, kind, error, since); `None` for one that is settled
    incidents: dict[tuple[str, str], tuple[str, str, str, float] | None] = field(
        default_factory=dict
    )
    #: item → what a work list shows of it, and its case; `None` for one that is done or withdrawn
    work: dict[str, tuple[str, WorkItem | None]] = field(default_factory=dict)
    #: (case, definition, workflow) of the cases that go on in another version; they do so all
    #: together, or the whole batch is refused for them
    moved: list[tuple[str, str, str]] = field(default_factory=list)


class Store(Protocol):
    """What an engine needs of a database."""

    def notifier(self) -> Notifier:
        """Who tells the engines that share the store that there is something to look at."""
        ...

    def close(self) -> None:
        """Give everything back."""
        ...

    def identity(self) -> str:
        """A name that only this database has, whatever URL it is reached by."""
        ...

    def define(self, hash: str, name: str, document: Data, now: float) -> None:
        """Keep a definition; one that is there already stays as it is."""
        ...

    def definition(self, hash: str) -> Data:
        """The document of a definition that is kept."""
        ...

    def definitions(self) -> list[Definition]:
        """All definitions that are kept, and how many cases use each."""
        ...

    def cases(self, ids: Collection[str]) -> dict[str, StoredCase]:
        """Several cases by id; raises UnknownCase."""
        ...

    def work_of(self, ids: Collection[str]) -> list[WorkItem]:
        """The work items of these cases."""
        ...

    def of_definition(self, hash: str) -> list[str]:
        """The open cases of a definition, the oldest first."""
        ...

    def forget(self, hash: str) -> Definition:
        """Remove a definition; raises StoreError where cases use it."""
        ...

    def schedules(self, workflows: Collection[str] | None = None) -> list[Schedule]:
        """What begins by the calendar, of these workflows or all; the next to come first."""
        ...

    def keep_schedule(self, schedule: Schedule) -> Schedule:
        """Keep a schedule in place of the one of its name; as it is kept then."""
        ...

    def remove_schedule(self, name: str) -> bool:
        """Remove a schedule; whether there was one."""
        ...

    def advance_schedule(self, schedule: Schedule, next_at: float, case: str) -> None:
        """Note that a schedule has begun a case, unless it is not as it was any more."""
        ...

    def release(self, ids: Collection[str]) -> None:
        """Have these cases no more, without having done anything for them."""
        ...

    def commit(self, batch: Batch) -> frozenset[str]:
        """Write events and the states they led to, all or nothing.

        The answer is the cases that another engine has meanwhile: of those nothing was written.
        """
        ...

    def timers(self, of: Collection[str] | None = None) -> dict[tuple[str, str], float]:
        """When the timers that are waited for are due, by case and timer; of these cases or all."""
        ...

    def told(self, case_id: str, key: str) -> bool:
        """Whether an event was told under this key before."""
        ...

    def keyed(self, workflow: str, key: str) -> str | None:
        """The id of the case that was started under this key."""
        ...

    def open_cases(self, definitions: Collection[str]) -> list[StoredCase]:
        """The active cases that no other engine has, the oldest first; they are this engine's from
        now on. What is left out comes by `renew`.
        """
        ...

    def foreign(self, definitions: Collection[str]) -> list[tuple[str, str, str | None]]:
        """The id, the workflow and the caller of every open case of other definitions."""
        ...

    def acquire(
        self, ids: Collection[str], definitions: Collection[str]
    ) -> tuple[list[StoredCase], list[StoredCase]]:
        """Have these open cases, as far as no other engine that lives is at work for them: those
        that this engine had last, and those that it has from now on; with those that they call and
        those that called them.
        """
        ...

    @property
    def lease(self) -> float | None:
        """For how many seconds cases are this engine's unless `renew` is called; `None`: for good,
        since no other engine can reach the store.
        """
        ...

    def renew(
        self, definitions: Collection[str], mine: Mapping[str, int]
    ) -> tuple[frozenset[str], list[StoredCase]]:
        """Keep the cases, given by id and fence; the answer is those that were lost all the same,
        and those that are this engine's now because the engine that had them is gone.
        """
        ...

    def due(
        self, definitions: Collection[str], before: float, limit: int
    ) -> list[tuple[float, str, str]]:
        """The first timers (due, case, timer) of open cases that this engine may have."""
        ...

    def changed(self, known: Mapping[str, int]) -> list[StoredCase]:
        """Those of these cases, whoever has them, whose version is not the known one."""
        ...

    def counts(self) -> dict[str, int]:
        """How many open cases there are of each workflow, of those that this engine had last."""
        ...

    def order(self, order: Order) -> None:
        """Ask something of a case."""
        ...

    def answer(self, order: str) -> Data | None:
        """What came of an order, once it was carried out."""
        ...

    @property
    def guests(self) -> bool:
        """Whether others may leave orders here, although no other engine can have a case."""
        ...

    def open_orders(self, definitions: Collection[str]) -> list[Order]:
        """The orders that are this engine's to carry out, the oldest first."""
        ...

    def tell(self, message: Message) -> Message:
        """Keep a message; the answer is the one that is kept under its id, now or already."""
        ...

    def message(self, id: str) -> Message | None:
        """The message of this id."""
        ...

    def withdraw(self, message: str) -> None:
        """Forget a message that nobody has taken."""
        ...

    def subscribers(self, event: str, about: str) -> list[tuple[str, str]]:
        """The cases that wait for this event about this, and their definitions; the one that has
        waited longest first.
        """
        ...

    def wanted(self, of: Collection[tuple[str, str]] | None = None) -> list[Message]:
        """The messages of these events and what they are about that nobody has taken, or those
        that any case waits for; the oldest first, not more than a thousand.
        """
        ...

    def case(self, id: str) -> StoredCase:
        """One case; raises UnknownCase."""
        ...

    def summary(self, id: str) -> Summary:
        """One case in a line; raises UnknownCase."""
        ...

    def summaries(self, which: Which) -> list[Summary]:
        """The cases that were started and not called by others, the newest first."""
        ...

    def incidents(self, workflow: str | None, limit: int | None) -> list[OpenIncident]:
        """Where cases wait for a person, of this workflow or of all, the oldest first."""
        ...

    def work(self, which: WhichWork) -> list[WorkItem]:
        """What waits for people, the longest waiting first."""
        ...

    def purge(self, before: float) -> int:
        """Remove all that is stored of the cases that ended before a time; how many there were."""
        ...

    def history(self, case_id: str) -> list[Record]:
        """A case's events in order; raises UnknownCase."""
        ...
