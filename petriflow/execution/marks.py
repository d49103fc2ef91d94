"""What a case notes of itself beside its tokens: bodies at work, and places where it is stuck."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Running:
    """A firing whose body is at work: the token on a running place."""

    task: str
    attempt: int
    instance: int | None = None
    #: who has claimed it, where it is a person's task
    holder: str | None = None


@dataclass(slots=True)
class Incident:
    """Why a case waits for a person at a choice."""

    kind: str
    error: str


@dataclass(frozen=True, slots=True)
class Item:
    """A person's task as a work list shows it: on offer to its role, or held by somebody."""

    task: str
    holder: str | None = None
    instance: int | None = None
