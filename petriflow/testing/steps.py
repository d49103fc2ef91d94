"""What a test says that happens to a case, step by step. Each prints as it is written."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

from petriflow.execution.events import Status
from petriflow.execution.mending import Take
from petriflow.patterns.duration import Duration


class _Printed:
    """Steps print without what was left out, so that a story can be copied into a test."""

    __slots__ = ()

    def __repr__(self) -> str:
        said = []
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if field.default is MISSING:
                said.append(repr(value))
            elif value != field.default:
                said.append(f"{field.name}={value!r}")
        return f"{type(self).__name__}({', '.join(said)})"


@dataclass(frozen=True, slots=True, repr=False)
class Complete(_Printed):
    """The body of a running task returns: these updates, or what its fake gives. A person's task
    is handed in so; if nobody holds it, it is claimed first.
    """

    task: str
    updates: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Claim(_Printed):
    """A person takes a task upon themselves; where others compete with it, that decides."""

    task: str
    by: str = "somebody"


@dataclass(frozen=True, slots=True, repr=False)
class Release(_Printed):
    """Who holds a person's task gives it back to its role."""

    task: str


@dataclass(frozen=True, slots=True, repr=False)
class Fail(_Printed):
    """An attempt of a running task fails: with these words, or as its fake does."""

    task: str
    error: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Signal(_Printed):
    """An event arrives, and is taken or kept; the payload updates the variables."""

    event: str
    payload: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Tell(_Printed):
    """An event is told by what it is about: the case takes it if it waits for just that; else it is
    kept until it does, if it is a persistent one.
    """

    event: str
    about: Any
    payload: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Advance(_Printed):
    """So much time passes. Timers and the timeouts of attempts that come due happen in order."""

    duration: Duration


@dataclass(frozen=True, slots=True, repr=False)
class Ring(_Printed):
    """A timer comes due before anything else does; if need be, time moves on to its moment."""

    timer: str


@dataclass(frozen=True, slots=True, repr=False)
class Choose(_Printed):
    """An answer to a choice, where guards are free: names of branches, or a number of instances."""

    choice: str
    takes: tuple[str, ...] | int


@dataclass(frozen=True, slots=True, repr=False)
class Retry(_Printed):
    """A person has it tried again where the case waits for one, with variables corrected; at one
    task or choice, or at all.
    """

    updates: Mapping[str, Any] | None = None
    at: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Skip(_Printed):
    """A person has a failed task count as completed, or takes a branch whatever the guards say."""

    at: str
    updates: Mapping[str, Any] | None = None
    take: Take | None = None


@dataclass(frozen=True, slots=True, repr=False)
class GiveUp(_Printed):
    """A person gives the case up because of an incident: what can be undone is undone."""

    at: str
    reason: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Suspend(_Printed):
    """A person halts the case: what runs may finish, nothing new starts."""

    reason: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Resume(_Printed):
    """A person lets a suspended case go on."""


@dataclass(frozen=True, slots=True, repr=False)
class Cancel(_Printed):
    """A person gives the case up: what can be undone is undone."""

    reason: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Expect(_Printed):
    """Look at the case; what is left out is not looked at.

    Args:
        status: its state.
        running: the names of the tasks whose bodies run, all of them.
        waits_for: the names of the events and timers that it waits for, all of them.
        variables: some of its variables.
        marking: all tokens, by place.
        incidents: the names of the tasks and choices where it waits for a person, all of them.
        asks: the names of the tasks that people do, all of them.
    """

    status: Status | None = None
    running: Collection[str] | None = None
    waits_for: Collection[str] | None = None
    variables: Mapping[str, Any] | None = None
    marking: Mapping[str, int] | None = None
    incidents: Collection[str] | None = None
    asks: Collection[str] | None = None


Step = (
    Claim
    | Release
    | Complete
    | Fail
    | Signal
    | Tell
    | Advance
    | Ring
    | Choose
    | Retry
    | Skip
    | GiveUp
    | Suspend
    | Resume
    | Cancel
    | Expect
)
