"""What became of each element of a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from html import escape
from typing import Any, Literal

#: An element is `kept` as it is, `changed` where the net says less or other than the file, has
#: `no part` in what happens next, or is `left out` although it had one.
Fate = Literal["kept", "changed", "no part", "left out"]


@dataclass(frozen=True, slots=True)
class Item:
    """One element of a file and what became of it."""

    id: str
    kind: str
    name: str
    fate: Fate
    became: str


@dataclass(frozen=True, slots=True)
class ImportReport:
    """Every element of a file, with what became of it; it shows itself as a table."""

    file: str
    items: tuple[Item, ...]

    @property
    def liberties(self) -> tuple[Item, ...]:
        """The elements that were changed or left out."""
        return tuple(item for item in self.items if item.fate in ("changed", "left out"))

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The table's rows: kind, name or id, fate, what it became."""
        return ((i.kind, i.name or i.id, i.fate, i.became) for i in self.items)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON data."""
        return {"file": self.file, "elements": [asdict(item) for item in self.items]}

    def __str__(self) -> str:
        rows = [("kind", "element", "", "became"), *self.rows()]
        widths = [max(len(row[n]) for row in rows) for n in range(3)]
        return "\n".join(
            "  ".join((*(f"{row[n]:{widths[n]}}" for n in range(3)), row[3])).rstrip()
            for row in rows
        )

    def _repr_html_(self) -> str:
        cells = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
            for row in self.rows()
        )
        heads = "".join(f"<th>{head}</th>" for head in ("kind", "element", "", "became"))
        return f"<table><tr>{heads}</tr>{cells}</table>"
