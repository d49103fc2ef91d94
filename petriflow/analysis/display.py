"""How the results of an analysis show themselves: a line and a table, as text and as HTML."""

from __future__ import annotations

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

    def __str__(self) -> str:
        table = [self.headings, *self.rows()]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in table)
        return "\n".join([self.title, *(f"  {line}" for line in lines)])

    def _repr_pretty_(self, printer: object, cycle: bool) -> None:
        printer.text(str(self))  # type: ignore[attr-defined]

    def _repr_html_(self) -> str:
        def cells(row: Iterable[str], tag: str) -> str:
            return "".join(f'<{tag} style="text-align:left">{escape(cell)}</{tag}>' for cell in row)

        body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in self.rows())
        head = f"<thead><tr>{cells(self.headings, 'th')}</tr></thead>"
        return f"<p>{escape(self.title)}</p><table>{head}<tbody>{body}</tbody></table>"


def beginning(net: Net) -> Marking:
    """The initial marking to show; of a net that has none, no tokens."""
    try:
        return net.initial_marking
    except WorkflowNetError:
        return Marking()
