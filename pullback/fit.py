"""A fit of a program: its objective, and how it is run."""
from __future__ import annotations

import hashlib
import warnings
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Callable, Mapping

import jax

from pullback.backends.xla import fit as runner
from pullback.backends.xla import posterior
from pullback.backends.xla.compiled import Argument, leaf
from pullback.backends.xla.fitted import Fitted
from pullback.backends.xla.lower import evaluate
from pullback.backends.xla.simulate import opened
from pullback.backends.xla.state import State, Variable, constrain, start
from pullback.compiler.analyses.host import hosted
from pullback.compiler.diagnostic import ArgumentError, Diagnostic, near
from pullback.compiler.ir import Graph
from pullback.compiler.type import Params
from pullback.dsl import elaborate
from pullback.dsl import syntax as s
from pullback.dsl.fits import FitPlan, Parameter
from pullback.dsl.values import Declared, Undetermined
from pullback.function import Estimate, Function, estimate
from pullback.objective import refuse_mesh, unestimated
from pullback.texts import frozen, given_of, static_ints, texts

SETTINGS = ("particles", "steps", "rules", "allow_biased", "mesh", "engine")


class Fit:
    """`program["vae"].run(key, data={…})`; `.objective` is the function that it maximizes or minimizes."""

    def __init__(self, loaded: elaborate.Loaded, declared: Declared):
        self.loaded, self.declared = loaded, declared
        self._plans: dict[Any, runner.Plan] = {}
        self._functions: dict[str, Function] = {}

    name = property(lambda self: self.declared.name)
    doc = property(lambda self: self.declared.doc)

    def __repr__(self) -> str:
        return f"<fit {self.name}, given {', '.join(f'{n}: {t}' for n, t in self.given.items()) or 'nothing'}>"

    @property
    def given(self) -> dict[str, str]:
        """The data, name → type as it is written."""
        return given_of(self.declared.node)

    @property
    def objective(self) -> Function:
        """The compiled objective: parameters are the names under `over`, data those under `given`."""
        return self._objective

    @cached_property
    def _objective(self) -> Function:
        return self.compile()

    def compile(self, *, particles: int | None = None, rules: Mapping[str, Any] | None = None, allow_biased: bool = False,
                mesh: Any = None, engine: Any = None, **known: int) -> Function:
        """The objective with other particles or rules than the program's; `engine` answers for its texts."""
        refuse_mesh(mesh)
        statics = static_ints(self.declared)
        for name in known:
            if name not in statics:
                raise ArgumentError(Diagnostic("argument", f"`{self.name}` has no setting `{name}`", self.declared.node.span,
                                               help=near(name, [*SETTINGS, *statics]) or f"settings are {', '.join(SETTINGS)}"))

        def make(sizes: Mapping[str, int], shapes: Mapping[str, Any]) -> Graph:
            goal = elaborate.fit_plan(self.loaded, self.name, sizes, shapes).goal
            return elaborate.with_rules(goal, rules) if rules else goal
        plan = self.plan(known)
        more = {"statics": statics, "fixed": known, "source": self.declared.module.source,
                "particles": plan.particles if particles is None else particles,
                "allow_biased": allow_biased or plan.allow_biased, "parameters": tuple(plan.over)}
        arguments = tuple(Argument(wire.name, wire.type) for wire in plan.goal.inputs)
        if words(plan):
            from pullback.asking import Asking
            return Asking(self.name, make, arguments, engine=engine, sign=1.0 if plan.maximize else -1.0, **more).admitted(plan.goal)
        return Function(self.name, make, arguments, **more)

    def plan(self, sizes: Mapping[str, int] | None = None, shapes: Mapping[str, Any] | None = None) -> FitPlan:
        """All that the fit says, for these sizes."""
        try:
            return elaborate.fit_plan(self.loaded, self.name, sizes or {}, shapes or {})
        except Undetermined as reason:
            raise ArgumentError(Diagnostic("argument", f"`{self.name}` can't be run: {reason} is not known",
                                           self.declared.node.span)) from None

    @cached_property
    def over_texts(self) -> bool:
        """Does the fit ask language models, or read texts?"""
        try:
            return words(elaborate.fit_plan(self.loaded, self.name, {}, {}))
        except Undetermined:  # a text that decides a diagram is data, and nobody is asked
            return False

    def calls(self, steps: int | None = None, engine: Any = None, **sizes: int) -> Any:
        """What a fit over texts will ask of its engines, by role: calls at least and at most, and tokens, before any call."""
        from pullback import revising
        return revising.calls(self, self.compile(engine=engine), steps, sizes)

    def run(self, key: Any, data: Mapping[str, Any] | None = None, init: Mapping[str, Any] | State | Fitted | None = None,
            progress: bool = True, checkpoint: str | Path | None = None, resume: bool = False, *, steps: int | None = None,
            save_every: int | None = None, every: int = 1, notify: Callable[[Diagnostic], None] | None = None,
            engine: Any = None, budget: Any = None, on_error: str = "stop", **settings: Any) -> Fitted:
        """Run the fit.

        key: a JAX key, or an int seed.  data: arrays by the names under `given`.  init: starts by name, or a fit to go on
        from.  progress: a live line, on a terminal.  checkpoint: a folder; `resume` goes on from what is there.
        steps, particles, rules: instead of the program's.  save_every: steps between checkpoints (else half a minute).
        every: record each so many steps in the history.  notify: hears warnings (by default they are Python's).
        Over texts: engine: one, or one for each role.  budget: a `pb.Budget`, never passed.  on_error: "stop", or "skip" a datum whose
        answer is lost.  The result is then a `Revised`, every step is saved, and an `EngineError` has `.step` and `.fit`.
        """
        if self.over_texts:
            return self._revised(key, data or {}, init, progress, checkpoint, resume, steps, notify or warn, engine, budget, on_error, settings)
        plan, arrays = self.prepare(data or {}, steps=steps, **settings)
        return runner.run(plan, key, arrays, init.state if isinstance(init, Fitted) else init, progress=progress,
                          checkpoint=checkpoint, resume=resume, save_every=save_every, every=every, notify=notify or warn)

    def _revised(self, key: Any, data: Mapping[str, Any], init: Any, progress: bool, checkpoint: Any, resume: bool, steps: int | None,
                 notify: Callable[[Diagnostic], None], engine: Any, budget: Any, on_error: str, settings: Mapping[str, Any]) -> Any:
        """The fit over texts, run."""
        from pullback import revising
        from pullback.backends.text import revise
        function, arrays = self._compiled(settings).known(data)
        arrays, sizes = self._fitted(function, arrays)
        plan = revising.planned(self, function, arrays, sizes, steps, engine, budget, on_error, settings)
        return revise.run(plan, key, arrays, getattr(init, "params", init), progress=progress, checkpoint=checkpoint, resume=resume,
                          notify=notify)

    def prepare(self, data: Mapping[str, Any], *, steps: int | None = None, **settings: Any
                ) -> tuple[runner.Plan, dict[str, Any]]:
        """The fit as it is run, of these data's sizes and with these settings, and the data as arrays of their types.

        There is one plan for each set of sizes and settings, so that a second run compiles nothing.
        """
        known = static_ints(self.declared)
        sentences = {name: frozen(value) for name, value in data.items() if name in known and texts(value)}
        function, arrays = self._compiled({**settings, **sentences}).known(data)
        arrays, sizes = self._fitted(function, arrays)
        which = (steps, repr(sorted(settings.items(), key=str)), repr(sorted(sizes.items())), jax.config.jax_enable_x64)
        if which not in self._plans:
            self._plans[which] = self._planned(function, sizes, steps, settings)
        return self._plans[which], arrays

    def _planned(self, function: Function, sizes: Mapping[str, int], steps: int | None, settings: Mapping[str, Any]
                 ) -> runner.Plan:
        plan = self.plan(sizes)
        steps = plan.steps if steps is None else steps
        if steps is not None and (not isinstance(steps, int) or isinstance(steps, bool) or steps < 1):
            raise ArgumentError(f"`steps` is a positive int, and this is {steps!r}")
        if steps is None:
            raise ArgumentError(Diagnostic("argument", f"`{self.name}` does not say how many steps it takes",
                                           self.declared.node.span, help="`steps 1000` in the program, or `steps=1000` here"))
        return runner.Plan(
            self.name, lambda key, params, data: function.value_and_grad(key, params, **data),
            lambda key, params, data: function(key, params, **data), plan.maximize, variables(plan), self._optimizers(plan),
            steps, digest=self._digest(function, settings), locate=function.locate, posterior=draws_of(plan, function),
            span=self.declared.node.span, function=function)

    def _compiled(self, settings: Mapping[str, Any]) -> Function:
        if not settings:
            return self.objective
        which = repr(sorted(settings.items(), key=str))
        if which not in self._functions:
            self._functions[which] = self.compile(**settings)
        return self._functions[which]

    def estimate(self, seed: Any, params: Mapping[str, Any] | None = None, data: Mapping[str, Any] | None = None,
                 draws: int = 100, **settings: Any) -> Estimate:
        """The objective and its gradient's norms with their standard errors, at the program's starts or at `params`."""
        key = jax.random.key(seed) if isinstance(seed, int) else seed
        if self.over_texts:
            raise unestimated(self.name, self.declared)
        plan, arrays = self.prepare(data or {}, **{"steps": 1, **settings})
        runner.finite(jax.tree.map(jax.numpy.asarray, arrays))
        if params is None:
            params = self.at(key, data, **settings)
        return estimate(plan.function, key, params, arrays, draws)

    def at(self, seed: Any, data: Mapping[str, Any] | None = None, **settings: Any) -> dict[str, Any]:
        """The parameters that a run begins with."""
        key = jax.random.key(seed) if isinstance(seed, int) else seed
        plan, _ = self.prepare(data or {}, **{"steps": 1, **settings})
        return constrain(plan.variables, start(plan.variables, key, {}))

    def prepared(self, seed: int, data: Mapping[str, Any], **settings: Any) -> Function:
        """As the command line asks for what it draws: at the sizes of the data, where there are any."""
        if not data and self.given or self.over_texts:
            return self.compile(**{name: value for name, value in settings.items() if name != "steps"})
        plan, arrays = self.prepare(data, **{"steps": 1, **settings})
        params = constrain(plan.variables, start(plan.variables, jax.random.key(seed), {}))
        return plan.function.specialize(params, **arrays)

    # ------------------------------------------------------------ inside

    def _fitted(self, function: Function, data: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, int]]:
        """The data as arrays of their types, and all sizes that they and the settings tell."""
        own = tuple(a for a in function.arguments if a.name.partition(".")[0] in self.given)
        alone = Function(self.name, function.make, own, statics=function.statics, fixed=function.fixed)
        _, arrays = alone._given({}, data)
        values = {a.name: leaf(arrays[a.name.partition(".")[0]], a.name) for a in own}
        return arrays, alone._sizes(values)

    def _optimizers(self, plan: FitPlan) -> tuple[tuple[Any, tuple[str, ...]], ...]:
        """Each optimizer with the names that are its own; one without names has all that are left."""
        if not plan.optimizers:
            raise ArgumentError(Diagnostic("argument", f"`{self.name}` does not say how it optimizes",
                                           self.declared.node.span, help="`using adam(0.01)`"))
        named = {name for use in plan.optimizers for name in use.names}
        rest = tuple(name for name in plan.over if name not in named)
        return tuple((use.optimizer, use.names or rest) for use in plan.optimizers)

    def _digest(self, function: Function, settings: Mapping[str, Any]) -> str:
        """Tells this program and these settings from others; layout, comments and the number of steps do not count."""
        node = self.declared.node
        clauses = tuple(replace(c, counts=tuple(n for n in c.counts if n.word != "steps")) if isinstance(c, s.Counts) else c
                        for c in node.clauses)
        programs = [self.loaded.module.program, *(module.program for module in self.loaded.loader.modules.values())]
        others = sorted(repr(replace(one, doc="") if hasattr(one, "doc") else one) for program in programs
                        for one in program.declarations if not isinstance(one, s.Fit))
        said = [repr(clauses), *others, repr(sorted(function.fixed.items())),
                repr(sorted((name, str(value)) for name, value in settings.items()))]
        return hashlib.sha256("\n".join(said).encode()).hexdigest()


