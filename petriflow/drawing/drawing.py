"""`draw` and `Drawing`: from a net to a picture that can be shown and saved."""

from __future__ import annotations

import os
import uuid
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from petriflow.drawing.compose import compose
from petriflow.drawing.diagram import diagram
from petriflow.drawing.layout import graphlay
from petriflow.drawing.overlay import Overlay, land
from petriflow.drawing.scene import Scene
from petriflow.drawing.stage import Stage, set_up
from petriflow.drawing.subject import Detail, Drawable, Subject, subject
from petriflow.drawing.svg import svg
from petriflow.net.errors import DrawingError
from petriflow.workflow import Workflow

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from petriflow.drawing.overlay import Shown

#: pixels an inch of a PNG: nearly three for each px of the scene, sharp on every screen
DPI = 200


def draw(
    target: Drawable,
    *,
    overlay: Overlay | Shown | None = None,
    detail: Detail | None = None,
    captions: Mapping[str, str] | None = None,
    title: str | None = None,
    theme: Literal["auto", "light", "dark"] = "auto",
) -> Drawing:
    """A picture of a net, a fragment or a workflow.

    Args:
        target: what to draw.
        overlay: a path, tokens and states to show on it; or a marking, a set of nodes, or a result
            of the analysis such as an invariant or a witness.
        detail: `task` draws a box for each task, `net` every place and transition of the net that
            runs, and `pattern` folds each pattern to a block. By default tasks are drawn, and a
            net of more than 600 nodes is folded until it has no more.
        captions: texts at transitions, by id, such as the guards of a choice.
        title: a heading in the picture; that of a workflow is its name.
        theme: `auto` follows the page that shows the SVG; files other than SVG are then light.

    Raises:
        DrawingError: the overlay names something that is no node of the net, or there is no
            such detail.
        DefinitionError: the target is none of the three.
        NetError: a caption is for a transition that the net does not have.

    >>> from petriflow.net import Net
    >>> net = Net.build("ship").places("i", "o").transition("pack", "i", "o").done()
    >>> picture = draw(net, overlay=Overlay(path=("pack",)))
    >>> picture
    <Drawing of Petri net ship with 2 places, 1 task and 0 silent transitions.>
    >>> picture.svg()[:39]
    '<svg xmlns="http://www.w3.org/2000/svg"'
    """
    if title is None and isinstance(target, Workflow):
        title = target.name
    return Sheet.of(subject(target, detail, captions), title, theme).show(overlay)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A net that is laid out, once, to be shown with one overlay after another."""

    about: Subject
    stage: Stage
    title: str | None
    theme: Literal["auto", "light", "dark"]

    @staticmethod
    def of(
        about: Subject, title: str | None, theme: Literal["auto", "light", "dark"] = "auto"
    ) -> Sheet:
        """Lay the subject out."""
        stage = set_up(diagram(about.net, about.captions), about, graphlay)
        return Sheet(about, stage, title, theme)

    def show(self, overlay: Overlay | Shown | None = None) -> Drawing:
        """The picture with an overlay; nodes are where they are under every other one."""
        wanted = None if overlay is None else Overlay.of(overlay)
        landed = land(wanted, self.about.net, self.about.home)
        return Drawing(compose(replace(self.stage, on=landed), self.title), self.theme)


@dataclass(frozen=True, slots=True, repr=False)
class Drawing:
    """A finished picture. In a notebook it shows itself."""

    scene: Scene
    theme: Literal["auto", "light", "dark"] = "auto"

    def svg(self) -> str:
        """The picture as one SVG element; the same net gives the same text."""
        return svg(self.scene, self.theme)

    def text(self) -> str:
        """The picture in letters, for a terminal that is wide enough for it."""
        from petriflow.drawing.terminal import plain

        return plain(self.scene)

    def figure(self) -> Figure:
        """The picture as a matplotlib figure that belongs to no window."""
        from petriflow.drawing.mpl import figure

        return figure(self.scene, "dark" if self.theme == "dark" else "light")

    def plot(self, axes: Axes) -> Axes:
        """Draw the picture into matplotlib axes of a figure of yours, and give them back.

        It takes as much of them as its proportions allow; its texts scale with it when the figure
        is saved.
        """
        from petriflow.drawing.mpl import plot

        return plot(self.scene, axes, "dark" if self.theme == "dark" else "light")

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
        # JupyterLab shows an SVG as an image, which knows neither its theme nor hovering, and
        # shrinks to the width of the page; as HTML it is part of the page.
        bundle = {
            "text/html": f'<div style="overflow-x:auto">{self.svg()}</div>',
            "image/svg+xml": self.svg(),
            "text/plain": repr(self),
        }
        return {
            kind: shown
            for kind, shown in bundle.items()
            if (include is None or kind in include) and kind not in (exclude or ())
        }
