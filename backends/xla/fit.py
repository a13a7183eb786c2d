"""Run a fit: one jitted loop of many steps, stopped only to look, to save, or because a number is not finite.

    step t:   value, gradient = objective(fold_in(key, t), constrain(u), data);   u, states = optimizers(u, states)

The loop's bounds are arguments, so that one compiled function serves every stretch of steps: how often it is looked
at, saved or resumed changes no bit of the result.  A step whose objective or gradient is not finite is not taken: the
state before it is what is kept.
"""
from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np

from pullback.backends.xla import checkpoint as checkpoints
from pullback.backends.xla.fitted import Fitted
from pullback.backends.xla.interrupt import Interrupted, Watch
from pullback.backends.xla.progress import Line
from pullback.backends.xla.state import State, Variable, constrain, start
from pullback.compiler.diagnostic import ArgumentError, Diagnostic, FitError, Reported
from pullback.compiler.optimizer import Optimizer
from pullback.compiler.source import Span

STRETCH = 4096        # steps between two looks at most: the length of the buffers on the device
LOOK_EVERY = 0.25     # seconds between two looks, about
SAVE_EVERY = 30.0     # seconds between two checkpoints, where no number of steps is given

Posterior = Callable[[Any, Mapping[str, Any], Mapping[str, Any], int, "str | None"], Mapping[str, Any]]


@dataclass(frozen=True, eq=False)
class Plan:
    """A fit, ready to run.

    value_and_grad(key, params, data): the objective and its gradient; `value` alone for optimizers that look around.
    optimizers: each with the names of the parameters that are its own.  digest: tells one program from another.
    locate(key, params, data): the first value that is not finite, as its name and its place; None if all are.
    posterior(key, params, data, draws, of): draws by address, where there is one model to draw them from, or `of` says
    which.  function: the compiled objective, for whoever wants its ledger and drawings.
    """

    name: str
    value_and_grad: Callable[[Any, Any, Any], tuple[Any, Any]]
    value: Callable[[Any, Any, Any], Any]
    maximize: bool
    variables: tuple[Variable, ...]
    optimizers: tuple[tuple[Optimizer, tuple[str, ...]], ...]
    steps: int
    digest: str = ""
    locate: Callable[[Any, Any, Any], tuple[str, Span | None] | None] | None = None
    posterior: Posterior | None = None
    span: Span | None = None
    function: Any = None


@dataclass
class Slope:
    """The objective around the present parameters, as a function of some of them."""

    plan: Plan
    key: Any
    free: Mapping[str, Any]
    data: Any
    value: Any
    gradient: Any

    def __call__(self, own: Mapping[str, Any]) -> Any:
        sign = -1.0 if self.plan.maximize else 1.0
        return sign * self.plan.value(self.key, constrain(self.plan.variables, {**self.free, **own}), self.data)

    def value_and_grad(self, own: Mapping[str, Any]) -> tuple[Any, Any]:
        value, gradient = downhill(self.plan, self.key, {**self.free, **own}, self.data)
        return value, {name: gradient[name] for name in own}


def downhill(plan: Plan, key: Any, free: Mapping[str, Any], data: Any) -> tuple[Any, dict[str, Any]]:
    """What is minimized, and its gradient in the unconstrained space."""
    params, pull = jax.vjp(lambda free: constrain(plan.variables, free), dict(free))
    value, gradient = plan.value_and_grad(key, params, data)
    (gradient,) = pull(dict(gradient))
    return (-value, jax.tree.map(jnp.negative, gradient)) if plan.maximize else (value, gradient)


def take(plan: Plan, state: State, data: Any) -> tuple[State, Any, Any]:
    """One step; the state as it was if the objective or the gradient is not finite.  Also both, for the history."""
    key = jax.random.fold_in(state.key, state.step)
    value, gradient = downhill(plan, key, state.params, data)
    norm = jnp.sqrt(sum(jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(gradient)))
    sound = jnp.isfinite(value) & jnp.isfinite(norm)
    params, states = dict(state.params), []
    for (optimizer, names), before in zip(plan.optimizers, state.optimizers):
        own = {name: state.params[name] for name in names}
        slope = Slope(plan, key, state.params, data, value, {name: gradient[name] for name in names})
        after, own = optimizer.update(jax.random.fold_in(key, 1), before, own, slope, state.step, plan.steps)
        params.update(own)
        states.append(after)
    params, states = jax.tree.map(lambda new, old: jnp.where(sound, new, old),
                                  (params, tuple(states)), (dict(state.params), state.optimizers))
    after = State(state.step + sound, params, states, state.key, sound)
    return after, -value if plan.maximize else value, norm


