"""What a fit leaves behind in a folder: parameters, history, a plot, the ledger and drawings.

Parameters are safetensors, a network's leaves by their paths (`w/0/weight`), so that anything can read them.
"""
from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import IO, Any, Iterator, Mapping

import numpy as np

from pullback.compiler.diagnostic import ArgumentError, Diagnostic

STAGES = ("source", "checked", "estimator")
WORDED = ("source", "checked", "criticize")


def write(folder: Path, fitted: Any) -> None:
    """Write everything; what can't be drawn or plotted on this machine is replaced by a text that says so."""
    from safetensors.numpy import save

    from pullback.backends.xla.checkpoint import reason
    from pullback.backends.xla.checkpoint import write as put
    try:
        folder.mkdir(parents=True, exist_ok=True)
        put(folder / "params.safetensors", save({name: np.asarray(a, order="C") for name, a in flat(fitted.params)
                                                 if not isinstance(a, str)}))
        if texts := getattr(fitted, "texts", None):
            put(folder / "texts.json", json.dumps(dict(texts), ensure_ascii=False, indent=1).encode())
            fitted.save(folder / "versions.html")
        with open(folder / "history.csv", "w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(fitted.history)
            rows.writerows(zip(*(array.tolist() for array in fitted.history.values())))
        objective = fitted.plan.function
        (folder / "ledger.txt").write_text(f"{objective.ledger}\n", encoding="utf-8")
        for stage in WORDED if texts else STAGES:
            drawn(objective.graph(stage), folder / f"{stage}.svg")
        try:
            fitted.plot().savefig(folder / "plot.png", dpi=150)
        except ImportError:
            (folder / "plot.txt").write_text("A plot needs matplotlib: pip install 'pullback[plot]'\n")
    except OSError as error:
        raise ArgumentError(Diagnostic("file", f"can't write into `{folder}`: {reason(error)}")) from None


def drawn(drawing: Any, path: Path) -> Path:
    """Save a drawing; where there is no Graphviz, the DOT text in its place.  The file that was written."""
    from pullback.backends.draw import NoRenderer
    try:
        return Path(drawing.save(path))
    except NoRenderer as missing:
        print(missing, file=sys.stderr)
        return path.with_suffix(".dot")


def show(fitted: Any, stream: IO[str]) -> None:
    """The result in a few lines: small parameters by value, large ones by shape."""
    print(f"objective  {fitted.objective:.6g}", file=stream)
    for name, value in flat(fitted.params):
        if isinstance(value, str):
            print(f"{name}  {json.dumps(value, ensure_ascii=False)}", file=stream)
            continue
        array = np.asarray(value)
        shown = np.array2string(array, precision=5, separator=", ", prefix=name + "  ") if array.size <= 20 else \
            f"{array.dtype}{list(array.shape)}"
        print(f"{name}  {shown}", file=stream)


def flat(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested dicts and sequences by their paths."""
    items = tree.items() if isinstance(tree, Mapping) else enumerate(tree) if isinstance(tree, list | tuple) else None
    if items is None:
        yield path, tree
        return
    for name, value in items:
        yield from flat(value, f"{path}/{name}" if path else str(name))


def nested(leaves: Mapping[str, Any]) -> dict[str, Any]:
    """Nested dicts from leaves by their paths."""
    tree: dict[str, Any] = {}
    for path, value in leaves.items():
        *outer, last = path.split("/")
        at = tree
        for name in outer:
            at = at.setdefault(name, {})
        at[last] = value
    return tree


def read_params(file: str) -> dict[str, Any]:
    """Parameters that `write` wrote."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file
    try:
        return nested(load_file(file))
    except (OSError, SafetensorError) as error:
        raise ArgumentError(Diagnostic("file", f"can't read the parameters `{file}`: {error}".lower())) from None
