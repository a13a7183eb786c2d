"""All stages on one page, in one file: the source at the left, pictures at the right, linked line by line by class.

Pointing at a line of the source lights what came of it in every picture (`.line-4`), and the other way round.  A folded
box opens by a click.  Nothing is loaded from elsewhere; colors follow the reader's theme.
"""
from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Mapping

from pullback.backends.draw.labels import printable
from pullback.backends.draw.palette import css
from pullback.backends.draw.render import INSTALL, NoRenderer
from pullback.backends.draw.scene import Badge, Node
from pullback.compiler.source import Source

if TYPE_CHECKING:
    from pullback.backends.draw.drawing import Drawing

VARIANTS = 12  # openings of folds that a page holds for one picture

STYLE = """
*{box-sizing:border-box}
body{margin:0;background:var(--background);color:var(--ink);font:15px/1.5 Helvetica,Arial,sans-serif}
header{padding:.9rem 1.2rem .4rem;display:flex;gap:1rem;align-items:baseline;flex-wrap:wrap}
h1{font-size:1.15rem;margin:0}h2{font-size:.95rem;margin:0}
header span,summary small{color:var(--quiet)}
button{font:inherit;font-size:.85rem;color:var(--ink);background:var(--box);border:1px solid var(--line);border-radius:.4rem;
padding:.1rem .6rem;cursor:pointer}
main{display:flex;gap:1rem;align-items:flex-start;padding:.4rem 1.2rem 2rem}
nav{position:sticky;top:.6rem;flex:0 0 auto;max-width:44%;max-height:calc(100vh - 1.2rem);overflow:auto;
border:1px solid var(--line);border-radius:.5rem;background:var(--region)}
nav ol{margin:0;padding:.5rem 0;list-style:none;font:13px/1.55 Courier New,Courier,monospace;width:max-content;min-width:100%}
nav li{display:flex;gap:.7rem;padding:0 .8rem;white-space:pre;scroll-margin:3rem}
nav li i{color:var(--line);font-style:normal;min-width:2ch;text-align:right}
nav li b{font:11px/1.5 Helvetica,Arial,sans-serif;margin-left:auto;display:flex;gap:.2rem;align-self:center}
.badge{border:1px solid;border-radius:.45rem;padding:0 .4rem}
.badge.value{color:var(--value)}.badge.weight{color:var(--weight)}
.badge.words{color:var(--words)}.badge.quiet{color:var(--quiet)}
.badge.filled{color:var(--on-badge);border-color:transparent}
.badge.filled.value{background:var(--value)}.badge.filled.weight{background:var(--weight)}
.badge.filled.words{background:var(--words)}.badge.filled.quiet{background:var(--quiet)}
.badge.word{border-radius:0;color:var(--ink)}.badge.biased{background:var(--ink);color:var(--background)}
section{flex:1 1 auto;min-width:0}
details{border:1px solid var(--line);border-radius:.5rem;margin-bottom:1rem;overflow:hidden}
summary{padding:.4rem .8rem;background:var(--region);cursor:pointer;display:flex;gap:1rem;align-items:baseline}
.picture{overflow:auto;padding:.4rem}
.picture svg{display:block}
pre{margin:0;padding:.6rem .8rem;overflow:auto;font:12px/1.45 Courier New,Courier,monospace}
li.hot,pre .hot{background:var(--data)}
.hot>polygon,.hot>ellipse,.hot>path,.hot>g>a>polygon,.hot>g>a>ellipse,.hot>g>a>path{stroke-width:3.2}
svg.lit .node:not(.hot){opacity:.45}
.node,.edge,.cluster{transition:opacity .12s}
.fold{cursor:zoom-in}
.node:focus-visible{outline:2px solid var(--value);outline-offset:3px}
@media(max-width:60rem){main{flex-direction:column}nav{position:static;max-width:100%;max-height:24rem}}
"""
SCRIPT = """
const lines=e=>[...e.classList].filter(c=>/^line-\\d+$/.test(c));
function light(names){
 document.querySelectorAll('.hot').forEach(e=>e.classList.remove('hot'));
 document.querySelectorAll('svg.lit').forEach(e=>e.classList.remove('lit'));
 for(const name of names)document.querySelectorAll('.'+name).forEach(e=>{
  if(e.classList.contains('cluster'))return;
  e.classList.add('hot');const s=e.closest('svg');if(s)s.classList.add('lit')})}
let pinned=null;
const target=e=>e.target.closest('[class*="line-"]');
document.addEventListener('mouseover',e=>{if(!pinned){const t=target(e);light(t?lines(t):[])}});
document.addEventListener('focusin',e=>{const t=target(e);if(t)light(lines(t))});
function swap(box,key){const t=[...box.querySelectorAll('template')].find(t=>t.dataset.key===key);
 if(t){box.querySelector('.shown').innerHTML=t.innerHTML;return true}return false}
document.addEventListener('click',e=>{
 const b=e.target.closest('button[data-key]');
 if(b){e.preventDefault();swap(b.closest('details').querySelector('.picture'),b.dataset.key);return}
 const f=e.target.closest('.fold');
 if(f&&swap(f.closest('.picture'),f.id))return;
 const t=target(e);pinned=t&&t!==pinned?t:null;light(pinned?lines(pinned):[])});
document.addEventListener('keydown',e=>{if(e.key==='Enter'&&e.target.closest('.fold'))e.target.dispatchEvent(
 new MouseEvent('click',{bubbles:true}));if(e.key==='Escape'){pinned=null;light([])}});
document.getElementById('theme').onclick=()=>{const r=document.documentElement,
 dark=r.dataset.theme?r.dataset.theme==='dark':matchMedia('(prefers-color-scheme:dark)').matches;
 r.dataset.theme=dark?'light':'dark'};
"""


