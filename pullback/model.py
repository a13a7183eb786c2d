"""A model of a program, as Python uses it: drawn from, scored, handed to NumPyro."""
from __future__ import annotations

from functools import cached_property
from typing import Any, Mapping

import jax

from pullback.backends.xla.compiled import Argument, Specialized, environment, evaluate, put
from pullback.backends.xla.simulate import opened, simulate
from pullback.compiler import ops as op
from pullback.compiler import pipeline
from pullback.compiler.diagnostic import ArgumentError, Diagnostic, ProgramError
from pullback.compiler.ir import Graph
from pullback.dsl import elaborate
from pullback.dsl.values import Declared, Undetermined
from pullback.function import Function
from pullback.texts import parameters_of, static_ints


class Simulator(Function):
    """The draws of a model instead of an objective: a tuple of the leaves of its trace and of its value."""

    def _make(self, graph: Graph, over: tuple[str, ...] = ()) -> Specialized:
        final = opened(graph)

        def values(key: Any, params: Any, data: Any) -> Any:
            return simulate(final, environment(final, params, data), key)
        return Specialized({"ir": graph, "opened": final}, final, jax.jit(values), values)


class Density(Function):
    """A log density: nothing is drawn, and what is marginalized is summed."""

    def _make(self, graph: Graph, over: tuple[str, ...] = ()) -> Specialized:
        stages = pipeline.stages(graph)
        for box in stages["checked"].walk():
            if box.op is op.estimate:
                raise ProgramError([Diagnostic(
                    "density", f"the log density of `{box['name']}` is an estimate: it is no number without a key", box.span,
                    help="take `logp` of it in an objective")])
        final = stages["estimator"]

        def value(key: Any, params: Any, data: Any) -> Any:
            return evaluate(final, environment(final, params, data), key)[0]
        return Specialized(stages, final, jax.jit(value), jax.jit(jax.value_and_grad(value, argnums=2)))


