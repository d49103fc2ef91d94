"""`interleavings`: every order in which things can happen to a case, each as a story."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from petriflow.net.errors import DefinitionError, StoryError
from petriflow.patterns.names import suggestion
from petriflow.testing.fakes import Fake
from petriflow.testing.stage import Guards
from petriflow.testing.steps import Choose, Claim, Ring, Signal, Step
from petriflow.testing.story import Story
from petriflow.workflow import Workflow


def interleavings(
    workflow: Workflow,
    variables: Mapping[str, Any] | None = None,
    *,
    fakes: Mapping[str, Fake] | None = None,
    events: Mapping[str, Mapping[str, Any]] | None = None,
    guards: Guards = "real",
    steps: int = 50,
    most: int = 10_000,
) -> Iterator[Story]:
    """Run a workflow through every order in which its bodies can end, people do their tasks, the
    events that it waits for arrive and its timers ring; with free guards, also through every
    answer to every choice.

    Each run is played on the pure case that an engine drives, and is given as a `Story`: a case
    that has ended, or in which nothing can happen but by a person, or that was `cut` after so
    many steps, in a loop for instance. Its `steps` can be given to `run_story`, which does the same
    again. The order of the runs is always the same.

    Timers ring in every order, whatever their times: an engine that was down for long enough finds
    all of them due. Timeouts of attempts are left out.

    Args:
        workflow: the workflow.
        variables: what the case begins with; by default the workflow's example.
        fakes: by the name of a task, the updates that its body returns, or a function of the case;
            it is called once for each run in which the task ends, and must always do the same.
        events: by the name of an event, the updates that it brings.
        guards: `real` asks them, `free` takes every answer.
        steps: a run is cut after so many; answers to choices are not counted.
        most: the number of runs after which it is given up.

    Raises:
        StoryError: there are more runs than `most`; none is left out in silence.
        DefinitionError: there is no task of a fake's name, or no event of such a name.

    >>> from petriflow.patterns import parallel
    >>> def reserve(case): ...
    >>> def pay(case): ...
    >>> order = Workflow("order", parallel(reserve, pay))
    >>> for run in interleavings(order, fakes={"pay": {"paid": True}}):
    ...     assert run.status == "completed", run
    ...     print(run.steps)
    (Complete('reserve'), Complete('pay'))
    (Complete('pay'), Complete('reserve'))
    """
    first = Story(workflow, variables, fakes=fakes, guards=guards)
    for name in events or {}:
        if name not in first.known_events:
            raise DefinitionError(
                f"workflow {workflow.name!r} does not wait for {name!r}; "
                + suggestion(name, first.known_events)
            )
    return _runs(first, dict(events or {}), steps, most)


def _runs(
    first: Story, events: Mapping[str, Mapping[str, Any]], steps: int, most: int
) -> Iterator[Story]:
    found, todo = 0, [first]
    while todo:
        story = todo.pop()
        moves = _moves(story, events)
        long = sum(not isinstance(step, Choose) for step in story.steps) >= steps
        story.cut = bool(moves) and long and not story.answers
        if moves and not story.cut:
            todo += [story.copy().do(move) for move in reversed(moves)]
            continue
        found += 1
        if found > most:
            raise StoryError(
                f"workflow {story.workflow.name!r} has more than {most} interleavings; raise most=,"
                " cut them by steps=, or test a part of it as a workflow of its own"
            )
        yield story


def _moves(story: Story, events: Mapping[str, Mapping[str, Any]]) -> list[Step]:
    """What can happen next. A choice is answered before anything else, as an engine does."""
    if story.answers:
        return [*story.answers]
    if story.status != "running":
        return []
    return [
        *map(story.ending, story.running),
        *map(Claim, story.offered),
        *(story.ending(name) for name in story.asks if name not in story.offered),
        *map(Ring, story.timers),
        *(Signal(name, events.get(name)) for name in story.events),
    ]
