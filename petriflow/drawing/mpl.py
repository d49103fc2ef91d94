"""A scene as a matplotlib figure, for PNG and PDF and for figures in papers.

The figure is made without pyplot: it belongs to no window and is no global state.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from petriflow.drawing.scene import Circle, Path, Rect, Scene, Shape, Text
from petriflow.drawing.style import FONTS, STYLES, Theme, colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: px of a scene to an inch: at 72 a stroke of 1 px is one of 1 pt.
PX = 72.0


def figure(scene: Scene, theme: Theme = "light") -> Figure:
    """The scene as a figure of the same size, at 72 px to an inch."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    made = Figure(figsize=(scene.width / PX, scene.height / PX), dpi=PX)
    FigureCanvasAgg(made)
    made.set_facecolor(colour("canvas", theme))
    plot(scene, made.add_axes((0.0, 0.0, 1.0, 1.0)), theme)
    return made


def plot(scene: Scene, axes: Axes, theme: Theme = "light") -> Axes:
    """Draw the scene into axes, as large as they allow, and give them back.

    Lines and letters are as large as the picture is in these axes at this moment.
    """
    axes.set_axis_off()
    axes.set_xlim(scene.left, scene.left + scene.width)
    axes.set_ylim(scene.top + scene.height, scene.top)
    axes.set_aspect("equal")
    inch = axes.figure.dpi / PX
    scale = min(axes.bbox.width / inch / scene.width, axes.bbox.height / inch / scene.height)
    order = 0
    for group in scene.groups:
        for shape in group.shapes:
            order += 1
            _add(axes, shape, theme, order, scale)
    return axes


def _add(axes: Axes, shape: Shape, theme: Theme, order: int, scale: float) -> None:
    if isinstance(shape, Text):
        _write(axes, shape, theme, order, scale)
        return
    from matplotlib import patches, path

    style = STYLES[shape.style]
    look: dict[str, Any] = {
        "facecolor": colour(style.fill, theme) if style.fill else "none",
        "edgecolor": colour(style.stroke, theme) if style.stroke else "none",
        "linewidth": style.width * scale,
        "linestyle": (0, style.dash) if style.dash else "solid",
        "joinstyle": "round",
        "zorder": order,
    }
    if style.dash:
        look["capstyle"] = "butt"
    match shape:
        case Rect(x, y, w, h, r):
            box = f"round,pad=0,rounding_size={min(r, w / 2, h / 2)}"
            axes.add_patch(patches.FancyBboxPatch((x, y), w, h, boxstyle=box, **look))
        case Circle(x, y, r):
            axes.add_patch(patches.Circle((x, y), r, **look))
        case Path(steps, _, closed):
            codes, points = [], []
            for name, *numbers in steps:
                pairs = [
                    (float(a), float(b)) for a, b in zip(numbers[::2], numbers[1::2], strict=True)
                ]
                code = {"M": path.Path.MOVETO, "L": path.Path.LINETO, "Q": path.Path.CURVE3}[
                    str(name)
                ]
                points += pairs
                codes += [code] * len(pairs)
            if closed:
                points.append(points[0])
                codes.append(path.Path.CLOSEPOLY)
            axes.add_patch(patches.PathPatch(path.Path(points, codes), **look))


def _write(axes: Axes, text: Text, theme: Theme, order: int, scale: float) -> None:
    from matplotlib.patheffects import Normal, Stroke

    style = STYLES[text.style]
    effects = None
    if style.halo:
        effects = [Stroke(linewidth=3.5 * scale, foreground=colour(style.halo, theme)), Normal()]
    axes.text(
        text.x,
        text.y,
        text.content,
        ha={"start": "left", "middle": "center", "end": "right"}[text.anchor],
        va="baseline",
        fontsize=style.size * scale,
        # The weights that every family has; matplotlib complains about the others.
        fontweight="bold" if style.weight >= 600 else "normal",
        fontstyle="italic" if style.italic else "normal",
        fontfamily=list(_families()),
        color=colour(style.fill or "ink", theme),
        parse_math=False,
        path_effects=effects,
        zorder=order,
    )


@cache
def _families() -> tuple[str, ...]:
    """Our fonts that are installed, and the one that matplotlib brings along."""
    from matplotlib import font_manager

    installed = set(font_manager.get_font_names())
    return (*(font for font in FONTS if font in installed), "DejaVu Sans")
