"""A network of a program, as a function of Python: `program["decoder"](w, x)`, with parameters from `.init(key)`."""
from __future__ import annotations

from typing import Any, Mapping

from pullback.compiler.diagnostic import ArgumentError
from pullback.compiler.type import Array
from pullback.dsl.elaborate import Loaded
from pullback.dsl.values import Declared


class Network:
    """Layers in a row: an ordinary JAX function of its parameters and its input, with nothing random in it.

    domain, codomain: the shapes of one input and of its value.
    """

    def __init__(self, loaded: Loaded, declared: Declared):
        self.name, self._record = declared.name, declared.module.network(declared)
        self.domain, self.codomain = self._record.domain, self._record.codomain

    def __repr__(self) -> str:
        return f"<network {self.name}: {Array('real', self.domain)} -> {Array('real', self.codomain)}>"

    def init(self, key: Any) -> dict[str, dict[str, Any]]:
        """Fresh parameters: a dict from a layer's place to its arrays by name."""
        return self._record.init(key)

    def __call__(self, params: Mapping[str, Mapping[str, Any]], x: Any) -> Any:
        """The value [*batch, *codomain] at x [*batch, *domain]; `ArgumentError` if parameters or x do not fit."""
        import jax.numpy as jnp
        for place, leaves in self._record.leaves.items():
            for name, type in leaves.items():
                try:
                    shape = jnp.shape(params[place][name])
                except (KeyError, TypeError):
                    raise ArgumentError(f"the parameters of `{self.name}` lack `{place}.{name}`: a `{type}`") from None
                if shape != tuple(type.shape):
                    raise ArgumentError(f"`{place}.{name}` of `{self.name}` is a `{type}`, and an array of shape "
                                        f"{list(shape)} was given")
        given = jnp.shape(x)
        if given[len(given) - len(self.domain):] != tuple(self.domain) or len(given) < len(self.domain):
            raise ArgumentError(f"`{self.name}` takes a `{Array('real', self.domain)}`, and an array of shape {list(given)} was given")
        return self._record.apply(params, x)
