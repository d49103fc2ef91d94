"""`draw` and `Drawing`: from a net to a picture that can be shown and saved."""

from __future__ import annotations

import os
import uuid
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from petriflow.drawing.compose import compose
from petriflow.drawing.diagram import diagram
from petriflow.drawing.layout import graphlay
from petriflow.drawing.overlay import Overlay, land
from petriflow.drawing.scene import Scene
from petriflow.drawing.svg import svg
from petriflow.net import Net, require_net
from petriflow.net.errors import DrawingError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: pixels an inch of a PNG: nearly three for each px of the scene, sharp on every screen
DPI = 200


def draw(
    net: Net,
    *,
    overlay: Overlay | None = None,
    captions: Mapping[str, str] | None = None,
    title: str | None = None,
    theme: Literal["auto", "light", "dark"] = "auto",
) -> Drawing:
    """A picture of a net: the atomic one with a box for each task, the expanded one in full.

    Args:
        net: what to draw.
        overlay: a path, tokens and states to show on it.
        captions: texts at transitions, by id, such as the guards of a choice.
        title: a heading in the picture.
        theme: `auto` follows the page that shows the SVG; files other than SVG are then light.

    Raises:
        DrawingError: the overlay names something that is no node of the net.
        NetError: a caption is for a transition that the net does not have.

    >>> net = Net.build("ship").places("i", "o").transition("pack", "i", "o").done()
    >>> picture = draw(net, overlay=Overlay(path=("pack",)))
    >>> picture
    <Drawing of Petri net ship with 2 places, 1 task and 0 silent transitions.>
    >>> picture.svg()[:39]
    '<svg xmlns="http://www.w3.org/2000/svg"'
    """
    require_net(net, "draw")
    landed = land(overlay, net)
    told = {t.id: "or" for t in net.transitions if t.join == "or"} | dict(captions or {})
    return Drawing(compose(diagram(net, told), landed, graphlay, title), theme)


@dataclass(frozen=True, slots=True, repr=False)
class Drawing:
    """A finished picture. In a notebook it shows itself."""

    scene: Scene
    theme: Literal["auto", "light", "dark"] = "auto"

    def svg(self) -> str:
        """The picture as one SVG element; the same net gives the same text."""
        return svg(self.scene, self.theme)

    def figure(self) -> Figure:
        """The picture as a matplotlib figure that belongs to no window."""
        from petriflow.drawing.mpl import figure

        return figure(self.scene, "dark" if self.theme == "dark" else "light")

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture as `.svg`, `.png` or `.pdf`, whole or not at all.

        Raises:
            DrawingError: another suffix, or a folder that does not exist.
        """
        path = Path(path)
        kind = path.suffix.lower()
        if kind not in (".svg", ".png", ".pdf"):
            raise DrawingError(
                f"{path.name!r}: a picture cannot be saved as {kind or 'a file without a suffix'}; "
                "end the name in .svg, .png or .pdf"
            )
        if not path.parent.is_dir():
            raise DrawingError(f"{path}: the folder {path.parent} does not exist; make it first")
        # Written beside the goal and then moved: a failure half-way leaves no broken picture.
        part = path.with_name(f".{uuid.uuid4().hex}.part")
        try:
            with part.open("xb") as file:
                self._write(file, kind)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def _write(self, file: BinaryIO, kind: str) -> None:
        if kind == ".svg":
            file.write(self.svg().encode())
            return
        # A date in the file would make every run's file another one.
        metadata = {"CreationDate": None} if kind == ".pdf" else None
        with warnings.catch_warnings():
            # Signs that no installed font has are drawn as boxes; the picture is still of use.
            warnings.filterwarnings("ignore", "Glyph .* missing")
            self.figure().savefig(file, format=kind[1:], dpi=DPI, metadata=metadata)

    def __repr__(self) -> str:
        return f"<Drawing of {self.scene.summary.split('.', 1)[0]}.>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        bundle = {"image/svg+xml": self.svg(), "text/plain": repr(self)}
        return {
            kind: shown
            for kind, shown in bundle.items()
            if (include is None or kind in include) and kind not in (exclude or ())
        }
