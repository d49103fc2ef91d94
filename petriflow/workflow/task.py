"""`Task`: what a step of a workflow runs, and how often and how long it may try."""

from __future__ import annotations

import inspect
import math
import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from types import MappingProxyType
from typing import Any, Literal, overload

from petriflow.net.errors import DefinitionError
from petriflow.patterns.duration import LONGEST, Duration, seconds
from petriflow.patterns.fragment import Fragment, as_fragment
from petriflow.workflow.functions import is_coroutine_function, qualified_name, takes_one_argument


@dataclass(frozen=True, slots=True)
class TaskContext:
    """What a task body is given: the case as it was when the task started.

    `variables` is read-only: a mapping, or an instance of the workflow's variables model.
    `firing_id` is the same for every attempt of this firing, also after a crash: hand it to
    services as the idempotency key. `attempt` counts from 1. Where several instances of the task
    run at once, `instance` says which this is, from 0 on. Where the body undoes what a task has
    done, `undoes` is the `firing_id` that the task's body was given. Its `repr` tells no
    variables, since some may be secret.
    """

    case_id: str
    firing_id: str
    attempt: int
    variables: Any = field(repr=False)
    data: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    instance: int | None = None
    undoes: str | None = None
    beat: Callable[[], None] | None = field(default=None, repr=False, compare=False)

    def heartbeat(self) -> None:
        """Say that the body is still at work, from whatever thread: see `@task(heartbeat=…)`."""
        if self.beat is not None:
            self.beat()

    def __getitem__(self, name: str) -> Any:
        return self.data[name]

    def __contains__(self, name: object) -> bool:
        return name in self.data

    def get(self, name: str, default: Any = None) -> Any:
        """The variable, or a default where the case has none of this name."""
        return self.data.get(name, default)


Body = Callable[[TaskContext], Mapping[str, Any] | Awaitable[Mapping[str, Any] | None] | None]
Errors = type[BaseException] | Sequence[type[BaseException]]
OnFailure = Literal["fail", "incident"]


@dataclass(frozen=True)
class Task:
    """A function or coroutine function with its limits; made by `@task`.

    Args:
        body: takes the `TaskContext`, returns a mapping of updates to the variables, or `None`.
        name: what the step is called; it becomes a segment of ids.
        retries: how many further attempts follow a failed one.
        timeout: seconds that one attempt may take; `None` means any.
        delay: seconds before the second attempt.
        backoff: by how much the delay grows from attempt to attempt.
        calls: the workflow, or its name, that runs as a case of its own instead of the body.
        jitter: which part of each pause is left to chance, from 0 to 1.
        longest: seconds that a pause takes at most; `None` means any.
        retry_on: the exceptions after which another attempt makes sense; by default all.
        give_up_on: the exceptions after which none does, also where `retry_on` names them.
        deadline: seconds for all attempts together with their pauses; `None` means any.
        heartbeat: seconds after which a body that has not said that it is at work has failed.
        executor: the name of the engine's executor that the body is run by. As `limit`, it is no
            part of the definition.
        limit: how many bodies of the task work at once, over all cases of an engine.
        role: whose task it is, where a person does it instead of a body; made by `human`.
        asks: the variables that the person fills in; none for any.
        shows: the variables that the person is shown; `None` for all.
        on_failure: after the last attempt the case fails, or waits for a person: "incident".
        compensate: the task that undoes what this one has done, where the case is given up later.
    """

    body: Body
    name: str
    retries: int = 0
    timeout: float | None = None
    delay: float = 1.0
    backoff: float = 2.0
    calls: Any = None
    jitter: float = 0.0
    longest: float | None = None
    retry_on: tuple[type[BaseException], ...] = ()
    give_up_on: tuple[type[BaseException], ...] = ()
    deadline: float | None = None
    heartbeat: float | None = None
    executor: str | None = None
    limit: int | None = None
    role: str | None = None
    asks: tuple[str, ...] = ()
    shows: tuple[str, ...] | None = None
    on_failure: OnFailure = "fail"
    compensate: Task | None = None

    @cached_property
    def asynchronous(self) -> bool:
        """Whether the body is a coroutine function (a plain function runs in a thread)."""
        return is_coroutine_function(self.body)

    @property
    def qualified_name(self) -> str:
        """The body's name in its module; part of a definition's content hash."""
        return qualified_name(self.body)

    def wait_before(self, attempt: int, firing_id: str = "") -> float:
        """The seconds to wait before this attempt (the first does not wait).

        The chance in it comes from the firing's id, so that every reading of a history agrees.
        """
        if attempt <= 1 or not self.delay:
            return 0.0
        try:
            pause = self.delay * self.backoff ** (attempt - 2)
        except OverflowError:
            pause = math.inf
        if self.longest is not None:
            pause = min(pause, self.longest)
        if not self.jitter:
            return pause
        return pause * (1 - self.jitter * zlib.crc32(f"{firing_id}#{attempt}".encode()) / 2**32)

    def tries_again(self, is_one: Callable[[tuple[type[BaseException], ...]], bool]) -> bool:
        """Whether another attempt makes sense after an error, given whether it is one of some."""
        if is_one(self.give_up_on):
            return False
        return not self.retry_on or is_one(self.retry_on)

    def document(self) -> list[Any]:
        """What of the task is part of a definition's content hash; never code.

        What came later than the first six is there only where it is used, so that the definitions
        of before keep their hash.
        """
        later = {
            "jitter": self.jitter,
            "longest": self.longest,
            "retry_on": sorted(kind.__qualname__ for kind in self.retry_on),
            "give_up_on": sorted(kind.__qualname__ for kind in self.give_up_on),
            "deadline": self.deadline,
            "heartbeat": self.heartbeat,
            "role": self.role,
            "asks": list(self.asks),
            "shows": None if self.shows is None else {"only": [*self.shows]},
            "on_failure": "" if self.on_failure == "fail" else self.on_failure,
            "compensate": self.compensate and self.compensate.document(),
        }
        used = {name: value for name, value in later.items() if value}
        return [
            self.qualified_name,
            self.name,
            self.retries,
            self.timeout,
            self.delay,
            self.backoff,
            *([used] if used else []),
        ]

    def __call__(self, case: TaskContext) -> Any:
        """Call the body itself, for tests of it."""
        return self.body(case)

    def __rshift__(self, other: Fragment | Callable[..., Any]) -> Fragment:
        return as_fragment(self) >> other

    def __rrshift__(self, other: Fragment | Callable[..., Any]) -> Fragment:
        return as_fragment(other) >> as_fragment(self)


