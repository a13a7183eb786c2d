"""What a fit over texts gives back: texts and numbers, every version of a text, and what was said of it."""
from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Mapping

import numpy as np

from pullback.compiler.criticism import Criticism, criticism
from pullback.compiler.revision import Report


@dataclass(frozen=True)
class Revised:
    """The result of a run.

    texts, params: the texts under `over`, and all names under it.   history: `step objective gradient_norm validate criticisms
    characters seconds calls tokens`, one entry a step.   versions: the texts before the first step and after each.
    """

    plan: Any = field(repr=False)
    texts: Mapping[str, str]
    params: Mapping[str, Any] = field(repr=False)
    history: Mapping[str, np.ndarray] = field(repr=False)
    versions: tuple[Mapping[str, str], ...] = field(repr=False)
    _reports: tuple = field(repr=False)
    _criticisms: tuple = field(repr=False)
    state: Any = field(repr=False)

    @property
    def reports(self) -> tuple[tuple[Report, ...], ...]:
        """What each step did to each text, and why."""
        return tuple(tuple(Report(**report) for report in reports) for reports in self._reports)

    @property
    def criticisms(self) -> tuple[Mapping[str, tuple[Criticism, ...]], ...]:
        """What was said of each text at each step."""
        return tuple({name: tuple(map(criticism, said)) for name, said in step.items()} for step in self._criticisms)

    @property
    def objective(self) -> float:
        """The objective at the last step, before its rewrite."""
        return float(self.history["objective"][-1]) if len(self.history["objective"]) else float("nan")

    @property
    def account(self) -> Any:
        """What the run's engines have spent, by role."""
        return self.plan.roles.account

    def __repr__(self) -> str:
        score = "" if self.plan.worded else f", objective {self.objective:.6g}"
        return f"<{self.plan.name}: {len(self.history['step'])} of {self.plan.steps} steps{score}>"

    def _repr_html_(self) -> str:
        return self.page()

    def page(self) -> str:
        """An HTML page: the versions of each text side by side, with the feedback that caused each change."""
        from pullback.backends.text.page import page
        return page(self)

    def save(self, path: str | Path) -> Path:
        """Write the page."""
        Path(path).write_text(self.page(), encoding="utf-8")
        return Path(path)

    def plot(self) -> Any:
        """A matplotlib figure: the objective, and what was validated, step by step."""
        from matplotlib.figure import Figure
        figure = Figure(figsize=(7, 3.4), layout="constrained")
        axes = figure.subplots()
        for name in ("objective", "validate"):
            values = np.asarray(self.history[name], float)
            if np.isfinite(values).any():
                axes.plot(self.history["step"], values, marker="o", markersize=3, label=name)
        axes.set_title(self.plan.name)
        axes.set_xlabel("step")
        axes.spines[["top", "right"]].set_visible(False)
        if axes.lines:
            axes.legend(frameon=False)
        return figure
