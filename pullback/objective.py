"""An objective of a program: compiled, it is a JAX function."""
from __future__ import annotations

from typing import Any, Callable, Mapping

import jax

from pullback.backends.xla.compiled import Argument
from pullback.compiler.analyses.host import hosted
from pullback.compiler.diagnostic import ArgumentError, Diagnostic, near
from pullback.compiler.ir import Graph
from pullback.dsl import elaborate
from pullback.dsl.values import Declared, Undetermined
from pullback.function import Estimate, Function, estimate
from pullback.model import Model
from pullback.texts import frozen, parameters_of, static_ints

OPTIONS = ("particles", "rules", "allow_biased", "mesh", "engine")


class Objective:
    """`program["elbo"].compile(p = …)` is the JAX function; what is known before the run is given to `compile`."""

    def __init__(self, loaded: elaborate.Loaded, declared: Declared):
        self.loaded, self.declared = loaded, declared

    name = property(lambda self: self.declared.name)
    doc = property(lambda self: self.declared.doc)

    def __repr__(self) -> str:
        return f"<objective {self.name}({', '.join(f'{n}: {t}' for n, t in self.parameters.items())})>"

    @property
    def parameters(self) -> dict[str, str]:
        """The arguments, name → type as it is written."""
        return parameters_of(self.declared.node)

    given = parameters

    def compile(self, *, particles: int = 1, rules: Mapping[str, Any] | None = None, allow_biased: bool = False,
                mesh: Any = None, engine: Any = None, **known: Any) -> Function:
        """The JAX function; for an objective that asks language models, a function on the host.

        particles: samples that one estimate averages.  rules: address → rule, as text or object; they win over the
        program's.  engine: what answers, or one for each role (`pb.engines`).  known: models (a `Model`, or its name), static ints, and numbers, by argument.
        """
        refuse_mesh(mesh)
        for name in known:
            if name not in self.parameters:
                raise ArgumentError(Diagnostic("argument", f"`{self.name}` has no argument `{name}`",
                                               self.declared.node.span, help=near(name, [*self.parameters, *OPTIONS])))
        statics = static_ints(self.declared)
        fixed = {name: frozen(value) for name, value in known.items() if name in statics}
        arguments = {name: named(value) for name, value in known.items() if name not in statics}

        def make(sizes: Mapping[str, int], shapes: Mapping[str, Any]) -> Graph:
            graph = elaborate.objective_graph(self.loaded, self.name, arguments, sizes, shapes)
            return elaborate.with_rules(graph, rules) if rules else graph
        more = {"statics": statics, "fixed": fixed, "source": self.declared.module.source, "particles": particles,
                "allow_biased": allow_biased or self.declared.node.allow_biased}
        if engine is not None or asks(lambda: make(fixed, {})):
            from pullback.asking import Asking
            made = Asking(self.name, make, self._arguments(make, fixed, set(known)), engine=engine, **more)
            return made.admitted(make(fixed, {})) if asks(lambda: make(fixed, {})) else made
        return Function(self.name, make, self._arguments(make, fixed, set(known)), **more)

    def estimate(self, seed: Any, params: Mapping[str, Any] | None = None, data: Mapping[str, Any] | None = None,
                 draws: int = 100, **settings: Any) -> Estimate:
        """Value and gradient norms with their standard errors, from `draws` estimates."""
        key = jax.random.key(seed) if isinstance(seed, int) else seed
        function = self.compile(**settings)
        if hasattr(function, "roles"):
            raise unestimated(self.name, self.declared)
        return estimate(function, key, params or {}, data or {}, draws)

    def prepared(self, seed: int, data: Mapping[str, Any], **settings: Any) -> Function:
        """As the command line asks for what it draws: at the sizes of the data, where there are any."""
        f = self.compile(**settings)
        return f.specialize({}, **data) if data else f

    def _arguments(self, make: Any, fixed: Mapping[str, int], known: set[str]) -> tuple[Argument, ...]:
        """What a call must be given.  Where a type is told by the arrays only, all are taken as they come."""
        try:
            return tuple(Argument(wire.name, wire.type) for wire in make(fixed, {}).inputs)
        except Undetermined as reason:
            models = [name for name, type in self.parameters.items() if type == "model" and name not in known]
            if models:
                raise ArgumentError(Diagnostic(
                    "argument", f"`{self.name}` needs {' and '.join(f'`{name}: model`' for name in models)}",
                    self.declared.node.span, help=f"compile({models[0]} = …), with a model of the program or its name"
                )) from reason
            statics = static_ints(self.declared)
            return tuple(Argument(name, None) for name in self.parameters if name not in known and name not in statics)


def unestimated(name: str, declared: Declared) -> ArgumentError:
    """Estimates are of JAX functions."""
    return ArgumentError(Diagnostic("pending", f"`{name}` asks a language model, and an estimate of it with its error can't be made yet",
                                    declared.node.span, help="`value_and_grad` gives one value and its derivatives"))


def asks(make: Callable[[], Graph]) -> bool:
    """Does a graph ask language models, or read texts?  One that can't be made yet does not."""
    try:
        return hosted(make())
    except Undetermined:
        return False


def named(value: Any) -> Any:
    """A model as the elaborator takes it: its name, with the arguments that it was given."""
    if isinstance(value, Model):
        return (value.name, {name: named(item) for name, item in value.fixed.items()})
    return value


def refuse_mesh(mesh: Any) -> None:
    if mesh is not None:
        raise ArgumentError(Diagnostic("pending", "`mesh` can't be compiled yet: this version runs on one device"))
