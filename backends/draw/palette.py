"""The colors of all drawings, each once, in a light and a dark theme.

Pictures are drawn with the light hexes.  No two names share a hex, so a theme is a replacement of hexes: in DOT text
for a file in the dark theme, in CSS (`[fill="#0072b2"] { fill: var(--value) }`) for an SVG that follows its reader.
Hues are never alone: line styles repeat them.
"""
from __future__ import annotations

import re

FONT = "Helvetica,Arial,sans-serif"
MONO = "Courier New,Courier,monospace"

LIGHT = {
    "ink": "#1f2933", "quiet": "#5b6773", "line": "#8793a1",
    "value": "#0072b2", "value-tint": "#e1effa",
    "weight": "#b34300", "weight-tint": "#fde8d9",
    "words": "#7300e6", "words-tint": "#f1e8fd",
    "background": "#ffffff", "region": "#fafbfc", "box": "#f4f6f8", "data": "#d9e0e7", "on-badge": "#fffffe",
}
DARK = {
    "ink": "#e8edf2", "quiet": "#a3afbb", "line": "#75828f",
    "value": "#7cc8ff", "value-tint": "#12344c",
    "weight": "#ff9a57", "weight-tint": "#4a2610",
    "words": "#a96bff", "words-tint": "#2c1f45",
    "background": "#14181d", "region": "#191e24", "box": "#20262d", "data": "#3b4652", "on-badge": "#0e1216",
}
_HEX = re.compile("|".join(LIGHT.values()))


def color(name: str) -> str:
    """The hex that drawings are made with."""
    return LIGHT[name]


def themed(text: str, theme: str) -> str:
    """DOT or SVG text in another theme (`light`, `dark`)."""
    if theme == "light":
        return text
    if theme != "dark":
        raise ValueError(f"there is no theme {theme!r}: light, dark")
    there = {hex: DARK[name] for name, hex in LIGHT.items()}
    return _HEX.sub(lambda found: there[found.group()], text)


def variables(theme: dict[str, str]) -> str:
    return "".join(f"--{name}:{hex};" for name, hex in theme.items())


def css(scope: str = "svg.pullback", page: bool = False) -> str:
    """Rules that recolor every shape and text inside `scope` by the reader's theme.

    In a page, `data-theme` on its root wins over what the system says.
    """
    recolor = "".join(
        f'{scope} [{what}="{hex}"]{{{what}:var(--{name})}}' for name, hex in LIGHT.items() for what in ("fill", "stroke"))
    root = ":root" if page else scope
    light, dark = variables(LIGHT), variables(DARK)
    chosen = f":root[data-theme=dark]{{{dark}}}:root[data-theme=light]{{{light}}}" if page else ""
    return f"{root}{{{light}}}@media(prefers-color-scheme:dark){{{root}{{{dark}}}}}{chosen}{recolor}"
