"""Floor 6: pictures of nets. `draw(net)` shows itself in a notebook and saves as SVG, PNG, PDF.

    net ──diagram──▶ what is drawn ──layout──▶ where ──compose──▶ scene ──▶ svg | matplotlib

The widget shows the SVG and asks Python for what is clicked (`play`, `view`).

One scene serves all renderers, so that a picture looks alike in a notebook, in a paper and on a
page.
"""

from __future__ import annotations

from petriflow.drawing.drawing import Drawing, draw
from petriflow.drawing.notebook import play, view
from petriflow.drawing.overlay import Overlay
from petriflow.drawing.states import draw_states

__all__ = ["Drawing", "Overlay", "draw", "draw_states", "play", "view"]
