"""Graphviz's SVG made fit for pages: one root class, both themes by CSS, labels for those who don't see it.

Files keep `box-12` as the `<title>` of a node; in a page the tooltip's words take its place.
"""
from __future__ import annotations

import re
from xml.etree import ElementTree

from pullback.backends.draw.labels import printable
from pullback.backends.draw.palette import css, themed

SVG, LINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
HOVER = "svg.pullback .node:hover,svg.pullback .edge:hover{opacity:.75}"


def finished(svg: str, theme: str = "auto", page: bool = False, name: str = "") -> str:
    """The SVG with a class, a style and labels.  theme: `auto` follows the reader; `light` and `dark` are fixed."""
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", LINK)
    text = re.sub(r"^.*?(?=<svg)", "", svg, count=1, flags=re.DOTALL)
    root = ElementTree.fromstring(re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL))
    root.set("class", "pullback")
    root.set("role", "group" if page else "img")
    root.set("aria-label", printable(name))
    if page:  # never smaller than 0.7: below, the badges can't be read; the page scrolls
        width = float(root.get("width", "0pt").removesuffix("pt"))
        root.set("style", f"width:min(100%,{width:g}pt);min-width:{0.7 * width:g}pt;height:auto")
    for group in root.iter(f"{{{SVG}}}g"):
        if group.get("id", "").startswith("a_"):
            anchored(group)
        elif group.get("class", "").split(" ")[0] in ("node", "edge", "cluster"):
            labeled(group, page)
    if theme == "auto" and not page:
        style = ElementTree.Element(f"{{{SVG}}}style")
        style.text = css() + HOVER
        root.insert(0, style)
    body = ElementTree.tostring(root, encoding="unicode")
    return body if theme in ("auto", "light") else themed(body, theme)


def anchored(group: ElementTree.Element) -> None:
    """The group that Graphviz puts around a link: the cells of a source are anchors, others need no id."""
    found = re.fullmatch(r"a_(.*-)?line-(\d+)", group.get("id", ""))
    if found:
        group.set("id", group.get("id", "")[2:])
        group.set("class", f"source line-{found[2]}")
    else:
        del group.attrib["id"]


def labeled(group: ElementTree.Element, page: bool) -> None:
    title = group.find(f"{{{SVG}}}title")
    words = next((link.get(f"{{{LINK}}}title", "") for link in group.iter(f"{{{SVG}}}a")), "")
    for link in group.iter(f"{{{SVG}}}a"):
        if link.get(f"{{{LINK}}}href") is None and page:
            link.attrib.pop(f"{{{LINK}}}title", None)
    if page and title is not None:
        title.text = words or title.text
        group.set("role", "img")
        group.set("aria-label", words.replace("\n", "; "))
        if group.get("class", "").startswith("node"):
            group.set("tabindex", "0")
