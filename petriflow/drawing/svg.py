"""A scene as SVG, without any other library.

Colours are CSS variables that follow JupyterLab's theme, else the reader's system. Their names and
all rules carry a prefix made from the scene's content, so that several pictures on one page do not
touch each other. Each rule gives the light colour first and the variable second: a converter that
knows no variables keeps the first.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator
from typing import Literal
from xml.sax.saxutils import escape

from petriflow.drawing.scene import Circle, Group, Path, Rect, Scene, Shape, Text
from petriflow.drawing.style import COLOURS, FONTS, STYLES, Style, Theme, colour
from petriflow.drawing.text import clean, valid

#: A page may shrink a picture this far: labels of 12 px are then 9 px high.
SMALLEST = 0.75


def svg(scene: Scene, theme: Literal["auto", "light", "dark"] = "auto") -> str:
    """The scene as one SVG element, the same for the same scene.

    Args:
        scene: what to draw.
        theme: `auto` follows the page or the system, the others are fixed.
    """
    box = f"{scene.left} {scene.top} {scene.width} {scene.height}"
    # Narrower than this, texts could not be read; the page scrolls instead.
    least = math.floor(scene.width * SMALLEST)
    body = "".join(_group(group) for group in scene.groups if group.shapes)
    prefix = "pf" + hashlib.sha256(f"{theme}{box}{scene.title}{body}".encode()).hexdigest()[:10]
    used = {shape.style for group in scene.groups for shape in group.shapes} | {"canvas"}
    ground = f'<rect class="canvas" x="{scene.left}" y="{scene.top}" width="100%" height="100%"/>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="{prefix}" viewBox="{box}" '
        f'width="{scene.width}" height="{scene.height}" role="img" '
        f'aria-labelledby="{prefix}-t {prefix}-d" '
        f'style="max-width:100%;min-width:{least}px;height:auto">'
        f'<title id="{prefix}-t">{escape(scene.title)}</title>'
        f'<desc id="{prefix}-d">{escape(scene.summary)}</desc>'
        f"<style>{''.join(_css(prefix, used, theme))}</style>{ground}{body}</svg>\n"
    )


def _css(prefix: str, used: Iterable[str], theme: str) -> Iterator[str]:
    """The rules for the styles that the scene uses, and the colours that they need."""
    me = f".{prefix}"
    fonts = ",".join(f"'{font}'" if " " in font else font for font in FONTS)
    yield f"{me} text{{font-family:{fonts}}}"
    yield f"{me} path{{stroke-linejoin:round}}"
    styles = {name: STYLES[name] for name in sorted(used)}
    fixed: Theme = "dark" if theme == "dark" else "light"
    for name, style in styles.items():
        yield f"{me} .{name}{{{_declarations(style, fixed, theme == 'auto')}}}"
        if style.halo:
            said = _paint("stroke", style.halo, fixed, theme == "auto")
            yield f"{me} .{name}.halo{{{said};stroke-width:3.5;stroke-linejoin:round}}"
    if theme == "auto":
        named = {c for s in styles.values() for c in (s.fill, s.stroke, s.halo) if c}
        light, dark = (_variables(sorted(named), t) for t in ("light", "dark"))
        yield f"{me}{{{light}}}"
        yield f"@media (prefers-color-scheme:dark){{{me}{{{dark}}}}}"
        yield f'[data-jp-theme-light="true"] {me}{{{light}}}'
        yield f'[data-jp-theme-light="false"] {me}{{{dark}}}'


def _variables(names: Iterable[str], theme: Theme) -> str:
    return ";".join(f"--{name}:{colour(name, theme)}" for name in names)


def _declarations(style: Style, fixed: Theme, variable: bool) -> str:
    parts = [_paint("fill", style.fill, fixed, variable)]
    if style.stroke:
        parts += [_paint("stroke", style.stroke, fixed, variable), f"stroke-width:{style.width:g}"]
    if style.dash:
        parts.append(f"stroke-dasharray:{' '.join(f'{d:g}' for d in style.dash)}")
    if style.size:
        parts.append(f"font-size:{style.size:g}px;font-weight:{style.weight}")
        if style.italic:
            parts.append("font-style:italic")
    return ";".join(parts)


def _paint(what: str, name: str | None, fixed: Theme, variable: bool) -> str:
    if name is None:
        return f"{what}:none"
    assert name in COLOURS
    plain = f"{what}:{colour(name, fixed)}"
    return f"{plain};{what}:var(--{name})" if variable else plain


def _group(group: Group) -> str:
    shapes = "".join(_shape(shape) for shape in group.shapes)
    title = f"<title>{escape(clean(group.title))}</title>" if group.title else ""
    # Classes of groups look unlike those of styles, whose rules would reach the shapes inside.
    names = " ".join((f"pf-{group.kind}", *(f"is-{mark}" for mark in group.marks)))
    id = f' data-id="{_attribute(group.id)}"' if group.id else ""
    return f'<g class="{names}"{id}>{title}{shapes}</g>'


def _attribute(value: str) -> str:
    """A value for an attribute: as it is, but for what XML cannot hold at all."""
    return escape(valid(value), {'"': "&quot;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


def _shape(shape: Shape) -> str:
    match shape:
        case Rect(x, y, w, h, r, style):
            place = f'x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" rx="{r:g}"'
            return f'<rect class="{style}" {place}/>'
        case Circle(x, y, r, style):
            return f'<circle class="{style}" cx="{x:g}" cy="{y:g}" r="{r:g}"/>'
        case Path(steps, style, closed):
            way = "".join(_step(step) for step in steps) + ("Z" if closed else "")
            return f'<path class="{style}" d="{way}"/>'
        case Text(x, y, content, _, style, anchor):
            place = f'x="{x:g}" y="{y:g}" text-anchor="{anchor}"'
            words = escape(content)
            # A stroked copy beneath: `paint-order` is ignored by some converters.
            halo = f'<text class="{style} halo" {place} aria-hidden="true">{words}</text>'
            return (
                halo if STYLES[style].halo else ""
            ) + f'<text class="{style}" {place}>{words}</text>'


def _step(step: tuple[str | float, ...]) -> str:
    name, *numbers = step
    return f"{name}{' '.join(f'{float(number):g}' for number in numbers)}"