class Model:
    """`m.sample(key, **arguments)`, `m.logp(trace, **arguments)`; called with arguments that are known before the run it is
    the model of those, as `compile(p = m(…))` takes it."""

    def __init__(self, loaded: elaborate.Loaded, declared: Declared, known: Mapping[str, Any] | None = None):
        self.loaded, self.declared, self.fixed = loaded, declared, dict(known or {})

    name = property(lambda self: self.declared.name)
    doc = property(lambda self: self.declared.doc)

    def __repr__(self) -> str:
        return f"<model {self.name}({', '.join(f'{n}: {t}' for n, t in self.parameters.items())})>"

    def __call__(self, **known: Any) -> Model:
        for name in known:
            if name not in self.parameters:
                raise ArgumentError(f"`{self.name}` has no argument `{name}`")
        return Model(self.loaded, self.declared, {**self.fixed, **known})

    @property
    def parameters(self) -> dict[str, str]:
        """The arguments, name → type as it is written."""
        return parameters_of(self.declared.node)

    @property
    def given(self) -> dict[str, str]:
        return self.parameters

    # ------------------------------------------------------------ draws and densities

    def sample(self, key: Any, **arguments: Any) -> dict[str, Any]:
        """A trace: address → array, nested for models inside the model."""
        f, arguments = self._drawn.known(arguments)
        params, data = f._given({}, arguments)
        values = f._specialized(params, data).value(key, params, data)
        trace: dict[str, Any] = {}
        for address, value in zip(self._addresses, values):
            put(trace, address, value)
        return trace

    def logp(self, trace: Mapping[str, Any], **arguments: Any) -> Any:
        """The log density of a trace; one that does not fit is an `ArgumentError`.  Jittable and differentiable."""
        f, arguments = self._scored.known(arguments)
        heads = {address.partition(".")[0] for address in self._scored_addresses}
        missing, extra = heads - set(trace), set(trace) - heads
        if missing or extra:
            said = [f"lacks {listed(missing)}"] * bool(missing) + [f"has {listed(extra)}, which it does not choose"] * bool(extra)
            raise ArgumentError(Diagnostic("trace", f"the trace for `{self.name}` {' and '.join(said)}",
                                           self.declared.node.span, help=f"it chooses {listed(heads)}"))
        params, data = f._given({}, {**arguments, **{f"{MARK}{name}": value for name, value in trace.items()}})
        return f._specialized(params, data).value(jax.random.key(0), params, data)

    def addresses(self, **arguments: Any) -> dict[str, tuple[Any, tuple[int, ...], Any]]:
        """address → (distribution, shape, dtype)."""
        f, arguments = self._drawn.known(arguments)
        params, data = f._given({}, arguments)
        made = f._specialized(params, data)
        shapes = jax.eval_shape(lambda: made.value(jax.random.key(0), params, data))
        known = {box["path"][-1][0] if "path" in box.attributes else box["address"]: box["distribution"]
                 for box in made.graph.walk() if box.op.name == "draw"}
        return {address: (known.get(address.rpartition(".")[2]), shape.shape, shape.dtype)
                for address, shape in zip(self._addresses, shapes)}

    def to_numpyro(self, **arguments: Any) -> Any:
        """A NumPyro model with the same addresses; called with `address = value` it is observed there."""
        from pullback.backends.export.numpyro import to_numpyro
        f, arguments = self._drawn.known(arguments)
        params, data = f._given({}, arguments)
        final = f._specialized(params, data).graph
        return to_numpyro(final, self._addresses, environment(final, params, data), self.name)

    named_stages = ("source", "ir", "plates")

    def graph(self, stage: str = "ir") -> Any:
        """The drawing of the model: `source`, `ir`, or `plates`, the plate diagram of it."""
        from pullback.backends.draw import draw, draw_plates
        ir = self._general("sample")[0]
        if stage not in ("source", "ir", "plates"):
            raise ArgumentError(Diagnostic("argument", f"a model has no stage `{stage}`", help="it has `source`, `ir`, `plates`"))
        if stage == "plates":
            return draw_plates(ir, name=self.name)
        return draw({"ir": ir}, stage, source=self.declared.module.source, name=self.name)

    def prepared(self, seed: int, data: Mapping[str, Any], **settings: Any) -> Model:
        """As the command line asks for what it draws."""
        return self

    # ------------------------------------------------------------ inside

    def _general(self, mode: str) -> tuple[Graph, list[str]]:
        try:
            return elaborate.model_graph(self.loaded, self.name, mode, self.fixed)
        except Undetermined as reason:
            raise ArgumentError(Diagnostic("argument", f"`{self.name}` can't be used alone: {reason} is not known",
                                           self.declared.node.span)) from None

    def _function(self, kind: type[Function], mode: str, marked: bool) -> tuple[Function, list[str]]:
        graph, addresses = self._general(mode)
        own = len(graph.inputs) - (len(addresses) if marked else 0)
        arguments = [Argument(wire.name, wire.type) for wire in graph.inputs[:own]]
        arguments += [Argument(f"{MARK}{address}", wire.type) for address, wire in zip(addresses, graph.inputs[own:])]

        def make(sizes: Mapping[str, int], shapes: Mapping[str, Any]) -> Graph:
            made, names = elaborate.model_graph(self.loaded, self.name, mode, self.fixed, sizes, shapes)
            return renamed(made, [argument.name for argument in arguments])
        return kind(self.name, make, tuple(arguments), statics=static_ints(self.declared) - set(self.fixed),
                    source=self.declared.module.source), addresses

    @cached_property
    def _sampling(self) -> tuple[Function, list[str]]:
        return self._function(Simulator, "sample", False)

    @cached_property
    def _scoring(self) -> tuple[Function, list[str]]:
        return self._function(Density, "density", True)

    _drawn = property(lambda self: self._sampling[0])
    _addresses = property(lambda self: self._sampling[1])
    _scored = property(lambda self: self._scoring[0])
    _scored_addresses = property(lambda self: self._scoring[1])


MARK = "~"  # stands before the addresses of a trace among the arguments: both may have one name


def renamed(graph: Graph, names: list[str]) -> Graph:
    """The graph with its inputs called as they are given."""
    from dataclasses import replace
    same = {wire: replace(wire, name=name) for wire, name in zip(graph.inputs, names) if wire.name != name}
    return graph.rename(same)


def listed(names: Any) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))