@overload
def task(body: Body, /) -> Task: ...
@overload
def task(
    *,
    name: str | None = None,
    retries: int = 0,
    timeout: Duration | None = None,
    delay: Duration = 1.0,
    backoff: float = 2.0,
    jitter: float = 0.0,
    longest: Duration | None = None,
    retry_on: Errors = (),
    give_up_on: Errors = (),
    deadline: Duration | None = None,
    heartbeat: Duration | None = None,
    executor: str | None = None,
    limit: int | None = None,
    on_failure: OnFailure = "fail",
    compensate: Callable[..., Any] | None = None,
) -> Callable[[Body], Task]: ...
def task(
    body: Body | None = None,
    /,
    *,
    name: str | None = None,
    retries: int = 0,
    timeout: Duration | None = None,
    delay: Duration = 1.0,
    backoff: float = 2.0,
    jitter: float = 0.0,
    longest: Duration | None = None,
    retry_on: Errors = (),
    give_up_on: Errors = (),
    deadline: Duration | None = None,
    heartbeat: Duration | None = None,
    executor: str | None = None,
    limit: int | None = None,
    on_failure: OnFailure = "fail",
    compensate: Callable[..., Any] | None = None,
) -> Task | Callable[[Body], Task]:
    """Make a function or coroutine function a task.

    The body gets a `TaskContext` and returns the updates to the case's variables. It runs at
    least once: after a crash it may run again, with the same `firing_id`.

    Args:
        name: what the step is called; by default the function's name.
        retries: how many further attempts follow a failed one.
        timeout: how long one attempt may take: seconds, or a text such as "30s". A plain function
            that takes longer cannot be stopped: it runs on in its thread, beside the next attempt,
            and what it returns is ignored.
        delay: how long to wait before the second attempt.
        backoff: by how much the wait grows from attempt to attempt.
        jitter: which part of each wait is left to chance, from 0 to 1, so that cases that failed
            together do not come back together.
        longest: what a wait is at most.
        retry_on: the exceptions, one class or several, after which it is tried again; by default
            all. A timeout and a missing heartbeat count as `TimeoutError`.
        give_up_on: the exceptions after which it is not, also where `retry_on` names them.
        deadline: how long all attempts and their waits may take together, across restarts too.
            After it there is no further attempt.
        heartbeat: how long the body may work without a call of `case.heartbeat()`; one that has
            not called counts as failed and is tried again. What `timeout` says of plain functions
            holds here as well.
        executor: who runs the body: "thread", "process", or a name in `Engine(executors={…})`. By
            default a coroutine runs in the engine's loop, and a plain function in a thread.
        limit: how many bodies of the task may work at once, over all cases of an engine.
        on_failure: what follows the last attempt: the case fails, or, by "incident", it waits for a
            person, who has the task tried again, skipped, or the case given up as failed.
        compensate: the function or task that undoes what this one has done. If the case is given up
            after this task has completed, it is run: with the case's variables, this task's updates
            among them, and with this task's `firing_id` as `case.undoes`. It has limits of its own,
            and where it fails for good the case waits for a person. It may run where it has run
            before, and where a person has skipped the task: let it do no harm then. A body that was
            cut off, withdrawn with its region, or failed has not completed and is not undone: what
            it did until then is its own to tidy up, or that of an earlier step's compensation.

    Raises:
        DefinitionError: the body has no name, cannot be called with one argument, or yields, or a
            limit makes no sense.

    >>> @task(retries=3, timeout="30s")
    ... async def charge(case):
    ...     return {"paid": True}
    >>> charge.name, charge.timeout, [charge.wait_before(n) for n in (1, 2, 3, 4)]
    ('charge', 30.0, [0.0, 1.0, 2.0, 4.0])
    """
    make = partial(
        _make,
        name=name,
        retries=retries,
        timeout=timeout,
        delay=delay,
        backoff=backoff,
        jitter=jitter,
        longest=longest,
        retry_on=retry_on,
        give_up_on=give_up_on,
        deadline=deadline,
        heartbeat=heartbeat,
        executor=executor,
        limit=limit,
        on_failure=on_failure,
        compensate=compensate,
    )
    return make if body is None else make(body)