@lru_cache(maxsize=32)
def stretch(plan: Plan) -> Callable[..., Any]:
    """The jitted loop: from `state`, until `stop` steps are done or one is not finite; values and norms of each."""
    def run(state: State, data: Any, stop: Any) -> tuple[State, Any, Any]:
        first, dtype = state.step, jnp.zeros(()).dtype
        blank = jnp.full(STRETCH, jnp.nan, dtype)

        def going(carry: Any) -> Any:
            return (carry[0].step < stop) & carry[0].sound

        def once(carry: Any) -> Any:
            state, values, norms = carry
            after, value, norm = take(plan, state, data)
            at = state.step - first
            return after, values.at[at].set(value.astype(dtype)), norms.at[at].set(norm.astype(dtype))
        return jax.lax.while_loop(going, once, (state, blank, blank))
    return jax.jit(run, donate_argnums=0)


def initial(plan: Plan, key: Any, init: Mapping[str, Any] | State | None) -> State:
    """Where a run begins."""
    if isinstance(init, State):
        return jax.tree.map(jnp.copy, init)  # the loop gives its input's memory away
    free = start(plan.variables, key, init or {})
    states = tuple(optimizer.init({name: free[name] for name in names}, plan.steps)
                   for optimizer, names in plan.optimizers)
    made = State(jnp.zeros((), jnp.int32), free, states, key)
    return jax.tree.map(jnp.copy, made)


@dataclass
class History:
    """What was recorded: one entry for each step whose number is a multiple of `every`."""

    every: int = 1
    parts: dict[str, list[np.ndarray]] = field(default_factory=lambda: {
        name: [] for name in ("step", "objective", "gradient_norm", "seconds")})

    def add(self, first: int, values: np.ndarray, norms: np.ndarray, began: float, ended: float) -> None:
        steps = np.arange(first, first + len(values))
        seconds = began + (ended - began) * np.arange(1, len(values) + 1) / max(len(values), 1)
        for name, array in zip(self.parts, (steps, values, norms, seconds)):
            self.parts[name].append(array[steps % self.every == 0])

    def arrays(self) -> dict[str, np.ndarray]:
        kinds = {"step": np.int64, "seconds": np.float64}
        return {name: np.concatenate(parts) if parts else np.zeros(0, kinds.get(name, np.float32))
                for name, parts in self.parts.items()}

    def seconds(self) -> float:
        return max((float(part[-1]) for part in self.parts["seconds"] if len(part)), default=0.0)


def run(plan: Plan, key: Any, data: Mapping[str, Any] | None = None, init: Mapping[str, Any] | State | None = None, *,
        progress: bool = True, checkpoint: str | Path | None = None, resume: bool = False,
        save_every: int | None = None, every: int = 1,
        notify: Callable[[Diagnostic], None] = lambda diagnostic: None) -> Fitted:
    """Run a fit to its end.

    key: a JAX key, or an int seed.  data: arrays by name.  init: starts by name, or the state of another run.
    checkpoint: a folder; saved there every `save_every` steps, or every half minute, and at the end.  resume: go on
    from what is there.  every: record each so many steps in the history.  notify: hears of what is worth saying.
    """
    key = jax.random.key(key) if isinstance(key, int) else key
    data = {name: jax.tree.map(jnp.asarray, value) for name, value in (data or {}).items()}
    finite(data)
    state, history = initial(plan, key, init), History(every)
    try:
        if checkpoint is not None:
            state, history = resumed(plan, state, history, data, checkpoint, resume, notify)
        return loop(plan, state, history, data, progress, checkpoint, save_every)
    except Reported as report:
        raise FitError(*report.diagnostics) from None


def resumed(plan: Plan, state: State, history: History, data: Mapping[str, Any], folder: str | Path, resume: bool,
            notify: Callable[[Diagnostic], None]) -> tuple[State, History]:
    """The state and history of the last checkpoint, if there is one that is to be gone on with."""
    if not resume:
        if last := checkpoints.numbered(Path(folder)):
            notify(Diagnostic("checkpoint", f"`{folder}` holds an earlier run, which this one will replace",
                              help=f"`resume` goes on from `{last[-1].name}`", severity="warning"))
        return state, history
    found = checkpoints.load(folder, plan.digest, notify=notify)
    if found is None:
        return state, history
    kept = {name: found.arrays[name] for name in found.arrays if name.startswith("history/")}
    path = checkpoints.numbered(Path(folder))[-1]
    rest = replace(found, arrays={name: array for name, array in found.arrays.items() if name not in kept})
    checkpoints.fits(path, rest, plan.digest, state.shapes())
    if found.notes.get("data") != described(data):
        raise Reported(Diagnostic("checkpoint", f"`{path}` was written with other data: "
                                  f"{shown(found.notes.get('data'))} there, {shown(described(data))} here"))
    if not np.array_equal(found.arrays["key"], state.arrays()["key"]):
        raise Reported(Diagnostic("checkpoint", f"`{path}` was written by a run with another key",
                                  help="a run is resumed with the key, or the seed, that it was started with"))
    history.parts = {name: [kept[f"history/{name}"]] for name in history.parts}
    return state.filled(rest.arrays), history


