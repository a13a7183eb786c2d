"""How each kind of node looks: Graphviz attributes and the table in its label.

Color and line say how the derivative comes back, shape says what a box is, ink says whether to trust it.
"""
from __future__ import annotations

from typing import Callable

from pullback.backends.draw.labels import CRITICISM, NAME, SECOND, cell, centered, clip, font, row, table, tip, wrap
from pullback.backends.draw.palette import MONO, color
from pullback.backends.draw.scene import Badge, Chip, Node

Attributes = dict[str, str]
LISTING = 100  # characters of a line of source


def badge_cells(badge: Badge) -> list[str]:
    """Filled: written in the program; outlined: chosen by `auto`.  A word in ink follows where all is not sound."""
    hue = color("quiet" if badge.tint == "quiet" else badge.tint)
    text = clip(badge.text, SECOND)
    if badge.outlined:
        cells = [cell(font(text, badge.tint, 10), BORDER=1, COLOR=hue, BGCOLOR=color("background"), STYLE="ROUNDED")]
    else:
        cells = [cell(font(text, "on-badge", 10), BORDER=1, COLOR=hue, BGCOLOR=hue, STYLE="ROUNDED")]
    if badge.word:
        ink, paper = ("on-badge", "ink") if badge.loud else ("ink", "background")
        cells.append(cell(font(badge.word, ink, 10), BORDER=1, COLOR=color("ink"), BGCOLOR=color(paper)))
    return cells


def chip_cell(chip: Chip) -> str:
    hue, ink = ("weight", "weight") if chip.opened else ("line", "quiet")
    return cell(font(clip(chip.text, 12), ink, 9), BORDER=1, COLOR=color(hue), BGCOLOR=color("background"), STYLE="ROUNDED")


def label(*rows: str) -> str:
    return f"<{table(*(row(cell(one)) for one in rows if one), padding=1)}>"


def small_row(node: Node) -> str:
    cells = [*(badge_cells(node.badge) if node.badge else ()), *map(chip_cell, node.chips)]
    return centered(cells) if cells else ""


def second(node: Node) -> str:
    return font(clip(node.second, SECOND), "quiet", 10.5) if node.second else ""


def third(node: Node) -> str:
    return font(clip(node.third, SECOND), "quiet", 9.5, italic=node.shape != "choice") if node.third else ""


def choice(node: Node) -> Attributes:
    given = node.shape == "given"
    fill = color("data" if given else f"{node.tint}-tint" if node.tint in ("value", "weight", "words") else "background")
    pen = color(node.tint if node.tint in ("value", "weight", "words") and not given else "line")
    return {"shape": "ellipse", "style": "filled", "fillcolor": fill, "color": pen, "margin": "0", "penwidth": "1.4",
            "label": label(font(clip(node.name, NAME), bold=True, size=13), second(node), third(node), small_row(node))}


def box(node: Node) -> Attributes:
    tinted = node.tint in ("value", "weight", "words")
    rows = [font(clip(node.name, SECOND), size=12.5), second(node), third(node), small_row(node)]
    return {"shape": "box", "style": "filled", "fillcolor": color(f"{node.tint}-tint" if tinted else "box"),
            "color": color(node.tint if tinted else "line"), "penwidth": "1.4" if tinted else "1", "margin": "0.09,0.04",
            "height": "0.3", "width": "0.4", "label": label(*rows)}


def fold(node: Node) -> Attributes:
    return {**box(node), "peripheries": "2"}


def parameter(node: Node) -> Attributes:
    hue = color(node.tint or "value")
    words = font(clip(node.name, NAME), "on-badge", 13, bold=True)
    if node.second:
        words += font(" ", "on-badge", 10) + font(clip(node.second, SECOND), "on-badge", 10)
    return {"shape": "box", "style": "rounded,filled", "fillcolor": hue, "color": hue, "margin": "0.11,0.05", "height": "0.3",
            "width": "0.3", "label": f"<{words}>"}


