"""What a network is: layers in a row, each with its parameters.

    decoder: real[10] -> real[784] = dense(200) >> relu >> dense(784)
    w = decoder.init(key)          {"0": {"weight": [200, 10], "bias": [200]}, "2": {…}}
    y = decoder.apply(w, x)        x: [*batch, 10]; leading axes are batched in one product

A layer is found by name in the library's `networks` (the face hands over its package): `LAYERS` of its modules.
"""
from __future__ import annotations

import functools
import importlib
import pkgutil
from dataclasses import dataclass, field
from typing import Any, Callable, Literal, Mapping

from pullback.compiler.type import Array, Size

Smoothness = Literal["smooth", "continuous", "jump"]


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One layer between two shapes.

    leaves: its parameters, name → type (none for an activation); init(key) → name → array; apply(parameters, x) with x
    of shape [*batch, *domain].
    """

    name: str
    domain: tuple[Size, ...]
    codomain: tuple[Size, ...]
    apply: Callable[[Mapping[str, Any], Any], Any]
    init: Callable[[Any], Mapping[str, Any]] = field(default=lambda key: {})
    leaves: Mapping[str, Array] = field(default_factory=dict)
    smooth: Smoothness = "smooth"


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """Layers in a row.  Its parameters are a dict of dicts: the layer's place, then the name of the array."""

    name: str
    domain: tuple[Size, ...]
    codomain: tuple[Size, ...]
    layers: tuple[Layer, ...]

    @property
    def leaves(self) -> dict[str, dict[str, Array]]:
        """The types of the parameters."""
        return {str(at): dict(layer.leaves) for at, layer in enumerate(self.layers) if layer.leaves}

    @property
    def smooth(self) -> Smoothness:
        """How the value depends on the input: as badly as through the worst layer."""
        order = ("smooth", "continuous", "jump")
        return max((layer.smooth for layer in self.layers), key=order.index, default="smooth")

    def init(self, key: Any) -> dict[str, dict[str, Any]]:
        """Fresh parameters; each layer's key depends on its place alone."""
        import jax
        return {str(at): dict(layer.init(jax.random.fold_in(key, at)))
                for at, layer in enumerate(self.layers) if layer.leaves}

    def apply(self, params: Mapping[str, Mapping[str, Any]], x: Any) -> Any:
        """The value at x, which may have leading axes."""
        import jax.numpy as jnp
        x = jnp.asarray(x, jnp.result_type(float, x))
        for at, layer in enumerate(self.layers):
            x = layer.apply(params.get(str(at), {}), x)
        return x

    def __repr__(self) -> str:
        return self.name


_packages: list[str] = []


def library(package: str) -> None:
    """Look for layers in the modules of this package."""
    if package not in _packages:
        _packages.append(package)
        layers.cache_clear()


@functools.cache
def layers() -> Mapping[str, Callable[..., Layer]]:
    """Every layer by name: a function of the shape that goes in, and of the layer's own arguments."""
    found: dict[str, Callable[..., Layer]] = {}
    for package in _packages:
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
            found |= getattr(importlib.import_module(f"{package}.{module.name}"), "LAYERS", {})
    return found
