"""`play`: the token game in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from petriflow.analysis.diagnosis.words import step
from petriflow.cli.common import Close, Sink, Source, Target, app, load
from petriflow.cli.pictures import TraceOption, ids_of
from petriflow.drawing.drawing import Sheet
from petriflow.drawing.game import TokenGame
from petriflow.drawing.notebook import begin
from petriflow.drawing.overlay import Overlay
from petriflow.drawing.terminal import letters
from petriflow.net import Marking

#: marks of the picture -> how the terminal shows them; a sign says it too
LOOKS = {"enabled": "bold green", "fault": "bold red", "chosen": "bold blue", "text": "dim"}
HELP = "a number fires · enter makes the next step · u takes back · r begins again · q ends"


@app.command()
def play(
    target: Target,
    trace: TraceOption = None,
    source: Source = None,
    sink: Sink = None,
    close: Close = False,
) -> None:
    """The token game: fire what can fire. Example: `petriflow play models/order.py`."""
    model = load(target, source, sink, close)
    about, game = begin(model)
    if trace:
        about, game = begin(model, ids_of(model, trace))
    sheet = Sheet.of(about, None)
    screen = Console(highlight=False)
    screen.print(f"{model.name} · {HELP}", markup=False)
    first = True
    while True:
        _show(screen, sheet, game, first)
        first = False
        try:
            said = input("> ").strip().lower()
        except EOFError:
            break
        if said == "q":
            break
        _answer(screen, game, said)


def _answer(screen: Console, game: TokenGame, said: str) -> None:
    """Do what was typed, or say what could be."""
    match said:
        case "u":
            game.undo()
        case "r":
            game.reset()
        case "" if game.position < len(game.trace):
            game.seek(game.position + 1)
        case "" if len(game.enabled) == 1:
            game.fire(game.enabled[0])
        case _ if said.isdigit() and 1 <= int(said) <= len(game.enabled):
            game.fire(game.enabled[int(said) - 1])
        case _:
            screen.print(f"{said or 'enter'}? {HELP}", markup=False)


def _show(screen: Console, sheet: Sheet, game: TokenGame, first: bool) -> None:
    last = frozenset([game.last]) if game.last else frozenset[str]()
    overlay = Overlay(tokens=game.marking, enabled=frozenset(game.enabled), chosen=last)
    rows = letters(sheet.show(overlay).scene)
    screen.print()
    # A net wider than the terminal would be broken into nonsense, and one that is higher would
    # push itself out of sight at each step; the list below says it all.
    fits = max(map(len, rows), default=0) <= screen.width
    if fits and (first or len(rows) + len(game.enabled) + 4 <= screen.height):
        for row in rows:
            line = Text()
            for cell in row:
                look = next((LOOKS[mark] for mark in cell.marks if mark in LOOKS), "")
                line.append(cell.sign, style=look)
            screen.print(line, soft_wrap=True)
    of = f" of {len(game.trace)}" if game.position < len(game.trace) else ""
    screen.print(f"step {game.position}{of} · {game.marking}", markup=False, soft_wrap=True)
    if game.position < len(game.trace):
        onward = step(game.net, game.trace[game.position])
        screen.print(f"  enter: {onward}", markup=False, soft_wrap=True)
    for number, id in enumerate(game.enabled, 1):
        screen.print(f"  {number}: {step(game.net, id)}", markup=False, soft_wrap=True)
    if not game.enabled:
        screen.print("nothing can fire any more" + _ended(game))


def _ended(game: TokenGame) -> str:
    ends = game.net.final or ({p.id: 1 for p in game.net.sinks} if len(game.net.sinks) == 1 else {})
    return ": the end is reached" if ends and game.marking == Marking(ends) else ""