def data(node: Node) -> Attributes:
    words = font(clip(node.name, NAME), size=12.5)
    if node.second:
        words += font(" ") + font(clip(node.second, SECOND), "quiet", 10)
    return {"shape": "note", "style": "filled", "fillcolor": color("data"), "color": color("data"), "margin": "0.11,0.05",
            "height": "0.3", "width": "0.3", "label": f"<{words}>"}


def carry(node: Node) -> Attributes:
    tinted = node.tint in ("value", "weight")
    return {"shape": "box", "style": "rounded,filled,dashed", "color": color(node.tint if tinted else "ink"), "penwidth": "1.2",
            "fillcolor": color(f"{node.tint}-tint" if tinted else "background"), "margin": "0.1,0.04", "height": "0.3",
            "width": "0.3", "label": label(font(clip(node.name, NAME), size=12.5), small_row(node))}


def term(node: Node) -> Attributes:
    """A white row with a border of ink: the cost, then an orange cell for each weight."""
    cells = []
    for one in node.cells:
        if one.tint:
            cells.append(cell(font(clip(one.text, NAME), one.tint, 12.5), PORT=one.port, BGCOLOR=color(f"{one.tint}-tint")))
        else:
            cells.append(cell(font(clip(one.text, SECOND), size=12.5), PORT=one.port, BGCOLOR=color("background")))
    return {"shape": "plain", "label": f"<{table(row(*cells), border=1, padding=5, COLOR=color('ink'))}>"}


def junction(node: Node) -> Attributes:
    """A funnel: narrow where one thing comes out."""
    words = [cell(font(clip(node.name, NAME), bold=True, size=12.5))]
    if node.second:
        words.append(cell(font(clip(node.second, SECOND), "quiet", 10.5)))
    if node.badge:
        words += badge_cells(node.badge)
    elif node.third:
        words.append(cell(font(clip(node.third, SECOND), "quiet", 9.5)))
    inner = table(row(*words), spacing=2, padding=2)
    narrow = "-0.18" if node.shape == "copy" else "0.18" if len(words) < 3 else "0.1"
    return {"shape": "polygon", "sides": "4", "distortion": narrow, "style": "filled", "fillcolor": color("background"), "color": color("ink"), "penwidth": "1.3", "margin": "0.02,0",
            "label": f"<{inner}>"}


def plus(node: Node) -> Attributes:
    return {"shape": "circle", "style": "filled", "fillcolor": color("background"), "color": color("ink"), "penwidth": "1.3",
            "fixedsize": "true", "width": "0.28", "label": f"<{font('+', size=13)}>"}


def objective(node: Node) -> Attributes:
    rows = [font(clip(node.name, NAME), bold=True, size=13), second(node)]
    return {"shape": "box", "style": "filled", "fillcolor": color("background"), "color": color("ink"), "penwidth": "2.4",
            "margin": "0.09,0.04", "height": "0.3", "width": "0.4", "label": label(*rows)}


def select(node: Node) -> Attributes:
    words = label(font(clip(node.name, NAME), size=11), small_row(node))
    return {"shape": "diamond", "style": "filled", "fillcolor": color("box"), "color": color("line"), "margin": "0",
            "label": words}


def note(node: Node) -> Attributes:
    """A criticism, in quotes, on its line."""
    lines = wrap(f"“{node.name}”", CRITICISM, 2)
    return {"shape": "note", "style": "filled", "fillcolor": color("words-tint"), "color": color("words"), "penwidth": "1.2",
            "margin": "0.08,0.04", "height": "0.25", "label": label(*(font(line, size=10.5, italic=True) for line in lines))}


def plate_choice(node: Node) -> Attributes:
    """Circles of one size, as in the books."""
    given = node.shape == "plate-given"
    return {"shape": "circle", "style": "filled", "fillcolor": color("data" if given else "background"),
            "color": color("ink"), "penwidth": "1.2", "fixedsize": "true", "width": "0.68",
            "label": f"<{font(clip(node.name, 10), size=12 if len(node.name) < 6 else 10 if len(node.name) < 8 else 8)}>"}


