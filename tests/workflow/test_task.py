"""Tasks: what may be one, how often and how long it may try, and what its body sees."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from petriflow.net.errors import CompositionError, DefinitionError
from petriflow.patterns import sequence
from petriflow.patterns.duration import seconds
from petriflow.workflow import Task, TaskContext, Workflow, task
from petriflow.workflow.task import as_task


def pay(case: TaskContext) -> dict[str, Any]:
    return {"paid": case["total"]}


async def ship(case: TaskContext) -> dict[str, Any]:
    return {"shipped": True}


def book(account: str, case: TaskContext) -> dict[str, Any]:
    return {account: case["total"]}


async def send(address: str, case: TaskContext) -> None: ...


class Printer:
    def __call__(self, case: TaskContext) -> None: ...

    def page(self, case: TaskContext) -> dict[str, Any]:
        return {"page": 1}


class Mailer:
    name = "mail"

    async def __call__(self, case: TaskContext) -> None: ...


# -- durations ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        (0, 0.0),
        (3, 3.0),
        (0.25, 0.25),
        ("500ms", 0.5),
        ("30s", 30.0),
        ("1.5m", 90.0),
        ("2h", 7200.0),
        ("1d", 86400.0),
        (" 5 s ", 5.0),
        ("0s", 0.0),
        (timedelta(minutes=2), 120.0),
    ],
)
def test_a_duration_is_seconds_a_timedelta_or_a_text(duration: Any, expected: float) -> None:
    found = seconds(duration)
    assert found == expected
    assert type(found) is float


@pytest.mark.parametrize(
    "duration",
    [
        -1, -0.5, math.nan, math.inf, True, None, "", "s", "5", "5 weeks", "-5s", "1e3s", "1,5s",
        "5s 3s", [], 10**400, "9" * 400 + "s", timedelta(seconds=-1),
    ],
)  # fmt: skip
def test_what_is_no_length_of_time_is_refused(duration: Any) -> None:
    with pytest.raises(
        DefinitionError, match=r"a duration=.*; write seconds, or a text like '30s'"
    ):
        seconds(duration)


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=1000)))
def test_a_timedelta_and_its_milliseconds_are_the_same_length(length: timedelta) -> None:
    text = f"{length.total_seconds() * 1000:.3f}ms"
    assert seconds(text) == pytest.approx(seconds(length))


# -- limits ---------------------------------------------------------------------------------


def test_a_task_keeps_its_limits_in_seconds() -> None:
    made = task(name="charge", retries=3, timeout="30s", delay="500ms", backoff=3)(pay)
    assert (made.name, made.retries, made.timeout) == ("charge", 3, 30.0)
    assert [made.wait_before(n) for n in range(1, 6)] == [0.0, 0.5, 1.5, 4.5, 13.5]
    plain = task(pay)
    assert (plain.name, plain.retries, plain.timeout) == ("pay", 0, None)


def test_waiting_for_the_thousandth_attempt_is_long_but_can_be_computed() -> None:
    assert task(retries=5000)(pay).wait_before(4000) == math.inf
    assert task(retries=5000, delay=0)(pay).wait_before(4000) == 0.0
    assert task(retries=5000, backoff=1, delay=2)(pay).wait_before(4000) == 2.0


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"retries": -1}, "retries=-1; use 0, 1, 2, …"),
        ({"retries": 1.0}, "retries=1.0"),
        ({"retries": True}, "retries=True"),
        ({"retries": None}, "retries=None"),
        ({"timeout": 0}, "timeout=0 leaves no time at all"),
        ({"timeout": "0s"}, "timeout='0s' leaves no time"),
        ({"timeout": "soon"}, "timeout='soon'; write seconds"),
        ({"timeout": -3}, "timeout=-3"),
        ({"delay": None}, "delay=None"),
        ({"delay": "-1s"}, "delay='-1s'"),
        ({"backoff": 0.5}, "backoff=0.5; use 1 or more"),
        ({"backoff": "2"}, "backoff='2'"),
        ({"backoff": math.nan}, "backoff=nan"),
        ({"backoff": math.inf}, "backoff=inf"),
        ({"backoff": 10**400}, "backoff=1000"),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(limits: dict[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError, match=f"task 'pay': {message.replace('.', '[.]')}"):
        task(**limits)(pay)


# -- what may be a body ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "name", "qualified", "asynchronous"),
    [
        (pay, "pay", "pay", False),
        (ship, "ship", "ship", True),
        (Printer().page, "page", "Printer.page", False),
        (Mailer(), "mail", "Mailer", True),
    ],
)
def test_functions_coroutine_functions_methods_and_named_objects_are_tasks(
    body: Callable[..., Any], name: str, qualified: str, asynchronous: bool
) -> None:
    made = task(body)
    assert (made.name, made.qualified_name, made.asynchronous) == (name, qualified, asynchronous)
    assert as_task(body) == made
    assert [t.name for t in Workflow("w", sequence(body)).tasks.values()] == [name]


@pytest.mark.parametrize(
    ("body", "qualified", "asynchronous"),
    [
        (functools.partial(book, "rent"), "book", False),
        (functools.partial(send, "me"), "send", True),
        (functools.partial(functools.partial(send, "me")), "send", True),
        (Printer(), "Printer", False),
        (lambda case: None, None, False),
    ],
)
def test_what_has_no_name_needs_one(
    body: Callable[..., Any], qualified: str | None, asynchronous: bool
) -> None:
    made = task(name="do it")(body)
    assert (made.name, made.asynchronous) == ("do it", asynchronous)
    assert qualified is None or made.qualified_name == qualified
    assert list(Workflow("w", sequence(made)).tasks) == ["w/do it"]
    with pytest.raises(CompositionError, match=r"has no name for the task; write .*name="):
        sequence(body)
    if qualified:
        with pytest.raises(DefinitionError, match=r"has no name; write @task\(name='…'\)"):
            task(body)


@pytest.mark.parametrize(
    "body", [lambda: None, lambda a, b: None, lambda *, case: None, functools.partial(pay, None)]
)
def test_a_body_takes_one_argument(body: Callable[..., Any]) -> None:
    with pytest.raises(
        DefinitionError, match=r"task 'pay' must take one argument, the case: write"
    ):
        task(name="pay")(body)


def test_a_function_with_a_wrong_signature_is_refused_when_the_workflow_is_built() -> None:
    def forgot() -> None: ...

    with pytest.raises(DefinitionError, match=r"write `def forgot\(case\): …`"):
        Workflow("w", sequence(pay, forgot))


def test_further_arguments_with_defaults_do_no_harm() -> None:
    def body(case: TaskContext, retries: int = 3, *rest: object, **more: object) -> None: ...

    assert task(body).name == "body"


def test_a_builtin_that_does_not_tell_its_signature_is_taken_at_its_word() -> None:
    assert task(dict).name == "dict"


def test_a_body_that_yields_is_refused() -> None:
    def steps(case: TaskContext) -> Any:
        yield {"paid": True}

    async def later(case: TaskContext) -> Any:
        yield {"paid": True}

    for body in (steps, later):
        with pytest.raises(DefinitionError, match="yields; a task returns its updates"):
            task(body)


@pytest.mark.parametrize("thing", [None, 3, "pay", sequence(pay)])
def test_what_cannot_be_called_is_no_body(thing: Any) -> None:
    with pytest.raises(DefinitionError, match="is not a function"):
        task()(thing)


def test_a_task_is_not_made_a_task_again() -> None:
    """Its limits would be lost inside the new one; a copy with other limits says what it means."""
    made = task(retries=2)(pay)
    with pytest.raises(DefinitionError, match=r"task 'pay' is a task already; use dataclasses"):
        task(name="pay again")(made)
    again = dataclasses.replace(made, name="pay again")
    assert (again.retries, list(sequence(made, again).tasks)) == (
        2,
        ["sequence/pay", "sequence/pay again"],
    )
    assert as_task(made) is made


@pytest.mark.parametrize("name", ["a/b", "a.b", "a~2", "a#b", " "])
def test_a_name_that_would_break_a_path_is_refused_where_the_task_is_used(name: str) -> None:
    with pytest.raises(CompositionError, match="cannot be the name of a fragment"):
        sequence(task(name=name)(pay))


# -- bodies and what they see ---------------------------------------------------------------


def context(**variables: Any) -> TaskContext:
    data = MappingProxyType(variables)
    return TaskContext("case", "case/pay/1", 1, data, data)


async def test_a_task_called_directly_runs_its_body() -> None:
    assert task(retries=9)(pay)(context(total=5)) == {"paid": 5}
    assert await task(ship)(context()) == {"shipped": True}
    assert task(name="rent")(functools.partial(book, "rent"))(context(total=5)) == {"rent": 5}


@pytest.mark.promise("FLOW-5")
def test_a_task_reads_variables_and_cannot_write_them() -> None:
    case = context(total=5)
    assert (case["total"], case.get("total"), case.variables["total"]) == (5, 5, 5)
    assert ("total" in case, "zebra" in case) == (True, False)
    assert (case.get("zebra"), case.get("zebra", 0)) == (None, 0)
    with pytest.raises(KeyError, match="zebra"):
        case["zebra"]
    for write in (
        lambda: case.variables.__setitem__("total", 6),
        lambda: case.data.__setitem__("total", 6),
        lambda: case.__setitem__("total", 6),
        lambda: setattr(case, "variables", {}),
        lambda: setattr(case, "attempt", 2),
    ):
        with pytest.raises((AttributeError, TypeError)):
            write()
    assert isinstance(case.data, Mapping)
    assert case["total"] == 5


def test_tasks_are_equal_if_they_do_the_same() -> None:
    assert task(pay) == task(pay)
    assert task(pay) != task(retries=1)(pay)
    assert task(pay) != task(ship)
    assert isinstance(task(pay), Task)
