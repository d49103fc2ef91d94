"""Variables while branches run side by side, shown on pure cases: no engine, every order."""

from __future__ import annotations

from typing import Any

import pytest

from petriflow import Workflow, collect, last_wins, reduce
from petriflow.execution.case import Case
from petriflow.execution.events import (
    CaseStarted,
    Command,
    Decide,
    Decided,
    StartTask,
    TaskCompleted,
)
from petriflow.execution.program import program
from petriflow.patterns import Fragment, discriminator, parallel, sequence, structured_loop
from petriflow.workflow.variables import Policy

from ..patterns.brute import a, b, c, d


class Play:
    """A case whose tasks are completed by name."""

    def __init__(self, fragment: Fragment, variables: dict[str, Any], **merge: Policy) -> None:
        self.case = Case(program(Workflow("w", fragment, merge=merge)), "1")
        self.open: dict[str, StartTask] = {}
        self._take(self.case.apply(CaseStarted(variables)))

    def _take(self, commands: list[Command]) -> None:
        for command in commands:
            if isinstance(command, StartTask):
                self.open[command.task.rpartition("/")[2]] = command
            elif isinstance(command, Decide):
                self._take(self.case.apply(Decided(command.choice, command.number, (0,))))

    def sees(self, task: str) -> dict[str, Any]:
        return self.open[task].variables

    def complete(self, task: str, **updates: Any) -> Play:
        self._take(self.case.apply(TaskCompleted(self.open.pop(task).firing_id, updates)))
        return self


@pytest.mark.promise("FLOW-6")
def test_a_branch_sees_the_split_and_itself_and_is_seen_from_the_join_on() -> None:
    play = Play(sequence(parallel(sequence(a, b), c), d), {"x": 0})
    play.complete("a", x=1)
    assert play.sees("b") == {"x": 1}
    assert play.sees("c") == {"x": 0}
    assert play.case.variables == {"x": 0}
    play.complete("b", y=2)
    assert play.case.variables == {"x": 0}
    play.complete("c", z=3)
    assert play.sees("d") == {"x": 1, "y": 2, "z": 3}
    assert play.case.variables == {"x": 1, "y": 2, "z": 3}


@pytest.mark.promise("FLOW-7")
@pytest.mark.parametrize("order", ["ab", "ba"])
@pytest.mark.parametrize(
    ("policy", "want"),
    [
        (last_wins, {"ab": 2, "ba": 1}),
        (reduce("old * 10 + new"), {"ab": 12, "ba": 21}),
        (reduce("max(old, new)"), {"ab": 2, "ba": 2}),
    ],
)
def test_concurrent_writes_are_settled_in_order_of_completion(
    policy: Policy, want: dict[str, int], order: str
) -> None:
    play = Play(parallel(a, b), {"x": 0}, x=policy)
    for task in order:
        play.complete(task, x={"a": 1, "b": 2}[task])
    assert play.case.variables == {"x": want[order]}


@pytest.mark.promise("FLOW-7")
def test_different_concurrent_values_fail_the_case_and_name_the_variable() -> None:
    play = Play(parallel(a, b), {"x": 0}).complete("a", x=1).complete("b", x=2)
    assert play.case.status == "failed"
    assert play.case.error is not None
    assert play.case.error.startswith("VariableConflict: variable 'x' was written as 1")
    assert "merge={'x': last_wins}" in play.case.error


@pytest.mark.promise("FLOW-7")
def test_equal_values_and_different_names_are_no_conflict() -> None:
    play = Play(parallel(a, b), {"x": 0}).complete("a", x=1, p=1).complete("b", x=1, q=2)
    assert play.case.variables == {"x": 1, "p": 1, "q": 2}


@pytest.mark.promise("FLOW-7")
def test_collecting_appends_in_order_of_completion_through_nested_branches() -> None:
    fragment = sequence(parallel(parallel(a, b, name="inner"), c), d)
    play = Play(fragment, {"x": ["start"]}, x=collect)
    play.complete("b", x="b")
    play.complete("c", x="c").complete("a", x="a")
    assert play.sees("d")["x"] == ["start", "b", "c", "a"]
    play.complete("d", x=["d"])
    assert play.case.variables["x"] == ["start", "b", "c", "a", ["d"]]


def test_a_branch_that_collects_sees_the_list_and_what_it_added() -> None:
    play = Play(parallel(sequence(a, b), c), {"x": [0]}, x=collect)
    play.complete("a", x=1).complete("c", x=9)
    assert play.sees("b")["x"] == [0, 1]


@pytest.mark.promise("FLOW-8")
def test_a_late_branch_is_merged_at_the_end_and_a_cancelled_one_is_not() -> None:
    play = Play(discriminator(a, b, then=c), {"x": 0})
    play.complete("a", p=1)
    assert play.sees("c") == {"x": 0, "p": 1}
    play.complete("b", q=2)
    assert play.case.variables == {"x": 0, "p": 1}
    play.complete("c", r=3)
    assert play.case.variables == {"x": 0, "p": 1, "q": 2, "r": 3}

    play = Play(discriminator(sequence(a, b), c, cancel=True, then=d), {"x": 0})
    play.complete("a", x=1).complete("c", y=2)
    assert play.sees("d") == {"x": 0, "y": 2}
    assert play.complete("d").case.variables == {"x": 0, "y": 2}
    assert play.case.status == "completed"


@pytest.mark.promise("FLOW-6")
def test_a_late_branch_goes_on_seeing_the_split_whatever_the_continuation_writes() -> None:
    play = Play(discriminator(sequence(a, b), c, then=d), {"x": 0})
    play.complete("c").complete("d", x=7, new=1)
    play.complete("a")
    assert play.sees("b") == {"x": 0}


@pytest.mark.promise("FLOW-7")
def test_a_late_branch_and_the_continuation_can_disagree() -> None:
    play = Play(discriminator(a, b, then=c), {"x": 0})
    play.complete("a").complete("c", x=1).complete("b", x=2)
    assert play.case.status == "failed"
    assert "'x' was written as 1 and, concurrently, as 2" in str(play.case.error)


def test_a_loop_opens_its_branches_anew() -> None:
    play = Play(structured_loop(parallel(a, b), while_="x < 9"), {"x": 0})
    for n in (1, 2, 3):
        assert play.sees("a")["x"] == n - 1
        play.complete("b").complete("a", x=n)
    assert play.case.variables == {"x": 3}


@pytest.mark.promise("FLOW-5")
def test_a_task_sees_the_variables_as_they_were_when_it_started() -> None:
    """Even where another task of its scope writes meanwhile, and also after a restart."""
    play = Play(discriminator(a, b, then=c), {"x": 0})
    play.complete("a")
    late = play.open["b"].firing_id
    play.complete("c", x=5)
    again = Case.load(
        play.case.program, "1", play.case.status, play.case.seq, None, play.case.dump()
    )
    (command,) = again.open_commands()
    assert isinstance(command, StartTask)
    assert (command.firing_id, command.variables) == (late, {"x": 0})
