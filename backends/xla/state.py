"""The state of a fit, and its parameters in the unconstrained space where optimizers work.

    u  ──bijection of the type──▶  parameter           w: params (a pytree) is its own unconstrained space

A state is one pytree of arrays: what a checkpoint holds is its leaves by their paths.
"""
from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from pullback.compiler.constraint import bijection, unconstrained_shape
from pullback.compiler.diagnostic import ArgumentError, Diagnostic, Reported, near
from pullback.compiler.source import Span
from pullback.compiler.type import Array, Params, Type


@dataclass(frozen=True)
class Variable:
    """A parameter under `over`: its type with sizes known, and its start as a function of a key (None: the origin)."""

    name: str
    type: Type
    start: Callable[[Any], Any] | None = None
    span: Span | None = None


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class State:
    """What a fit goes on from: the number of steps done, unconstrained parameters, the optimizers' states, the key."""

    step: Any
    params: Mapping[str, Any]
    optimizers: tuple[Any, ...]
    key: Any
    sound: Any = field(default_factory=lambda: jnp.array(True))

    def arrays(self) -> dict[str, np.ndarray]:
        """Every leaf by its path, on the host."""
        leaves = jax.tree_util.tree_flatten_with_path(plain_key(self))[0]
        return {path_name(path): np.asarray(leaf) for path, leaf in leaves}

    def shapes(self) -> dict[str, jax.ShapeDtypeStruct]:
        leaves = jax.tree_util.tree_flatten_with_path(plain_key(self))[0]
        return {path_name(path): jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for path, leaf in leaves}

    def filled(self, arrays: Mapping[str, np.ndarray]) -> State:
        """A state of this form with the arrays of another."""
        leaves, form = jax.tree_util.tree_flatten_with_path(plain_key(self))
        made = jax.tree.unflatten(form, [jnp.asarray(arrays[path_name(path)]) for path, _ in leaves])
        if jnp.issubdtype(self.key.dtype, jax.dtypes.prng_key):
            return State(made.step, made.params, made.optimizers,
                         jax.random.wrap_key_data(made.key, impl=jax.random.key_impl(self.key)), made.sound)
        return made


def plain_key(state: State) -> State:
    """The state with its key as plain numbers."""
    if not jnp.issubdtype(state.key.dtype, jax.dtypes.prng_key):
        return state
    return State(state.step, state.params, state.optimizers, jax.random.key_data(state.key), state.sound)


def path_name(path: Sequence[Any]) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")


def constrain(variables: Sequence[Variable], free: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters by name, from the unconstrained space."""
    return {v.name: pushed(v.type, free[v.name]) for v in variables}


def pushed(type: Type, value: Any, back: bool = False) -> Any:
    """A value of the unconstrained space through the bijection of its type (or back), those of a guide's arguments too."""
    if isinstance(type, Params) and isinstance(type.tree, Mapping) and isinstance(value, Mapping):
        return {name: pushed(type.tree[name], item, back) if name in type.tree else item for name, item in value.items()}
    if isinstance(type, Mapping) and isinstance(value, Mapping):
        return {name: pushed(type[name], item, back) if name in type else item for name, item in value.items()}
    if isinstance(type, Array) and type.constraint is not None:
        transform = bijection(type.constraint)
        return transform.inv(value) if back else transform(value)
    return value


def start(variables: Sequence[Variable], key: Any, init: Mapping[str, Any]) -> dict[str, Any]:
    """Unconstrained starts: from `init`, else from the program, else the origin."""
    for name in init:
        if name not in {v.name for v in variables}:
            raise ArgumentError(Diagnostic(
                "argument", f"`init` has `{name}`, which the fit is not over",
                help=near(name, [v.name for v in variables]) or "it is over " + ", ".join(v.name for v in variables)))
    free, wrong = {}, []
    for variable in variables:
        try:
            free[variable.name] = origin(variable, key, init)
        except Reported as report:
            wrong += report.diagnostics
    if wrong:
        raise ArgumentError(*wrong)
    return free


def origin(variable: Variable, key: Any, init: Mapping[str, Any]) -> Any:
    """Where one parameter starts, in the unconstrained space."""
    name, type = variable.name, variable.type
    if name in init:
        value = jax.tree.map(jnp.asarray, init[name])
    elif variable.start is not None:
        value = variable.start(start_key(key, name))
    elif isinstance(type, Params):
        raise Reported(Diagnostic("argument", f"`{name}: params` has no start", variable.span,
                                  help=f"`over {name}: params = net.init`, or `init` with `{name}`"))
    else:
        return jnp.zeros(unconstrained_shape(type))
    if isinstance(type, Array):
        value = jnp.asarray(value, dtype=jnp.zeros(()).dtype if type.kind == "real" else None)
        if value.shape != tuple(type.shape):
            raise Reported(Diagnostic(
                "argument", f"`{name}` is a `{type}`, and its start has shape {list(value.shape)}", variable.span))
    else:
        value = jax.tree.map(jnp.asarray, value)
    free = pushed(type, value, back=True)
    if not all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(free)):
        raise Reported(Diagnostic("argument", f"the start of `{name}` is not inside `{type}`", variable.span))
    return free


def start_key(key: Any, name: str) -> Any:
    """The key of a parameter's start: far from those of the steps, and the same whatever else the fit is over."""
    return jax.random.fold_in(jax.random.fold_in(key, 2**32 - 1), zlib.crc32(f"over.{name}".encode()))
