"""Every stage of a program as a picture.

    draw(graph, "estimator")              a Drawing: SVG in notebooks, .save("x.svg"), .dot
    draw(stages, "estimator")             the same, from the graphs of all passes
    page(drawings, source)                all stages on one page, linked line by line

Color and line say how the derivative comes back, shape says what a box is, ink says whether to trust it.
"""
from __future__ import annotations

from pullback.backends.draw.criticism import Remark
from pullback.backends.draw.drawing import Drawing
from pullback.backends.draw.html import page
from pullback.backends.draw.render import NoRenderer
from pullback.backends.draw.stages import STAGES, draw, draw_jaxpr, draw_plates

__all__ = ["Drawing", "NoRenderer", "Remark", "STAGES", "draw", "draw_jaxpr", "draw_plates", "page"]
