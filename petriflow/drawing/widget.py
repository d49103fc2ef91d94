"""The widget: the token game, playback and the live view of a case, in a notebook.

Python owns the rules: the browser draws what it is sent, and asks. Each click is a wish, written
into a synced trait; the answer is a new picture and a new state. Traits, not messages, so that
marimo's dependent cells run again. Needs `pip install 'petriflow[jupyter]'`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget  # one module of plain JavaScript in JupyterLab, VS Code, Colab and marimo
import traitlets

from petriflow.analysis.diagnosis.words import step as told
from petriflow.drawing.drawing import Drawing, Sheet
from petriflow.drawing.game import TokenGame
from petriflow.drawing.overlay import Overlay
from petriflow.net import Marking, Transition
from petriflow.net.errors import PetriflowError

if TYPE_CHECKING:
    from petriflow.execution.handle import CaseHandle

STATIC = Path(__file__).parent / "static"


class Board(anywidget.AnyWidget):
    """What the widgets share: a sheet with a picture on it, and a state beside it."""

    _esm = STATIC / "board.js"

    picture = traitlets.Unicode().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)
    wish = traitlets.Dict().tag(sync=True)

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet
        super().__init__()

    def drawing(self) -> Drawing:
        """The picture as it is now."""
        raise NotImplementedError

    def _show(self, state: Mapping[str, Any]) -> None:
        with self.hold_sync():
            self.picture = self.drawing().svg()
            self.state = dict(state)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """The widget, and its picture for where no kernel is: exported notebooks are not blank."""
        made = super()._repr_mimebundle_(**kwargs)
        data = made[0] if isinstance(made, tuple) else made
        if data is not None:
            data["image/svg+xml"] = self.picture
            data["text/plain"] = repr(self)
        return made


class Game(Board):
    """The token game of a net: click what is green, take it back, go over it with the slider.

    `fire`, `undo`, `seek` and `reset` do from Python what the buttons do; `marking`, `trace` and
    `position` say where the game stands.
    """

    def __init__(self, sheet: Sheet, game: TokenGame, at_end: Overlay) -> None:
        self._game = game
        self._at_end = at_end
        self._answered = 0
        super().__init__(sheet)
        self._refresh()
        self.observe(self._answer, names="wish")

    @property
    def marking(self) -> Marking:
        """The tokens now."""
        return self._game.marking

    @property
    def enabled(self) -> tuple[str, ...]:
        """The transitions that can fire now."""
        return self._game.enabled

    @property
    def trace(self) -> tuple[str, ...]:
        """The transitions that have fired, and after `position` those that were taken back."""
        return self._game.trace

    @property
    def position(self) -> int:
        """How many steps of the trace have been made."""
        return self._game.position

    def fire(self, transition: str) -> None:
        """Fire a transition, or the half of a task whose turn it is.

        Raises:
            NotEnabled: it cannot fire now.
        """
        home = dict(self._sheet.about.home)
        meant = self._game.meant(transition, home)
        self._game.fire(meant)
        self._refresh(fired=self._game.net.transition(meant))

    def undo(self) -> None:
        """Take the last step back."""
        self._game.undo()
        self._refresh()

    def seek(self, position: int) -> None:
        """Go to after so many steps."""
        onward = position == self._game.position + 1 and position <= len(self._game.trace)
        self._game.seek(position)
        last = self._game.last
        self._refresh(fired=self._game.net.transition(last) if onward and last else None)

    def reset(self) -> None:
        """Begin again."""
        self._game.reset()
        self._refresh()

    def drawing(self) -> Drawing:
        """The picture as it is now."""
        game, end = self._game, self._at_end
        if game.given and game.trace == game.given and game.position == len(game.trace):
            return self._sheet.show(
                Overlay(
                    tokens=game.marking,
                    enabled=frozenset(game.enabled),
                    faults=end.faults,
                    dead=end.dead,
                )
            )
        last = frozenset([game.last]) if game.last else frozenset[str]()
        return self._sheet.show(
            Overlay(tokens=game.marking, enabled=frozenset(game.enabled), chosen=last)
        )

    def _answer(self, change: Mapping[str, Any]) -> None:
        """Do what the browser wishes; what cannot be done becomes a message."""
        wish = change["new"]
        try:
            match wish.get("do"):
                case "fire":
                    self.fire(str(wish["id"]))
                case "seek":
                    self.seek(int(wish["to"]))
                case "undo":
                    self.undo()
                case "reset":
                    self.reset()
        except PetriflowError as error:
            self._refresh(message=str(error))

    def _refresh(self, fired: Transition | None = None, message: str = "") -> None:
        game, sheet = self._game, self._sheet
        landed = {**sheet.about.home}

        def home(id: str) -> str:
            task = id.removesuffix(".start").removesuffix(".complete").removesuffix(".running")
            return id if id in sheet.about.net else landed.get(id, landed.get(task, task))

        moves: dict[str, Any] = {}
        if fired is not None:
            moves = {
                "out": [home(p) for p in fired.consume],
                "through": home(fired.id),
                "into": [home(p) for p in fired.produce],
            }
        self._show(
            {
                "kind": "game",
                "position": game.position,
                "length": len(game.trace),
                "step": told(game.net, game.last) if game.last else "",
                "marking": dict(game.marking),
                "told": str(game.marking),
                "enabled": sorted({home(t) for t in game.enabled}),
                "moves": moves,
                "message": message or ("" if game.enabled else "Nothing can fire any more."),
            }
        )

    def __repr__(self) -> str:
        return f"<Game of {self._game.net.name}: step {self.position}, {self.marking}>"


class LiveView(Board):
    """A running case: its tokens move as its engine commits, until it ends."""

    def __init__(self, sheet: Sheet, case: CaseHandle) -> None:
        self._case = case
        self._seen = 0
        super().__init__(sheet)
        self._look()
        case.on_commit(self._look)

    def drawing(self) -> Drawing:
        """The picture as it is now."""
        case = self._case
        return self._sheet.show(Overlay(tokens=case.marking, enabled=frozenset(case.waits_for)))

    def _look(self) -> None:
        case = self._case
        self._seen += 1
        waits = [id.rpartition("/")[2] for id in (*case.at_work, *case.waits_for)]
        self._show(
            {
                "kind": "live",
                "seen": self._seen,
                "status": case.status,
                "marking": dict(case.marking),
                "told": str(case.marking),
                "enabled": [],
                "step": ", ".join(waits) and f"waits for {', '.join(waits)}",
                "message": "; ".join(case.incidents.values()),
            }
        )

    def __repr__(self) -> str:
        return f"<Live view of case {self._case.id}: {self._case.status}>"