def said(text: str) -> str:
    """Text of a program in HTML."""
    return html.escape(printable(text))


def page(drawings: Mapping[str, Drawing], source: Source | None = None, title: str = "") -> str:
    """A page of these stages.  `source` is shown beside them; without it, the `source` stage's text if there is one."""
    title = title or next((drawing.name for drawing in drawings.values() if drawing.stage != "source"), "program")
    listed = drawings.get("source")
    pictures = [stage(drawing) for drawing in drawings.values() if drawing.stage != "source"]
    beside = listing(listed.scene.nodes[0]) if listed is not None else plain(source) if source is not None else ""
    words = next((drawing.scene.words[:1] for drawing in drawings.values() if drawing.scene.words), [])
    return (f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            f"<title>{said(title)}</title><style>{css(page=True)}{STYLE}</style></head>\n<body><header>"
            f"<h1>{said(title)}</h1><span>{said(' '.join(words))}</span>"
            f'<button id="theme" type="button">light / dark</button></header>\n'
            f"<main>{beside}<section>{''.join(pictures)}</section></main>\n<script>{SCRIPT}</script></body></html>\n")


def stage(drawing: Drawing) -> str:
    """One picture, with its folds opened beside it, hidden until asked for."""
    name = said(drawing.stage)
    words = said("   ".join(drawing.scene.words))
    try:
        shown = drawing.svg(page=True)
    except NoRenderer:
        return (f"<details open><summary><h2>{name}</h2></summary><p>{said(INSTALL)}</p>"
                f"<pre>{said(drawing.dot)}</pre></details>")
    templates, buttons = [], []
    if drawing.folds:
        prefix = re.sub(r"[^\w-]", "-", drawing.stage)
        templates.append(template("as-drawn", shown))
        templates += [template(f"{prefix}-{fold}", drawing.open(fold).svg(page=True)) for fold in drawing.folds[:VARIANTS]]
        templates.append(template("all", drawing.open().svg(page=True)))
        buttons = ['<button type="button" data-key="as-drawn">folded</button>',
                   '<button type="button" data-key="all">all open</button>']
    equations = opened(drawing) if drawing.stage == "jaxpr" else ""
    return (f'<details open><summary><h2>{name}</h2><small>{words}</small>{"".join(buttons)}</summary><div class="picture">'
            f'<div class="shown">{shown}</div>{"".join(templates)}</div>{equations}</details>\n')


def template(key: str, svg: str) -> str:
    return f'<template data-key="{said(key)}">{svg}</template>'


def opened(drawing: Drawing) -> str:
    """The equations of a JAX program as text, box by box."""
    rows = [f"<details><summary>{said(node.name)} <small>{said(node.second)}</small></summary>"
            f"<pre>{said(chr(10).join(node.tip))}</pre></details>"
            for node in drawing.scene.nodes if node.shape == "fold"]
    return "".join(rows)


def listing(node: Node) -> str:
    """The lines of a source with their badges."""
    rows = [line(int(one.port.rpartition("-")[2]), one.text, one.badges) for one in node.cells]
    return f"<nav><ol>{''.join(rows)}</ol></nav>"


def plain(source: Source) -> str:
    rows = [line(number, text) for number, text in enumerate(source.text.rstrip("\n").split("\n"), 1)]
    return f"<nav><ol>{''.join(rows)}</ol></nav>"


def line(number: int, text: str, badges: tuple[Badge, ...] = ()) -> str:
    shown = "".join(badge(one) for one in badges)
    return (f'<li id="line-{number}" class="line-{number}"><i>{number}</i><span>{said(text)}</span>'
            f"{f'<b>{shown}</b>' if shown else ''}</li>")


def badge(one: Badge) -> str:
    filled = "" if one.outlined else " filled"
    word = f'<span class="badge word {said(one.word)}">{said(one.word)}</span>' if one.word else ""
    return f'<span class="badge {one.tint}{filled}">{said(one.text)}</span>{word}'