def words(plan: FitPlan) -> bool:
    """Is there a text anywhere in a fit?"""
    return hosted(plan.goal) or plan.validate is not None and hosted(plan.validate)


def variables(plan: FitPlan) -> tuple[Variable, ...]:
    return tuple(Variable(name, p.type, starts(p), p.span) for name, p in plan.over.items())


def starts(parameter: Parameter) -> Callable[[Any], Any] | None:
    """The start of a parameter as a function of a key."""
    if parameter.start is None:
        return None
    if not isinstance(parameter.start, Graph):
        return parameter.start.init
    graph = opened(parameter.start)

    def value(key: Any) -> Any:
        values = iter(evaluate(graph, {}, key))
        tree = parameter.type.tree if isinstance(parameter.type, Params) else None
        return filled(tree, values)
    return value


def filled(tree: Any, values: Any) -> Any:
    """The tree with the next value in place of each leaf, in the order of the program."""
    return {name: filled(item, values) for name, item in tree.items()} if isinstance(tree, Mapping) else next(values)


def draws_of(plan: FitPlan, function: Function) -> Callable[..., Any]:
    """Draws of the guide at the fitted parameters."""
    def draws(key: Any, params: Mapping[str, Any], data: Mapping[str, Any], count: int, of: str | None = None) -> Any:
        guide = posterior.the_guide(plan.goal, of, plan.name)
        graph, addresses = posterior.posterior(plan.goal, guide)
        return posterior.draws(graph, addresses, key, params, data, count)
    return draws


def warn(diagnostic: Diagnostic) -> None:
    warnings.warn(str(diagnostic), stacklevel=3)
