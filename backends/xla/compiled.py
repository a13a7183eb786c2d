"""A compiled objective: an ordinary JAX function of a key, parameters and data.

The graph is made anew for each set of shapes (sizes become numbers), goes through the pipeline once, and is traced once by
JAX; `f` is jitted when it is called directly and can be called inside `jit`, `vmap`, `grad` and `scan`.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np

from pullback.backends.xla.lower import evaluate
from pullback.compiler import ops as op
from pullback.compiler import pipeline
from pullback.compiler import rule as rules
from pullback.compiler.diagnostic import ArgumentError, Diagnostic, ProgramError, near
from pullback.compiler.ir import Graph
from pullback.compiler.ledger import Ledger, ledger
from pullback.compiler.type import Array, Type, known


@dataclass(frozen=True, slots=True)
class Argument:
    """A parameter of an objective: its name and type (one entry a leaf: a record's are `t.x`)."""

    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class Specialized:
    """What was made for one set of shapes."""

    stages: Mapping[str, Graph]
    graph: Graph
    value: Callable[..., Any]
    gradient: Callable[..., Any]


class Compiled:
    """`f(key, params, **data)`: an unbiased estimate of the objective; `f.value_and_grad` with the gradient in `params`.

    build: the objective's graph, from the sizes that are known (a mapping, empty where none is) and the types of what is
    known only by its arrays (`params`, an argument without a type: a pytree of `Array`s by its name);
    arguments: what must be given; particles: independent samples that one estimate averages.
    """

    def __init__(self, name: str, build: Callable[[Mapping[str, int], Mapping[str, Any]], Graph], arguments: tuple[Argument, ...],
                 particles: int = 1, allow_biased: bool = False, exactly: bool = False):
        if not isinstance(particles, int) or particles < 1:
            raise ArgumentError(f"`particles` is a positive int, and this is {particles!r}")
        self.name, self.build, self.arguments = name, build, arguments
        self.parameters = getattr(self, "parameters", None)
        self.particles, self.allow_biased, self.exactly = particles, allow_biased, exactly
        self._made: dict[Any, Specialized] = {}
        self._general: Mapping[str, Graph] | None = None
        self._last: Specialized | None = None

    def __call__(self, key: Any, params: Mapping[str, Any], **data: Any) -> Any:
        params, data = self._given(params, data)
        return self._specialized(params, data).value(key, params, data)

    def value_and_grad(self, key: Any, params: Mapping[str, Any], **data: Any) -> tuple[Any, Any]:
        """The estimate and its derivative in `params` (of the same structure), in one reverse pass."""
        params, data = self._given(params, data)
        return self._specialized(params, data).gradient(key, params, data)

    def exact(self, params: Mapping[str, Any], **data: Any) -> Any:
        """The exact value, where every choice has a finite support (or gives no noise)."""
        return self._exact(jax.random.key(0), params, **data)

    @property
    def _exact(self) -> Compiled:
        if not hasattr(self, "_exactly"):
            self._exactly = Compiled(self.name, lambda *known: enumerated(self.build(*known)), self.arguments, 1,
                                     self.allow_biased)
        return self._exactly

    def specialize(self, params: Mapping[str, Any], **data: Any) -> Compiled:
        """Check what depends on sizes, from arrays or `jax.ShapeDtypeStruct`s; returns f."""
        self._specialized(*self._given(params, data))
        return self

    def stages(self, params: Mapping[str, Any] | None = None, **data: Any) -> Mapping[str, Graph]:
        """The graph after every pass: for the shapes given, or those last seen, or with sizes as names."""
        if params is not None:
            return self._specialized(*self._given(params, data)).stages
        if self._last is not None:
            return self._last.stages
        if self._general is None:
            self._general = pipeline.stages(self.build({}, {}), particles=self.particles, allow_biased=self.allow_biased,
                                            over=self.parameters or ())
        return self._general

    @property
    def ledger(self) -> Ledger:
        """Which rule every choice has, why, and whether the whole is unbiased."""
        return ledger(self.stages()["checked"], self.name, self.allow_biased)

    # ------------------------------------------------------------ arguments

    def _given(self, params: Mapping[str, Any], data: Mapping[str, Any]) -> tuple[dict, dict]:
        if not isinstance(params, Mapping):
            raise ArgumentError(f"`{self.name}` takes its parameters as a dict from name to array; this is a "
                                f"{type(params).__name__}")
        declared = {argument.name.partition(".")[0] for argument in self.arguments}
        for name in (*params, *data):
            if name not in declared:
                hint = near(name, declared)
                raise ArgumentError(f"`{self.name}` has no argument `{name}`" + (f": {hint}" if hint else
                                    f"; it has {', '.join(f'`{n}`' for n in sorted(declared))}"))
            if name in params and name in data:
                raise ArgumentError(f"`{name}` stands both among the parameters and among the data of `{self.name}`")
        made: tuple[dict, dict] = ({}, {})
        for argument in self.arguments:
            head = argument.name.partition(".")[0]
            place = 0 if head in params else 1
            if head not in params and head not in data:
                raise ArgumentError(f"`{self.name}` needs `{argument.name}: {argument.type}`, and it was not given")
            value = leaf((params, data)[place][head], argument.name)
            put(made[place], argument.name, self._array(argument, value))
        return made

    def _array(self, argument: Argument, value: Any) -> Any:
        """The value as an array of the declared type."""
        declared = argument.type
        if not isinstance(declared, Array):
            return jax.tree.map(lambda leaf: leaf if hasattr(leaf, "dtype") else jnp.asarray(leaf), value)
        if declared.kind == "text" or declared.words:
            value = words(argument, value)
        if not hasattr(value, "shape") or not hasattr(value, "dtype"):
            try:
                value = np.asarray(value)
            except Exception:
                raise ArgumentError(f"`{argument.name}: {declared}` can't be made of a {type(value).__name__}") from None
        kind = np.dtype(value.dtype).kind if not jnp.issubdtype(value.dtype, jnp.floating) else "f"
        if declared.kind == "int" and kind == "f":
            raise ArgumentError(f"`{argument.name}: {declared}` is an int, and the array given is of {value.dtype}")
        if kind not in "fiub" and declared.kind not in ("complex", "text"):
            raise ArgumentError(f"`{argument.name}: {declared}` is a number, and the array given is of {value.dtype}")
        if len(value.shape) != declared.rank:
            raise ArgumentError(f"`{argument.name}: {declared}` has {declared.rank} dimension{'s' * (declared.rank != 1)}, "
                                f"and the array given has shape {tuple(value.shape)}")
        wanted = {"real": jnp.result_type(float), "int": jnp.int32, "bool": jnp.bool_,
                  "complex": jnp.result_type(complex), "text": np.dtype(object)}[declared.kind]
        if isinstance(value, jax.ShapeDtypeStruct):
            return jax.ShapeDtypeStruct(value.shape, wanted)
        return value if value.dtype == wanted else jnp.asarray(value).astype(wanted)

    def _sizes(self, values: Mapping[str, Any]) -> dict[str, int]:
        """The size names that the shapes tell; `ArgumentError` where two shapes disagree."""
        sizes: dict[str, int] = {}
        told: dict[str, str] = {}
        for argument in self.arguments:
            if not isinstance(argument.type, Array):
                continue
            shape = values[argument.name].shape
            for size, here in zip(argument.type.shape, shape):
                name = None if known(size) else str(size)
                if name is not None and name.isidentifier():
                    if sizes.setdefault(name, int(here)) != here:
                        raise ArgumentError(
                            f"`{argument.name}: {argument.type}` was given shape {tuple(shape)}, so {name} = {here}; but "
                            f"`{told[name]}` says {name} = {sizes[name]}")
                    told.setdefault(name, f"{argument.name}: {argument.type}")
        for argument in self.arguments:
            if isinstance(argument.type, Array):
                from pullback.compiler.type import substitute
                shape = values[argument.name].shape
                want = tuple(substitute(size, sizes) for size in argument.type.shape)
                if tuple(want) != tuple(shape):
                    raise ArgumentError(f"`{argument.name}: {argument.type}` was given shape {tuple(shape)}; it must be "
                                        f"{tuple(want)}")
        return sizes

    def _specialized(self, params: dict, data: dict) -> Specialized:
        values = {a.name: leaf((params if a.name.partition(".")[0] in params else data)[a.name.partition(".")[0]], a.name)
                  for a in self.arguments}
        shapes = tuple((name, jax.tree.structure(v), tuple((tuple(x.shape), str(x.dtype)) for x in jax.tree.leaves(v)))
                       for name, v in values.items())
        which = (shapes, tuple(params), jax.config.jax_enable_x64)
        if which not in self._made:
            told = {a.name: jax.tree.map(array_type, values[a.name]) for a in self.arguments if not isinstance(a.type, Array)}
            graph = self.build(self._sizes(values), told)
            self._made[which] = self._make(graph, tuple(params))
        self._last = self._made[which]
        return self._last

    def _make(self, graph: Graph, over: tuple[str, ...] = ()) -> Specialized:
        stages = pipeline.stages(graph, particles=self.particles, allow_biased=self.allow_biased, over=over)
        final = stages["estimator"]
        for box in graph.walk():
            if box.op is op.extern and box["function"] is None:
                raise ArgumentError(Diagnostic("argument", f"nothing was passed for the extern `{box['name']}`", box.span,
                                               help=f"give it to `load` by keyword, `{box['name']} = …`, or say "
                                                    f"`--extern {box['name']}=module:function`"))

        def value(key: Any, params: dict, data: dict) -> Any:
            return evaluate(final, environment(final, params, data), key)[0]
        gradient = jax.value_and_grad(value, argnums=1)
        return Specialized(stages, final, jax.jit(value), jax.jit(gradient))


def words(argument: Argument, value: Any) -> np.ndarray:
    """Texts as an array of Python's strings; the texts of a `one_of` as the ints that stand for them."""
    array, declared = np.asarray(value, object), argument.type
    if declared.kind == "text":  # a column of a file that holds numbers only was read as such
        array = np.array([str(item) if isinstance(item, (int, np.integer)) and not isinstance(item, bool) else item for item in array.flat]
                         + [None], object)[:-1].reshape(array.shape)
    wrong = next((item for item in array.flat if not isinstance(item, str)), None)
    if wrong is not None and not (declared.words and all(isinstance(item, (int, np.integer)) for item in array.flat)):
        raise ArgumentError(f"`{argument.name}: {declared}` has texts, and {wrong!r} stands among those that were given")
    if declared.kind == "text":
        return array
    unknown = next((item for item in array.flat if isinstance(item, str) and item not in declared.words), None)
    if unknown is not None:
        raise ArgumentError(f"`{argument.name}: {declared}` was given {unknown!r}" + (f": {hint}" if (hint := near(unknown, declared.words)) else ""))
    return np.array([declared.words.index(item) if isinstance(item, str) else int(item) for item in array.flat], np.int32).reshape(array.shape)


def environment(graph: Graph, params: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """The arrays of a graph's inputs."""
    return {wire.name: leaf(params if wire.name.partition(".")[0] in params else data, wire.name, top=True)
            for wire in graph.inputs}


def array_type(array: Any) -> Array:
    """The type of an array that was given."""
    kinds = {"f": "real", "V": "real", "i": "int", "u": "int", "b": "bool", "c": "complex"}
    return Array(kinds[np.dtype(array.dtype).kind], tuple(array.shape))


def leaf(value: Any, name: str, top: bool = False) -> Any:
    """The leaf `t.x` of a record given as nested dicts (`top`: the dict holds the first name too)."""
    parts = name.split(".")
    for part in parts if top else parts[1:]:
        if not isinstance(value, Mapping) or part not in value:
            raise ArgumentError(f"`{name}` is missing")
        value = value[part]
    return value


def put(where: dict, name: str, value: Any) -> None:
    *path, last = name.split(".")
    for part in path:
        where = where.setdefault(part, {})
    where[last] = value


def enumerated(graph: Graph) -> Graph:
    """The graph with every choice by `enum`; `ProgramError` names the choices that are not finite."""
    enum = rules.find("enum")()
    infinite = [box for box in graph.walk() if box.op is op.draw and box["distribution"].finite is None]
    if infinite:
        raise ProgramError([Diagnostic("support", f"`{box.output.name}` has no finite support: there is no exact value",
                                       box.span, f"drawn from `{box['distribution'].name}`") for box in infinite])
    return graph.map(lambda box: box.but(rule=enum) if box.op is op.draw else box)
