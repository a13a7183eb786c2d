"""What `compile` gives: a JAX function that knows its program, its stages and its drawings.

Ints that sizes and loops are made of (`k: int` in `for i in 0..k`) are known before the run: they are given to `compile`,
or as Python ints in a call, and there is one function inside for each set of them.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Mapping

import jax
import jax.numpy as jnp

from pullback.backends.draw import Drawing, draw, draw_jaxpr
from pullback.backends.xla.compiled import Argument, Compiled, Specialized, environment, evaluate
from pullback.backends.xla.locate import locate
from pullback.compiler.diagnostic import ArgumentError, Diagnostic, near
from pullback.compiler.ir import Graph
from pullback.compiler.source import Source, Span
from pullback.texts import frozen, texts

Make = Callable[[Mapping[str, int], Mapping[str, Any]], Graph]


class Function(Compiled):
    """`f(key, params, **data)`, an unbiased estimate of an objective.

    make: the graph, from sizes and shapes; statics: the ints that must be known; fixed: those that are.
    """

    def __init__(self, name: str, make: Make, arguments: tuple[Argument, ...], *, statics: frozenset[str] = frozenset(),
                 fixed: Mapping[str, int] | None = None, source: Source | None = None, particles: int = 1,
                 allow_biased: bool = False, parameters: tuple[str, ...] | None = None):
        self.make, self.statics, self.fixed, self.source = make, statics, dict(fixed or {}), source
        self.parameters = parameters
        self._with: dict[tuple, Function] = {}
        self._seen: tuple[Any, Any] | None = None
        super().__init__(name, lambda sizes, shapes: make({**sizes, **self.fixed}, shapes), arguments, particles,
                         allow_biased)

    def __repr__(self) -> str:
        names = ", ".join(argument.name for argument in self.arguments)
        return f"<{self.name}(key, params, …): {names}; {self.particles} particle{'s' * (self.particles != 1)}>"

    def __call__(self, key: Any, params: Mapping[str, Any], **data: Any) -> Any:
        f, data = self.known(data)
        return Compiled.__call__(f, key, params, **data)

    def value_and_grad(self, key: Any, params: Mapping[str, Any], **data: Any) -> tuple[Any, Any]:
        """The estimate and its derivative in `params`, in one reverse pass."""
        f, data = self.known(data)
        return Compiled.value_and_grad(f, key, params, **data)

    def exact(self, params: Mapping[str, Any], **data: Any) -> Any:
        """The exact value, where every choice has a finite support."""
        f, data = self.known(data)
        return Compiled.exact(f, params, **data)

    def specialize(self, params: Mapping[str, Any], **data: Any) -> Function:
        """Check what depends on sizes, from arrays or `jax.ShapeDtypeStruct`s; returns f."""
        f, data = self.known(data)
        Compiled.specialize(f, params, **data)
        self._last, self._seen = f._last, f._seen
        return self

    def stages(self, params: Mapping[str, Any] | None = None, **data: Any) -> Mapping[str, Graph]:
        """The graph after every pass: for the shapes given, or those last seen, or with sizes as names."""
        f, data = self.known(data)
        return Compiled.stages(f, params, **data)

    def graph(self, stage: str = "ir", params: Mapping[str, Any] | None = None, **data: Any) -> Drawing:
        """The drawing of a stage: `source`, `ir`, `checked`, `estimator`, `jaxpr`, or any pass's name."""
        if params is not None:
            self.specialize(params, **data)
        if stage == "jaxpr":
            return self._jaxpr()
        stages = self.stages()
        if stage != "source" and stage not in stages:
            known = ["source", *stages, "jaxpr"]
            raise ArgumentError(Diagnostic("argument", f"there is no stage `{stage}`",
                                           help=near(stage, known) or f"stages are {', '.join(known)}"))
        return draw(stages, stage, parameters=self._parameters(), source=self.source, name=self.name)

    def locate(self, key: Any, params: Mapping[str, Any], data: Mapping[str, Any]) -> tuple[str, Span | None] | None:
        """The first value that is not finite, or through which the derivative is not, and where it stands."""
        f, data = self.known(dict(data))
        params, data = f._given(params, data)
        graph = f._specialized(params, data).graph
        return locate(graph, environment(graph, params, data), key)

    @property
    def named_stages(self) -> tuple[str, ...]:
        """What a page of all stages shows; the jaxpr once shapes are known."""
        return ("source", "ir", "checked", "estimator", *(["jaxpr"] if self._seen is not None else []))

    # ------------------------------------------------------------ inside

    def known(self, data: Mapping[str, Any]) -> tuple[Function, dict[str, Any]]:
        """The function of the ints among the data that must be known, and the rest of the data."""
        given = {name: self._int(name, value) for name, value in data.items() if name in self.statics}
        rest = {name: value for name, value in data.items() if name not in given}
        new = {name: value for name, value in given.items() if self.fixed.get(name) != value}
        if not new:
            return self, rest
        which = tuple(sorted({**self.fixed, **new}.items()))
        if which not in self._with:
            self._with[which] = self._again(dict(which))
        return self._with[which], rest

    def _again(self, fixed: Mapping[str, int]) -> Function:
        """The same with other ints."""
        return type(self)(self.name, self.make, self.arguments, statics=self.statics, fixed=fixed, source=self.source,
                          particles=self.particles, allow_biased=self.allow_biased, parameters=self.parameters)

    def _int(self, name: str, value: Any) -> Any:
        if texts(value):
            return frozen(value)
        if isinstance(value, jax.core.Tracer):
            raise ArgumentError(f"`{name}: int` of `{self.name}` must be known before the run; inside `jit` it is not: give it "
                                f"to `compile({name} = …)`")
        if jnp.ndim(value) or not jnp.issubdtype(jnp.result_type(value), jnp.integer):
            raise ArgumentError(f"`{name}: int` of `{self.name}` was given {value!r}")
        return int(value)

    def _sizes(self, values: Mapping[str, Any]) -> dict[str, int]:
        sizes = super()._sizes(values)
        for name in sorted(self.statics):
            if name in self.fixed and sizes.get(name, self.fixed[name]) != self.fixed[name]:
                raise ArgumentError(f"`{name}` of `{self.name}` is {self.fixed[name]}, and an array says {sizes[name]}")
            if name not in self.fixed and name not in sizes:
                raise ArgumentError(f"`{self.name}` needs `{name}: {getattr(name, 'type', 'int')}`, and it was not given")
        return sizes | self.fixed

    def _specialized(self, params: dict, data: dict) -> Specialized:
        found = super()._specialized(params, data)
        self._seen = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), (params, data))
        return found

    def _parameters(self) -> tuple[str, ...] | None:
        """The names of the inputs that are differentiated, where that is known."""
        if self._seen is None:
            return self.parameters
        return tuple(a.name for a in self.arguments if a.name.partition(".")[0] in self._seen[0])

    def _jaxpr(self) -> Drawing:
        if self._last is None or self._seen is None:
            raise ArgumentError(f"the jaxpr of `{self.name}` is of known shapes: call it first, or give `params` and "
                                "data (`--data`, `--set`)")
        graph = self._last.graph

        def value(key: Any, params: Any, data: Any) -> Any:
            return evaluate(graph, environment(graph, params, data), key)[0]
        closed = jax.make_jaxpr(jax.value_and_grad(value, argnums=1))(
            jax.eval_shape(lambda: jax.random.key(0)), *self._seen)
        names = [".".join(str(getattr(part, "key", getattr(part, "idx", part))) for part in path)
                 for tree in self._seen for path, _ in jax.tree_util.tree_flatten_with_path(tree)[0]]
        return draw_jaxpr(closed, graph, name=self.name, inputs=("key", *names))


