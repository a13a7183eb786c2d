"""What a fit gives back: parameters, history, a state to go on from, a plot, posterior draws."""
from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Mapping

import numpy as np

from pullback.backends.xla.state import State, constrain
from pullback.compiler.diagnostic import ArgumentError, Diagnostic


@dataclass(frozen=True)
class Fitted:
    """The result of a run.  `history`: `step`, `objective`, `gradient_norm`, `seconds`, one entry a recorded step."""

    plan: Any = field(repr=False)
    state: State = field(repr=False)
    history: Mapping[str, np.ndarray] = field(repr=False)
    data: Mapping[str, Any] = field(repr=False)

    @cached_property
    def params(self) -> dict[str, Any]:
        """Constrained values by the names under `over`."""
        return constrain(self.plan.variables, self.state.params)

    @property
    def objective(self) -> float:
        """The last recorded estimate of the objective."""
        values = self.history["objective"]
        return float(values[-1]) if len(values) else float("nan")

    def __repr__(self) -> str:
        return f"<{self.plan.name}: {int(self.state.step)} of {self.plan.steps} steps, objective {self.objective:.6g}>"

    def plot(self) -> Any:
        """A matplotlib figure: the objective and the gradient's norm, each recorded step and their running mean."""
        from matplotlib.figure import Figure
        figure = Figure(figsize=(7, 4.2), layout="constrained")
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
        step, window = self.history["step"], max(1, len(self.history["step"]) // 50)
        for axes, name, label in [(top, "objective", "objective"), (bottom, "gradient_norm", "gradient norm")]:
            values = np.asarray(self.history[name], np.float64)
            axes.plot(step, values, color="0.75", linewidth=0.8)
            if len(values) > window:
                smooth = np.convolve(values, np.ones(window) / window, mode="valid")
                axes.plot(step[window - 1:], smooth, color="C0", linewidth=1.5)
            axes.set_ylabel(label)
            axes.spines[["top", "right"]].set_visible(False)
        if len(step):
            low, high = np.quantile(self.history["objective"], [0.02, 1.0] if self.plan.maximize else [0.0, 0.98])
            top.set_ylim(low - 0.1 * (high - low) - 1e-9, high + 0.1 * (high - low) + 1e-9)
            bottom.set_yscale("log")
        top.set_title(self.plan.name)
        bottom.set_xlabel("step")
        return figure

    def posterior(self, key: Any, draws: int = 1000, of: str | None = None) -> Any:
        """Draws of what the objective draws, as ArviZ keeps them (`InferenceData`, or `DataTree` from ArviZ 1).

        of: the name of the model, its argument or its binder, where the objective draws from several.
        """
        if self.plan.posterior is None:
            raise ArgumentError(Diagnostic(
                "argument", f"`{self.plan.name}` draws from no one model, so that there are no posterior draws",
                self.plan.span))
        found = self.plan.posterior(key, self.params, self.data, draws, of)
        return to_arviz({name: np.asarray(value)[None] for name, value in found.items()},
                        {name: np.asarray(value) for name, value in self.data.items() if hasattr(value, "shape")})


def to_arviz(posterior: Mapping[str, np.ndarray], constant: Mapping[str, np.ndarray]) -> Any:
    """Arrays [chain, draw, …] by name as an ArviZ object; both of its interfaces are spoken."""
    import arviz
    groups = {"posterior": dict(posterior)} | ({"constant_data": dict(constant)} if constant else {})
    if int(arviz.__version__.split(".")[0]) >= 1:
        return arviz.from_dict(groups)
    return arviz.from_dict(**groups)