def loop(plan: Plan, state: State, history: History, data: Mapping[str, Any], progress: bool,
         folder: str | Path | None, save_every: int | None) -> Fitted:
    """Stretch after stretch, until the end."""
    advance, done = stretch(plan), int(state.step)
    before, began = history.seconds(), None
    saved_step, saved_at = done, time.perf_counter()

    def now() -> Fitted:
        return Fitted(plan, state, history.arrays(), data)

    def save() -> None:
        if folder is not None:
            kept = {f"history/{name}": array for name, array in history.arrays().items()}
            checkpoints.save(folder, checkpoints.Checkpoint(
                done, {**state.arrays(), **kept}, plan.digest, {"fit": plan.name, "data": described(data)}))

    with Watch() as watch, Line(plan.name, plan.steps, progress) as line:
        state, *_ = jax.block_until_ready(advance(state, data, done))  # compiles, and takes no step
        began, length = time.perf_counter(), 1
        while done < plan.steps:
            stop = min(done + length, plan.steps)
            if folder is not None and save_every:
                stop = min(stop, (done // save_every + 1) * save_every)
            started = time.perf_counter()
            state, values, norms = jax.block_until_ready(advance(state, data, stop))
            ended, reached, sound = time.perf_counter(), int(state.step), bool(state.sound)
            values, norms = np.asarray(values)[:stop - done], np.asarray(norms)[:stop - done]
            history.add(done, values[:reached - done], norms[:reached - done],
                        before + started - began, before + ended - began)
            if reached > done:
                line.show(reached, float(values[reached - done - 1]), float(norms[reached - done - 1]))
            if not sound:
                value, norm = float(values[reached - done]), float(norms[reached - done])
                done, state = reached, replace(state, sound=jnp.array(True))
                save()
                raise FitError(unsound(plan, state, data, reached, value, norm), step=reached, fit=now())
            done = reached
            length = paced(length, stop - done + length, ended - started)
            due = done % save_every == 0 if save_every else time.perf_counter() - saved_at > SAVE_EVERY
            if folder is not None and (due or done == plan.steps or watch.asked):
                try:
                    save()
                except Reported as report:
                    raise FitError(*report.diagnostics, step=done, fit=now()) from None
                saved_step, saved_at = done, time.perf_counter()
            if watch.asked and done < plan.steps:
                raise Interrupted(plan.name, done, now(), folder if saved_step == done else None)
    return now()


def paced(length: int, taken: int, seconds: float) -> int:
    """How many steps to take until the next look."""
    wanted = int(taken * LOOK_EVERY / max(seconds, 1e-6))
    return max(1, min(wanted, 8 * length, STRETCH))


def unsound(plan: Plan, state: State, data: Any, step: int, value: float, norm: float) -> Diagnostic:
    """What is said of a step that is not finite: which value was the first, and where it stands."""
    what = f"the objective is {value}" if not np.isfinite(value) else f"the gradient's norm is {norm}"
    found = plan.locate and plan.locate(jax.random.fold_in(state.key, step), constrain(plan.variables, state.params), data)
    name, span = found or (None, None)
    return Diagnostic(
        "step", f"step {step} of `{plan.name}`: {what}", span or plan.span,
        label="" if not name else f"the derivative of `{name}` is not finite" if np.isfinite(value) else
        f"`{name}` is the first value that is not finite",
        help="the state before this step is kept; a smaller learning rate, or starts nearer to the data, often help")


def finite(data: Mapping[str, Any]) -> None:
    """Refuse data with NaN in it."""
    wrong = []
    for name, value in data.items():
        for leaf in jax.tree.leaves(value):
            if jnp.issubdtype(leaf.dtype, jnp.inexact) and (count := int(jnp.isnan(leaf).sum())):
                wrong.append(Diagnostic("data", f"`{name}` has NaN in {count} of its {leaf.size} places",
                                        help="missing data are a branch: `if seen[i]: y[i] ~ …`"))
    if wrong:
        raise ArgumentError(*wrong)


def shown(described: Any) -> str:
    """What `described` gives, for a reader."""
    return ", ".join(f"`{name}` {leaf[0]}{list(leaf[1:])}" for name, leaves in (described or {}).items() for leaf in leaves) \
        or "none"


def described(data: Mapping[str, Any]) -> dict[str, list]:
    """The data's dtypes and shapes, as JSON."""
    return {name: [[str(leaf.dtype), *leaf.shape] for leaf in jax.tree.leaves(value)]
            for name, value in sorted(data.items())}