def text(node: Node) -> Attributes:
    return {"shape": "plaintext", "margin": "0.02", "height": "0.2", "width": "0.2",
            "label": f"<{font(clip(node.name, NAME), size=12)}>"}


def listing(node: Node) -> Attributes:
    """A program's text: number, line, and in the margin the rules of what is chosen there."""
    rows = []
    for one in node.cells:
        words = "\N{NO-BREAK SPACE}" * (len(one.text) - len(one.text.lstrip())) + clip(one.text.strip(), LISTING)
        badges = table(row(*(part for badge in one.badges for part in badge_cells(badge))), spacing=1) if one.badges else ""
        number = one.port.rpartition("-")[2]
        rows.append(row(cell(font(number + "\N{NO-BREAK SPACE}" * 2, "line", 11, face=MONO), ALIGN="RIGHT"),
                        cell(font(words, "ink", 12, face=MONO), ALIGN="LEFT", ID=f"source-{one.port}", TITLE=tip([one.text])),
                        cell(badges)))
    return {"shape": "plain", "label": f"<{table(*rows, padding=1)}>"}


LOOKS: dict[str, Callable[[Node], Attributes]] = {
    "choice": choice, "given": choice, "box": box, "parameter": parameter, "data": data, "carry": carry, "term": term,
    "junction": junction, "copy": junction, "plus": plus, "objective": objective, "fold": fold, "select": select, "note": note,
    "plate-choice": plate_choice, "plate-given": plate_choice, "text": text,
    "listing": listing}

LINES: dict[str, Attributes] = {
    "value": {"color": color("value"), "penwidth": "2"},
    "probability": {"color": color("weight"), "style": "dashed", "penwidth": "2"},
    "weight": {"color": color("weight"), "style": "dashed", "penwidth": "2", "arrowhead": "diamond"},
    "idle": {"color": color("line"), "style": "dashed", "arrowhead": "diamond"},
    "both": {"color": f"{color('value')}:{color('weight')}", "penwidth": "1.8"},
    "plain": {"color": color("line")},
    "stopped": {"color": color("quiet"), "dir": "both", "arrowtail": "tee"},
    "given": {"color": color("line"), "style": "dotted", "penwidth": "1.4", "arrowhead": "empty"},
    "criticism": {"color": color("words"), "style": "dashed", "penwidth": "2"},
}
LEGEND = {
    "value": ("━━", "value", "derivative through the value"),
    "probability": ("╍╍╍", "weight", "derivative through a probability"),
    "weight": ("◆", "weight", "weight of a term"), "both": ("", "", ""), "stopped": ("├─", "quiet", "stopped"),
    "given": ("┈┈▷", "line", "given"), "criticism": ("╍╍▲", "words", "criticism, flows back"),
    "plain": ("──", "line", "no derivative"),
}
REGIONS: dict[str, Attributes] = {
    "plate": {"style": "rounded,filled", "color": color("line"), "penwidth": "1", "fillcolor": color("region")},
    "particles": {"style": "rounded,filled", "color": color("line"), "penwidth": "1", "fillcolor": color("region")},
    "scan": {"style": "rounded,filled", "color": color("line"), "penwidth": "2.4", "fillcolor": color("region")},
    "branch": {"style": "rounded,dashed", "color": color("line"), "penwidth": "1"},
    "side": {"style": "rounded,filled", "color": color("line"), "penwidth": "0.6", "fillcolor": color("region")},
    "callee": {"style": "rounded,filled", "color": color("line"), "penwidth": "0.5", "fillcolor": color("region")},
    "marginal": {"style": "rounded,filled,dashed", "color": color("line"), "penwidth": "1.4", "fillcolor": color("region")},
}
