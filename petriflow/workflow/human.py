"""`human`: a task that a person does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from petriflow.net.errors import DefinitionError, VariableError
from petriflow.patterns.duration import Duration, seconds
from petriflow.patterns.fragment import check_name
from petriflow.workflow.task import OnFailure, Task, TaskContext, checked_failure, checked_undo


def human(
    name: str,
    *,
    role: str,
    asks: Sequence[str] = (),
    shows: Sequence[str] | None = None,
    deadline: Duration | None = None,
    on_failure: OnFailure = "fail",
    compensate: Callable[..., Any] | None = None,
) -> Task:
    """A task that a person does: it is offered to a role, and stands wherever a task can.

    When a case comes to it, it is on the work list of its role. Somebody of that role claims it
    with `engine.claim`, and hands in what came of it with `engine.complete_task`, or gives it back
    with `engine.release`. No body runs meanwhile, and nothing is kept in memory.

    Where it competes with another step, such as an event or a timer in a `deferred_choice`, it is
    only offered: the first to claim it begins it, and the others are withdrawn. After that the
    choice stays decided, also if it is released.

    Args:
        name: what the step is called.
        role: who may claim it.
        asks: the variables that the person fills in: all of them, and no others. By default any.
        shows: the variables that the person is shown; by default all.
        deadline: how long it may take, from the moment at which it is offered. After it the task
            has failed; to go another way instead, use `deferred_choice` with a `timer`.
        on_failure: what follows then; by "incident" somebody has it offered again, or skips it.
        compensate: what undoes it, if the case is given up later; see `task`.

    Raises:
        CompositionError: the name cannot be a segment of a path.
        DefinitionError: there is no role, a name of a variable is no text, or the deadline cannot
            be read.

    >>> review = human("review", role="reviewer", asks=["approved"], deadline="3d")
    >>> review.name, review.role, review.asks, review.deadline
    ('review', 'reviewer', ('approved',), 259200.0)
    """
    check_name(name)
    if not isinstance(role, str) or not role.strip():
        raise DefinitionError(f"task {name!r}: role={role!r}; name who may do it")
    limit = None if deadline is None else seconds(deadline, f"task {name!r}: deadline")
    if limit == 0:
        raise DefinitionError(f"task {name!r}: deadline={deadline!r} leaves no time at all")
    return Task(
        by_a_person,
        name,
        deadline=limit,
        role=role,
        asks=_names(name, "asks", asks),
        shows=None if shows is None else _names(name, "shows", shows),
        on_failure=checked_failure(name, on_failure),
        compensate=checked_undo(name, compensate),
    )


def _names(task: str, what: str, given: Iterable[str]) -> tuple[str, ...]:
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise DefinitionError(f"task {task!r}: {what}={given!r}; give a list of variables")
    names = tuple(given)
    for name in names:
        if not isinstance(name, str) or names.count(name) > 1:
            raise DefinitionError(
                f"task {task!r}: {what}={list(names)!r}; name each variable once, as a text"
            )
    return names


def require_asked(task: Task, updates: Mapping[str, Any]) -> None:
    """Refuse updates that are not what a person's task asks for.

    Raises:
        VariableError: one is missing, or not asked for.
    """
    asked = ", ".join(map(repr, task.asks))
    for name in task.asks:
        if name not in updates:
            raise VariableError(f"{name!r} is missing; {task.name!r} asks for {asked}")
    for name in updates if task.asks else ():
        if name not in task.asks:
            raise VariableError(f"{name!r} is not asked for; {task.name!r} asks for {asked}")


def by_a_person(case: TaskContext) -> None:
    """The place of the body; an engine offers the task to people instead."""
    raise DefinitionError("a person's task has no body; run it by an Engine")
