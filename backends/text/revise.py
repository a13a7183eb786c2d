"""Run a fit over texts, or over texts and numbers: one sweep a step, then every optimizer from the same cotangents.

    step t:   value, cotangents = sweep(fold_in(key, t), texts, numbers);   texts, numbers, states = optimizers(…), committed together

A step is whole or not at all: what stops it (a budget, an engine that is gone) leaves the state of the step before, saved, and a run that
is resumed goes on from there.  A score is the objective, or its negative where the fit minimizes: higher is better for optimizers of texts.
"""
from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from pullback.backends.text.revised import Revised
from pullback.backends.text.roles import Roles
from pullback.backends.text.table import Table
from pullback.backends.xla import checkpoint as checkpoints
from pullback.backends.xla.interrupt import Interrupted, Watch
from pullback.backends.xla.lower import site_key
from pullback.backends.xla.state import State, Variable, constrain, start
from pullback.compiler.contract import Answer, Question
from pullback.compiler.criticism import Criticism
from pullback.compiler.diagnostic import Diagnostic, EngineError, FitError, Reported
from pullback.compiler.source import Span

Texts = dict[str, str]


@dataclass(frozen=True, eq=False)
class Plan:
    """A fit over texts, ready to run.

    sweep(key, params, data): the objective and its cotangents, criticisms for texts.   value: the objective alone.   each, some: the same
    of given rows only, without drawing any: the objective of one row, and the cotangents of several.   validate: the fit's clause.
    cut(data, rows): the data of these rows; rows(data): how many there are, 0 where the objective is no mean over data.
    """

    name: str
    steps: int
    maximize: bool
    worded: bool
    texts: Mapping[str, str]
    variables: tuple[Variable, ...]
    optimizers: tuple[tuple[Any, tuple[str, ...]], ...]
    sweep: Callable[..., tuple[Any, Mapping[str, Any]]]
    value: Callable[..., Any]
    some: Callable[..., tuple[Any, Mapping[str, Any]]]
    each: Callable[..., Any]
    validate: Callable[..., Any] | None
    rows: Callable[[Mapping[str, Any]], int]
    cut: Callable[[Mapping[str, Any], Sequence[int]], Mapping[str, Any]]
    roles: Roles
    digest: str = ""
    span: Span | None = None
    function: Any = None

    @property
    def sign(self) -> float:
        return 1.0 if self.maximize else -1.0


@dataclass
class Now:
    """Where a run is: everything in it is data that a checkpoint holds."""

    step: int
    texts: Texts
    free: dict[str, Any]
    states: list[Any]
    history: dict[str, list[float]]
    versions: list[Texts]
    reports: list[list[dict]]
    criticisms: list[dict[str, list[dict]]]


class Readings:
    """What the optimizers of texts ask of the objective at one step (`compiler/revision.py`)."""

    def __init__(self, plan: Plan, key: Any, now: Now, numbers: Mapping[str, Any], data: Mapping[str, Any], value: Any,
                 criticisms: Mapping[str, tuple[Criticism, ...]]):
        self.plan, self.key, self.now, self.numbers, self.data = plan, key, now, numbers, data
        self.criticisms = criticisms
        self.score = None if plan.worded else plan.sign * float(value)
        self.roles = {name: f"`{name}` of `{plan.name}`" for name in now.texts}
        self.validated: dict[str, float] = {}

    @property
    def rows(self) -> int:
        return self.plan.rows(self.data)

    def ask(self, questions: Sequence[Question]) -> list[Answer | EngineError]:
        try:
            return self.plan.roles.ask(questions)
        except EngineError as error:
            raise error.at(self.plan.span) from None

    def validate(self, texts: Mapping[str, str]) -> float:
        which = json.dumps(dict(texts), sort_keys=True)
        if which not in self.validated:
            self.validated[which] = self.plan.sign * float(self.plan.validate(self.key, {**self.numbers, **self.now.texts, **texts}, self.data))
        return self.validated[which]

    def scores(self, texts: Mapping[str, str], rows: Sequence[int] | None = None) -> list[float]:
        params = {**self.numbers, **self.now.texts, **texts}
        count = self.rows
        if not count:
            return [self.plan.sign * float(self.plan.value(self.key, params, self.data))]
        rows = range(count) if rows is None else rows

        def one(row: int) -> float:
            return self.plan.sign * float(self.plan.each(self.key, params, self.plan.cut(self.data, [row])))
        with ThreadPoolExecutor(max_workers=16) as pool:
            return list(pool.map(one, rows))

    def criticize(self, texts: Mapping[str, str], rows: Sequence[int]) -> Mapping[str, tuple[Criticism, ...]]:
        params = {**self.numbers, **self.now.texts, **texts}
        data = self.plan.cut(self.data, list(rows)) if self.rows else self.data
        _, found = self.plan.some(self.key, params, data)
        return {name: found[name] for name in self.now.texts}