@dataclass(frozen=True)
class Estimate:
    """The mean of several estimates with its standard error; for each parameter the norm of the mean gradient, with its."""

    value: float
    error: float
    gradients: Mapping[str, tuple[float, float]]


def estimate(function: Function, key: Any, params: Mapping[str, Any], data: Mapping[str, Any], draws: int) -> Estimate:
    """Estimate an objective and its gradient `draws` times, one after another on the device."""
    return estimator(function, params, data, draws)(key)


def estimator(function: Function, params: Mapping[str, Any], data: Mapping[str, Any], draws: int) -> Callable[[Any], Estimate]:
    """The same as a function of the key, compiled at its first call."""
    f, data = function.specialize(params, **data).known(data)
    data = jax.tree.map(jnp.asarray, data)

    @jax.jit
    def run(key: Any, params: Any, data: Any) -> Any:
        def once(before: Any, x: Any) -> Any:
            """The mean and the sum of squares around it with one value more (Welford's: nothing large is subtracted)."""
            count, key = x
            means, squares = before
            found = f.value_and_grad(key, params, **data)
            after = jax.tree.map(lambda m, v: m + (v - m) / count, means, found)
            squares = jax.tree.map(lambda s, m, n, v: s + (v - m) * (v - n), squares, means, after, found)
            return (after, squares), None
        zeros = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype),
                             jax.eval_shape(lambda: f.value_and_grad(key, params, **data)))
        return jax.lax.scan(once, (zeros, zeros), (jnp.arange(1, draws + 1), jax.random.split(key, draws)))[0]
    def error(squares: Any) -> float:
        """The squared standard error of a mean, all coordinates together."""
        return float(squares.sum()) / max(draws - 1, 1) / draws

    def told(key: Any) -> Estimate:
        (value, gradient), (square, squares) = jax.block_until_ready(run(key, dict(params), data))
        norms = {name: (float(sum(jnp.sum(mean ** 2) for mean in jax.tree.leaves(gradient[name]))) ** 0.5,
                        sum(map(error, jax.tree.leaves(squares[name]))) ** 0.5) for name in gradient}
        return Estimate(float(value), error(square) ** 0.5, norms)
    return told
