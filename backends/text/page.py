"""The page of a fit over texts: each version of a text beside the one before, and the feedback that caused the change.

Everything that a model or a datum said is escaped; the page has no script and loads nothing.
"""
from __future__ import annotations

import difflib
import html
import re
from typing import Any

import numpy as np

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 74rem; padding: 0 1rem; color: #1c2430; background: #fff; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; } td, th { padding: .15rem .7rem; text-align: right; font-variant-numeric: tabular-nums; }
th { font-weight: 600; border-bottom: 1px solid #ccd3dc; } td:last-child, th:last-child { text-align: left; }
section { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; border-top: 1px solid #dfe4ea; padding: .8rem 0; }
pre { white-space: pre-wrap; font: 13px/1.5 ui-monospace, monospace; background: #f6f8fa; padding: .7rem; margin: 0; border-radius: 6px; }
ins { background: #d4f5dc; text-decoration: none; } del { background: #fbdcdc; text-decoration: line-through; }
.what { font-weight: 600; } .changed { color: #14783c; } .reverted, .stalled { color: #b3261e; } .kept, .satisfied { color: #66707d; }
.said { margin: .3rem 0; padding-left: .7rem; border-left: 3px solid #b9a3e3; white-space: pre-wrap; }
.where { color: #66707d; font-size: 12px; } svg { display: block; margin: 1rem 0; }
@media (prefers-color-scheme: dark) { body { background: #14181e; color: #dde3ea; } pre { background: #1d232b; }
  ins { background: #1f4d2e; } del { background: #5a2626; } section { border-color: #2b333d; } .changed { color: #6fd08c; } }
"""


def page(fitted: Any) -> str:
    """The whole page."""
    name = html.escape(fitted.plan.name)
    body = [f"<h1>{name}</h1>", f"<p>{html.escape(summary(fitted))}</p>", curve(fitted), table(fitted)]
    for text in fitted.texts:
        body.append(f"<h2>{html.escape(text)}</h2>")
        body += [version(fitted, text, at) for at in range(len(fitted.versions) - 1)]
        body.append(f"<section><div><div class=what>at the end</div></div><pre>{html.escape(fitted.texts[text])}</pre></section>")
    return f"<!doctype html><html lang=en><meta charset=utf-8><title>{name}</title><style>{STYLE}</style><body>{''.join(body)}</body></html>"


def summary(fitted: Any) -> str:
    account = fitted.account.total
    steps = len(fitted.history["step"])
    kept = f", {account.kept:,} replies kept from before" if account.kept else ""
    return f"{steps} of {fitted.plan.steps} steps, {account.calls:,} calls, {account.tokens:,} tokens{kept}."


def table(fitted: Any) -> str:
    names = [name for name in fitted.history if np.isfinite(np.asarray(fitted.history[name], float)).any()]
    head = "".join(f"<th>{name.replace('_', ' ')}</th>" for name in names) + "<th>what became of the texts</th>"
    rows = []
    for at in range(len(fitted.history["step"])):
        what = "; ".join(f"{report.name} {report.what}" for report in fitted.reports[at])
        rows.append("<tr>" + "".join(f"<td>{float(fitted.history[name][at]):.5g}</td>" for name in names)
                    + f"<td>{html.escape(what)}</td></tr>")
    return f"<table><tr>{head}</tr>{''.join(rows)}</table>"


def curve(fitted: Any, width: int = 640, height: int = 140) -> str:
    """The objective and what was validated, as a small picture."""
    lines = {name: np.asarray(fitted.history[name], float) for name in ("objective", "validate")}
    lines = {name: values for name, values in lines.items() if np.isfinite(values).sum() > 1}
    if not lines:
        return ""
    every = np.concatenate([values[np.isfinite(values)] for values in lines.values()])
    low, high = float(every.min()), float(every.max())
    span, count = high - low or 1.0, max(map(len, lines.values()))
    shapes = []
    for place, ((name, values), color) in enumerate(zip(lines.items(), ("#6b4fbb", "#14783c"))):
        points = " ".join(f"{40 + (width - 120) * at / max(count - 1, 1):.1f},{height - 20 - (height - 40) * (value - low) / span:.1f}"
                          for at, value in enumerate(values) if np.isfinite(value))
        shapes.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2"/>'
                      f'<text x="{width - 74}" y="{height - 40 + 18 * place}" font-size="12" fill="{color}">{name}</text>')
    scale = "".join(f'<text x="0" y="{y}" font-size="11" fill="#66707d">{value:.4g}</text>' for y, value in ((height - 16, low), (24, high)))
    return f'<svg width="{width}" height="{height}" role="img" aria-label="scores by step">{scale}{"".join(shapes)}</svg>'


def version(fitted: Any, name: str, at: int) -> str:
    """One step of a text: what was said of it, and what became of it."""
    before, after = fitted.versions[at][name], fitted.versions[at + 1][name]
    report = next((report for report in fitted.reports[at] if report.name == name), None)
    said = fitted.criticisms[at].get(name, ())
    what = f"<div class='what {report.what if report else ''}'>step {at}: {html.escape(report.what if report else 'not rewritten')}</div>"
    why = f"<div class=where>{html.escape(report.why)}</div>" if report and report.why else ""
    shown = "".join(f"<div class=said>{html.escape(item.text)}<div class=where>{html.escape(place(item))}</div></div>" for item in said)
    return f"<section><div>{what}{why}{shown or '<div class=where>nothing was said of it</div>'}</div><pre>{difference(before, after)}</pre></section>"


def place(item: Any) -> str:
    """Where a criticism came from, and how heavy it is."""
    score = f", score {item.score:.4g}" if item.score is not None else ""
    return f"{' '.join(map(str, item.source))}, weight {item.weight:.3g}{score}"


def difference(before: str, after: str) -> str:
    """The words of the new text, those that were taken out and put in marked."""
    a, b = re.findall(r"\s+|\S+", before), re.findall(r"\s+|\S+", after)
    parts = []
    for tag, i, j, k, m in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        old, new = html.escape("".join(a[i:j])), html.escape("".join(b[k:m]))
        if tag == "equal":
            parts.append(new)
        else:
            parts.append((f"<del>{old}</del>" if old else "") + (f"<ins>{new}</ins>" if new else ""))
    return "".join(parts)
