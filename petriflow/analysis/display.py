"""How the results of an analysis show themselves: a line and a table, as text and as HTML."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from html import escape
from typing import Protocol

from petriflow.net import Marking, Net
from petriflow.net.errors import WorkflowNetError


class Listing(Protocol):
    """A result that is a title and a table."""

    @property
    def title(self) -> str:
        """What this is, in a line."""

    @property
    def headings(self) -> tuple[str, ...]:
        """The columns of the table."""

    def rows(self) -> Iterable[tuple[str, ...]]:
        """The rows of the table."""

    def pictures(self) -> Iterable[tuple[str, object]]:
        """What of it can be drawn on its net, each with a title; by default nothing."""
        return ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.title}>"

    def __str__(self) -> str:
        table = [self.headings, *self.rows()]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in table)
        return "\n".join([self.title, *(f"  {line}" for line in lines)])

    def __init_subclass__(cls, **more: object) -> None:
        super().__init_subclass__(**more)
        # IPython asks class by class, and would find a dataclass's own `__repr__` first.
        cls._repr_pretty_ = Listing._repr_pretty_  # type: ignore[method-assign]

    def _repr_pretty_(self, printer: object, cycle: bool) -> None:
        printer.text(str(self))  # type: ignore[attr-defined]

    def _repr_html_(self) -> str:
        def cells(row: Iterable[str], tag: str) -> str:
            return "".join(f'<{tag} style="text-align:left">{escape(cell)}</{tag}>' for cell in row)

        body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in self.rows())
        head = f"<thead><tr>{cells(self.headings, 'th')}</tr></thead>"
        table = f"<p>{escape(self.title)}</p><table>{head}<tbody>{body}</tbody></table>"
        net = getattr(self, "net", None)
        return table + (on_net(net, self.pictures()) if isinstance(net, Net) else "")


#: So many pictures of one result are drawn, and of nets of so many nodes at most: a notebook keeps
#: all that it shows.
PICTURES, NODES, MARKINGS = 3, 150, 60


def on_net(net: Net, shown: Iterable[tuple[str, object]]) -> str:
    """The first few of these on pictures of the net, folded away under their titles."""
    from petriflow.drawing import draw

    if len(net.places) + len(net.transitions) > NODES:
        return ""
    return "".join(
        folded(title, draw(net, overlay=thing).svg())  # type: ignore[arg-type]
        for title, thing in itertools.islice(shown, PICTURES)
    )


def states(found: object, markings: int) -> str:
    """The picture of a state space or coverability graph that is small enough to be read."""
    from petriflow.drawing import draw_states

    if markings > MARKINGS:
        return ""
    return folded("drawn", draw_states(found).svg())  # type: ignore[arg-type]


def folded(title: str, picture: str) -> str:
    """A picture that is opened by a click on its title."""
    inside = f'<div style="overflow-x:auto">{picture}</div>'
    return f"<details><summary>{escape(title)}</summary>{inside}</details>"


def beginning(net: Net) -> Marking:
    """The initial marking to show; of a net that has none, no tokens."""
    try:
        return net.initial_marking
    except WorkflowNetError:
        return Marking()