def as_task(binding: Callable[..., Any]) -> Task:
    """The binding itself if it is a task, or a task without limits around it."""
    return binding if isinstance(binding, Task) else task(binding)


def _make(
    body: Body,
    *,
    name: str | None,
    retries: int,
    timeout: Duration | None,
    delay: Duration,
    backoff: float,
    jitter: float,
    longest: Duration | None,
    retry_on: Errors,
    give_up_on: Errors,
    deadline: Duration | None,
    heartbeat: Duration | None,
    executor: str | None,
    limit: int | None,
    on_failure: OnFailure,
    compensate: Callable[..., Any] | None,
) -> Task:
    if isinstance(body, Task):
        raise DefinitionError(
            f"task {body.name!r} is a task already; use dataclasses.replace(…) to change it"
        )
    if not callable(body):
        raise DefinitionError(f"@task: {body!r} is not a function")
    called = name or getattr(body, "name", None) or getattr(body, "__name__", None)
    if not isinstance(called, str):
        raise DefinitionError(f"@task: {body!r} has no name; write @task(name='…')")
    if not takes_one_argument(body):
        raise DefinitionError(
            f"task {called!r} must take one argument, the case: write `def {called}(case): …`"
        )
    if inspect.isgeneratorfunction(body) or inspect.isasyncgenfunction(body):
        raise DefinitionError(f"task {called!r} yields; a task returns its updates")
    if type(retries) is not int or retries < 0:
        raise DefinitionError(f"task {called!r}: retries={retries!r}; use 0, 1, 2, …")
    if not isinstance(backoff, int | float) or not 1 <= backoff <= LONGEST:
        raise DefinitionError(f"task {called!r}: backoff={backoff!r}; use 1 or more")
    if not isinstance(jitter, int | float) or not 0 <= jitter <= 1:
        raise DefinitionError(f"task {called!r}: jitter={jitter!r}; use a part, from 0 to 1")
    if not (executor is None or isinstance(executor, str)):
        raise DefinitionError(f"task {called!r}: executor={executor!r}; give its name")
    if limit is not None and (type(limit) is not int or limit < 1):
        raise DefinitionError(f"task {called!r}: limit={limit!r}; use 1, 2, 3, …")
    return Task(
        body,
        called,
        retries,
        _some_time(called, "timeout", timeout),
        seconds(delay, f"task {called!r}: delay"),
        float(backoff),
        jitter=float(jitter),
        longest=_some_time(called, "longest", longest),
        retry_on=_errors(called, "retry_on", retry_on),
        give_up_on=_errors(called, "give_up_on", give_up_on),
        deadline=_some_time(called, "deadline", deadline),
        heartbeat=_some_time(called, "heartbeat", heartbeat),
        executor=executor,
        limit=limit,
        on_failure=checked_failure(called, on_failure),
        compensate=checked_undo(called, compensate),
    )


def checked_failure(task: str, given: OnFailure) -> OnFailure:
    """What is to follow the last attempt; raises DefinitionError."""
    if given not in ("fail", "incident"):
        raise DefinitionError(f'task {task!r}: on_failure={given!r}; use "fail" or "incident"')
    return given


def checked_undo(task: str, given: Callable[..., Any] | None) -> Task | None:
    """What undoes a task, as a task; raises DefinitionError."""
    if given is None:
        return None
    undo = as_task(given)
    for is_so, why in (
        (undo.calls is not None, "calls a workflow"),
        (undo.compensate is not None, "has a compensation itself"),
        (undo.role is not None, "is done by a person"),
    ):
        if is_so:
            raise DefinitionError(
                f"task {task!r}: compensate={undo.name!r} {why}; give a plain task"
            )
    return undo


def _some_time(task: str, what: str, duration: Duration | None) -> float | None:
    if duration is None:
        return None
    found = seconds(duration, f"task {task!r}: {what}")
    if found == 0:
        raise DefinitionError(f"task {task!r}: {what}={duration!r} leaves no time at all")
    return found


def _errors(task: str, what: str, given: Errors) -> tuple[type[BaseException], ...]:
    kinds = given if isinstance(given, tuple | list) else (given,)
    for kind in kinds:
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise DefinitionError(f"task {task!r}: {what}={kind!r} is not a class of exceptions")
    return tuple(kinds)
