"""What happens to a case (events), and what it asks for in return (commands).

Events are stored, and a case can be rebuilt from them; commands are not, since the state says
which are open. Both are plain data: no clock, no function, no handle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from petriflow.workflow.variables import Data

#: The states of a case. `created` is before its first event, the last four are final.
Status = Literal[
    "created", "running", "suspended", "completed", "failed", "cancelled", "deadlocked"
]
#: The states in which a case has begun and not ended.
OPEN: frozenset[str] = frozenset({"running", "suspended"})
FINAL: frozenset[str] = frozenset({"completed", "failed", "cancelled", "deadlocked"})

# -- events -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CaseStarted:
    """The case begins with these variables."""

    variables: Data


@dataclass(frozen=True, slots=True)
class TaskCompleted:
    """The body of a firing returned these updates; of a person's task, `by` says whose they are."""

    firing_id: str
    updates: Data
    by: str | None = None


@dataclass(frozen=True, slots=True)
class TaskClaimed:
    """A person has taken a task upon themselves; where others competed with it, it begins so."""

    firing_id: str
    by: str


@dataclass(frozen=True, slots=True)
class TaskReleased:
    """Who held a task gives it back to its role."""

    firing_id: str
    by: str


@dataclass(frozen=True, slots=True)
class TaskFailed:
    """An attempt failed; `final` says that no further attempt makes sense."""

    firing_id: str
    error: str
    final: bool = False


@dataclass(frozen=True, slots=True)
class Decided:
    """The guards of a choice were answered: the numbers of the branches to take."""

    choice: str
    number: int
    takes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DecisionFailed:
    """The guards of a choice could not be answered, or none was true."""

    choice: str
    number: int
    kind: str
    error: str


@dataclass(frozen=True, slots=True)
class IncidentResolved:
    """A person asks to try a choice or a firing again, with some variables corrected; or, at a
    choice, to take these branches, whatever its guards say.
    """

    choice: str
    updates: Data
    takes: tuple[int, ...] | None = None
    by: str = ""


@dataclass(frozen=True, slots=True)
class TaskSkipped:
    """A person has the firing of an incident count as completed, with these updates."""

    firing_id: str
    updates: Data
    by: str = ""


@dataclass(frozen=True, slots=True)
class IncidentFailed:
    """A person gives the case up because of an incident, at a choice or in a firing."""

    incident: str
    reason: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class EventReceived:
    """Something happened outside; the payload becomes updates of the case's variables.

    `about` is what it is about, as JSON text, where it was told by that and not to the case.
    """

    name: str
    payload: Data
    about: str | None = None


@dataclass(frozen=True, slots=True)
class TimerFired:
    """The time of a timer has come."""

    timer: str


@dataclass(frozen=True, slots=True)
class Suspended:
    """From here on nothing new starts; what runs may finish, and events are still received."""

    reason: str


@dataclass(frozen=True, slots=True)
class Resumed:
    """The case goes on from where it stands."""


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """The case is to be given up."""

    reason: str


@dataclass(frozen=True, slots=True)
class Migrated:
    """The case goes on in another version of its workflow, from this state.

    `definition` and `workflow` are the new version's hash and name, `before` is the old hash, and
    `left` the tokens there. The rest is the whole state, so that whoever replays a history needs no
    earlier version: it begins here.
    """

    definition: str
    workflow: str
    before: str
    status: Status
    left: dict[str, int]
    marking: dict[str, int]
    variables: Data
    control: Data


Event = (
    CaseStarted
    | TaskCompleted
    | TaskFailed
    | TaskClaimed
    | TaskReleased
    | Decided
    | DecisionFailed
    | IncidentResolved
    | TaskSkipped
    | IncidentFailed
    | EventReceived
    | TimerFired
    | Suspended
    | Resumed
    | CancelRequested
    | Migrated
)
EVENTS: dict[str, type[Event]] = {
    kind.__name__: kind
    for kind in (
        CaseStarted, TaskCompleted, TaskFailed, TaskClaimed, TaskReleased, Decided, DecisionFailed,
        IncidentResolved, TaskSkipped, IncidentFailed, EventReceived, TimerFired, Suspended,
        Resumed, CancelRequested, Migrated,
    )
}  # fmt: skip


def to_data(event: Event) -> Data:
    """The event's fields as plain JSON data; those that say nothing are left out."""
    fields = ((name, getattr(event, name)) for name in event.__slots__)
    return {name: value for name, value in fields if value is not None}


def from_data(kind: str, data: Data) -> Event:
    """The event of this kind and these fields."""
    if data.get("takes") is not None:
        data = data | {"takes": tuple(data["takes"])}
    return EVENTS[kind](**data)


# -- commands ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StartTask:
    """Run the body of a task, after a delay of so many seconds; or offer the task to people.

    `undoes` is the firing that the body undoes, if it does.
    """

    firing_id: str
    task: str
    attempt: int
    delay: float
    variables: Data
    instance: int | None = None
    undoes: str | None = None


@dataclass(frozen=True, slots=True)
class CancelTask:
    """The running token of this firing is gone: its body should stop, its result is not wanted."""

    firing_id: str


@dataclass(frozen=True, slots=True)
class Decide:
    """Ask the guards of a choice, on this snapshot."""

    choice: str
    number: int
    variables: Data


@dataclass(frozen=True, slots=True)
class ScheduleTimer:
    """Send `TimerFired` after so many seconds."""

    timer: str
    seconds: float


@dataclass(frozen=True, slots=True)
class CancelTimer:
    """Nobody waits for this timer any more."""

    timer: str


@dataclass(frozen=True, slots=True)
class Subscribe:
    """The case waits for an event that is told by what it is about, as JSON text."""

    transition: str
    event: str
    about: str


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """It waits for it no more."""

    transition: str


@dataclass(frozen=True, slots=True)
class CaseFinished:
    """The case has reached a final state."""

    status: Status


Command = (
    StartTask
    | CancelTask
    | Decide
    | ScheduleTimer
    | CancelTimer
    | Subscribe
    | Unsubscribe
    | CaseFinished
)