@dataclass
class Point:
    """The objective around the present numbers, downhill, as optimizers of arrays see it."""

    value: Any
    gradient: Mapping[str, Any]
    around: Callable[[Mapping[str, Any]], tuple[Any, Mapping[str, Any]]]

    def __call__(self, own: Mapping[str, Any]) -> Any:
        return self.around(own)[0]

    def value_and_grad(self, own: Mapping[str, Any]) -> tuple[Any, Any]:
        value, gradient = self.around(own)
        return value, {name: gradient[name] for name in own}


def step(plan: Plan, now: Now, key: Any, data: Mapping[str, Any]) -> tuple[Now, dict[str, float]]:
    """The state after a step, and what the history keeps of it."""
    began = time.perf_counter()
    at = jax.random.fold_in(key, now.step)

    def downhill(free: Mapping[str, Any]) -> tuple[Any, dict[str, Any], Mapping[str, Any]]:
        numbers, pull = jax.vjp(lambda free: constrain(plan.variables, free), dict(free))
        value, found = plan.sweep(at, {**numbers, **now.texts}, data)
        (slope,) = pull({name: found[name] for name in numbers}) if numbers else ({},)
        return value, jax.tree.map(lambda leaf: -plan.sign * leaf, slope), found

    value, slope, found = downhill(now.free)
    norm = float(jnp.sqrt(sum((jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(slope)), jnp.zeros(()))))
    score = float("nan") if plan.worded else float(value)
    if not plan.worded and not (np.isfinite(score) and np.isfinite(norm)):
        raise FitError(Diagnostic("step", f"step {now.step} of `{plan.name}`: " + (
            f"the objective is {score}" if not np.isfinite(score) else f"the gradient's norm is {norm}"), plan.span,
            help="a verifier that finds no number gives NaN: check what `number(…)` reads"))
    criticisms = {name: found[name] for name in now.texts}
    numbers = constrain(plan.variables, now.free)
    readings = Readings(plan, at, now, numbers, data, value, criticisms)
    texts, free, states, reports = dict(now.texts), dict(now.free), [], []
    for (optimizer, names), before in zip(plan.optimizers, now.states):
        if getattr(optimizer, "texts", False):
            own = {name: now.texts[name] for name in names}
            state, new, told = optimizer.step(seed(at, names), before, own, readings)
            texts.update(new)
            reports += told
        else:
            own = {name: now.free[name] for name in names}
            point = Point(jnp.nan if plan.worded else -plan.sign * value, {name: slope[name] for name in names},
                          lambda own: (lambda v, s, _: (-plan.sign * v, s))(*downhill({**now.free, **own})))
            state, new = optimizer.update(jax.random.fold_in(at, 1), before, own, point, now.step, plan.steps)
            free.update(new)
        states.append(state)
    known = readings.validated.get(json.dumps(texts, sort_keys=True))
    if known is None and not numbers and now.step and texts == now.texts:  # it is what it was
        known = plan.sign * now.history["validate"][-1]
    if plan.validate is not None and known is None:
        known = plan.sign * float(plan.validate(at, {**constrain(plan.variables, free), **texts}, data))
    entry = {"step": now.step, "objective": score, "gradient_norm": norm, "validate": float("nan") if known is None else plan.sign * known,
             "criticisms": sum(map(len, criticisms.values())), "characters": sum(map(len, texts.values())),
             "seconds": time.perf_counter() - began}
    return Now(now.step + 1, texts, free, states, {name: [*now.history[name], number] for name, number in {
        **entry, "calls": plan.roles.account.total.calls, "tokens": plan.roles.account.total.tokens}.items()}, [*now.versions, texts],
        [*now.reports, [asdict(report) for report in reports]],
        [*now.criticisms, {name: [item.json() for item in said] for name, said in criticisms.items()}]), entry


HISTORY = ("step", "objective", "gradient_norm", "validate", "criticisms", "characters", "seconds", "calls", "tokens")


def seed(key: Any, names: Sequence[str]) -> int:
    """The seed of an optimizer of texts at a step: it depends on the names that are its own."""
    made = site_key(key, "optimizer:" + ",".join(names))
    return int(np.asarray(jax.random.key_data(made)).reshape(-1)[0])


def initial(plan: Plan, key: Any, init: Mapping[str, Any] | None) -> Now:
    """Where a run begins: at the program's texts, or those of `init`."""
    init = dict(init or {})
    texts = {name: str(init.pop(name, text)) for name, text in plan.texts.items()}
    free = start(plan.variables, key, init)
    states = [optimizer.init({name: texts[name] for name in names}) if getattr(optimizer, "texts", False) else
              optimizer.init({name: free[name] for name in names}, plan.steps) for optimizer, names in plan.optimizers]
    return Now(0, texts, free, states, {name: [] for name in HISTORY}, [texts], [], [])


