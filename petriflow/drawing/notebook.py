"""`play` and `view`: the widgets of a notebook, whose library is imported when one is made."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from petriflow.drawing.drawing import Sheet
from petriflow.drawing.game import TokenGame
from petriflow.drawing.overlay import Overlay
from petriflow.drawing.subject import Drawable, Subject, subject
from petriflow.execution.store import Record
from petriflow.net import Marking, Net
from petriflow.net.errors import DrawingError
from petriflow.workflow import Workflow

if TYPE_CHECKING:
    from petriflow.drawing.widget import Game, LiveView
    from petriflow.execution.handle import CaseHandle


def play(
    target: Drawable,
    trace: Iterable[str | Record] = (),
    *,
    initial: Marking | None = None,
    at_end: Overlay | None = None,
) -> Game:
    """The token game of a net, a fragment or a workflow, as a widget of a notebook.

    Args:
        target: what to play. Tasks are single steps, unless the trace speaks of their halves.
        trace: transitions to play back, such as those of a witness; or the records of a case, as
            `await engine.history(case)` gives them.
        initial: where to begin, other than the net says.
        at_end: the faults and dead transitions to mark once the trace has been played to its end.

    Raises:
        DrawingError: the widget's libraries are not installed.
        NotEnabled: the trace is not possible on this net.
    """
    try:
        from petriflow.drawing.widget import Game
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    about, game = begin(target, trace, initial)
    title = target.name if isinstance(target, Workflow) else None
    return Game(Sheet.of(about, title), game, at_end or Overlay())


def begin(
    target: Drawable, trace: Iterable[str | Record] = (), initial: Marking | None = None
) -> tuple[Subject, TokenGame]:
    """What is drawn of a target, and its token game."""
    about = subject(target)
    net = target if isinstance(target, Net) else target.net
    steps = tuple(_steps(trace))
    if any(id not in net for id in steps):
        net = net.expanded()
    return about, TokenGame(net, steps, initial)


def view(case: CaseHandle) -> LiveView:
    """A running case as a widget of a notebook that follows it.

    Raises:
        DrawingError: the widget's libraries are not installed.
    """
    try:
        from petriflow.drawing.widget import LiveView
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    return LiveView(Sheet.of(subject(case.workflow), case.workflow.name), case)


def _steps(trace: Iterable[str | Record]) -> Iterable[str]:
    for item in trace:
        yield from (item,) if isinstance(item, str) else item.fired


def _missing(error: ModuleNotFoundError) -> DrawingError:
    return DrawingError(f"the widget needs {error.name}; pip install 'petriflow[jupyter]'")