def run(plan: Plan, key: Any, data: Mapping[str, Any], init: Any = None, *, progress: bool = True, checkpoint: str | Path | None = None,
        resume: bool = False, notify: Callable[[Diagnostic], None] = lambda diagnostic: None) -> Revised:
    """Run a fit to its end; every step is saved in the folder `checkpoint`, with every criticism beside it."""
    key = jax.random.key(key) if isinstance(key, int) else key
    now = initial(plan, key, init)
    try:
        if checkpoint is not None and resume:
            now = resumed(plan, now, key, checkpoint, notify)
        elif checkpoint is not None and (last := checkpoints.numbered(Path(checkpoint))):
            notify(Diagnostic("checkpoint", f"`{checkpoint}` holds an earlier run, which this one will replace",
                              help=f"`resume` goes on from `{last[-1].name}`", severity="warning"))
    except Reported as report:
        raise FitError(*report.diagnostics) from None
    with Watch() as watch, Table(plan, progress) as table:
        table.show(now)
        while now.step < plan.steps:
            before = critics(plan)
            try:
                now, _ = step(plan, now, key, data)
            except EngineError as error:
                error.step, error.fit = now.step, result(plan, now)
                raise
            except FitError as error:
                error.step, error.fit = now.step, result(plan, now)
                raise
            table.show(now)
            if checkpoint is not None:
                try:
                    save(plan, now, key, checkpoint)
                except Reported as report:
                    raise FitError(*report.diagnostics, step=now.step, fit=result(plan, now)) from None
            if critics(plan) > before and plan.texts and not now.history["criticisms"][-1]:
                notify(Diagnostic("silent-critic", f"nothing was said of any text of `{plan.name}` at step {now.step - 1}, and its "
                                  "objective is not at its best", plan.span, severity="warning",
                                  help="does the critic's engine answer, and does a verifier have words?"))
            if watch.asked and now.step < plan.steps:
                raise Interrupted(plan.name, now.step, result(plan, now), checkpoint)
    return result(plan, now)


def critics(plan: Plan) -> int:
    """How often a critic has answered."""
    spent = plan.roles.account.of("critic")
    return spent.replies + spent.kept


def result(plan: Plan, now: Now) -> Revised:
    return Revised(plan, dict(now.texts), {**constrain(plan.variables, now.free), **now.texts},
                   {name: np.asarray(values) for name, values in now.history.items()}, tuple(now.versions), tuple(now.reports),
                   tuple(now.criticisms), now)


# ---------------------------------------------------------------- checkpoints


def arrays(plan: Plan, now: Now, key: Any) -> dict[str, np.ndarray]:
    """The numbers of a state by their paths."""
    states = tuple(state if not getattr(optimizer, "texts", False) else () for (optimizer, _), state in zip(plan.optimizers, now.states))
    return State(jnp.asarray(now.step, jnp.int32), now.free, states, key).arrays()


def save(plan: Plan, now: Now, key: Any, folder: str | Path) -> None:
    worded = [state if getattr(optimizer, "texts", False) else None for (optimizer, _), state in zip(plan.optimizers, now.states)]
    notes = {"fit": plan.name, "texts": now.texts, "states": worded, "history": now.history, "versions": now.versions,
             "reports": now.reports, "criticisms": now.criticisms}
    checkpoints.save(folder, checkpoints.Checkpoint(now.step, arrays(plan, now, key), plan.digest, plain(notes)))
    lines = [json.dumps({"step": at, "text": name, **item}, ensure_ascii=False) for at, said in enumerate(now.criticisms)
             for name, items in said.items() for item in items]
    checkpoints.write(Path(folder) / "criticisms.jsonl", "".join(f"{line}\n" for line in lines).encode())


def plain(value: Any) -> Any:
    """JSON has no NaN: it is null."""
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and value != value else value


def resumed(plan: Plan, now: Now, key: Any, folder: str | Path, notify: Callable[[Diagnostic], None]) -> Now:
    """The state of the last checkpoint, if there is one."""
    found = checkpoints.load(folder, plan.digest, notify=notify)
    if found is None:
        return now
    path = checkpoints.numbered(Path(folder))[-1]
    like = State(jnp.asarray(now.step, jnp.int32), now.free, tuple(
        state if not getattr(optimizer, "texts", False) else () for (optimizer, _), state in zip(plan.optimizers, now.states)), key)
    checkpoints.fits(path, found, plan.digest, like.shapes())
    if not np.array_equal(found.arrays["key"], like.arrays()["key"]):
        raise Reported(Diagnostic("checkpoint", f"`{path}` was written by a run with another key",
                                  help="a run is resumed with the key, or the seed, that it was started with"))
    state, notes = like.filled(found.arrays), found.notes
    states = [worded if getattr(optimizer, "texts", False) else numeric
              for (optimizer, _), worded, numeric in zip(plan.optimizers, notes["states"], state.optimizers)]
    history = {name: [float("nan") if value is None else value for value in values] for name, values in notes["history"].items()}
    return Now(found.step, dict(notes["texts"]), dict(state.params), states, history, notes["versions"], notes["reports"], notes["criticisms"])
