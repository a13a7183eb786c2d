"""Layers without parameters: activations, element by element, and changes of shape."""
from __future__ import annotations

import math
from typing import Any, Callable

from pullback.compiler.network import Layer
from pullback.compiler.type import Array, Size, known


def activation(name: str, smooth: str) -> Callable[..., Layer]:
    """The activation that JAX calls `name`."""
    def make(domain: tuple[Size, ...]) -> Layer:
        def apply(params: Any, x: Any) -> Any:
            import jax
            import jax.numpy as jnp
            return getattr(jax.nn, name)(x) if hasattr(jax.nn, name) else getattr(jnp, name)(x)
        return Layer(name, domain, domain, apply, smooth=smooth)
    return make


def leaky_relu(domain: tuple[Size, ...], slope: float = 0.01) -> Layer:
    """x where x > 0, else slope·x."""
    def apply(params: Any, x: Any) -> Any:
        import jax
        return jax.nn.leaky_relu(x, slope)
    return Layer("leaky_relu", domain, domain, apply, smooth="continuous")


def softmax(domain: tuple[Size, ...]) -> Layer:
    """Probabilities along the last axis."""
    def apply(params: Any, x: Any) -> Any:
        import jax
        return jax.nn.softmax(x)
    return Layer("softmax", domain, domain, apply)


def flatten(domain: tuple[Size, ...]) -> Layer:
    """All numbers in one vector."""
    if not all(map(known, domain)):
        raise TypeError("the sizes of a network must be known")

    def apply(params: Any, x: Any) -> Any:
        return x.reshape(*x.shape[:x.ndim - len(domain)], -1)
    return Layer("flatten", domain, (math.prod(domain),), apply)


def reshape(domain: tuple[Size, ...], *shape: int) -> Layer:
    """The same numbers in another shape."""
    if math.prod(domain) != math.prod(shape):
        raise TypeError(f"`{Array('real', domain)}` has {math.prod(domain)} numbers, and `{Array('real', shape)}` "
                        f"{math.prod(shape)}")

    def apply(params: Any, x: Any) -> Any:
        return x.reshape(*x.shape[:x.ndim - len(domain)], *shape)
    return Layer("reshape", domain, tuple(shape), apply)


SMOOTH = ("tanh", "sigmoid", "softplus", "gelu", "silu", "swish", "mish", "log_sigmoid", "log_softmax", "identity", "exp", "sin")
KINKED = ("relu", "elu", "selu", "celu", "relu6", "hard_tanh", "hard_sigmoid", "soft_sign")

LAYERS = {**{name: activation(name, "smooth") for name in SMOOTH}, **{name: activation(name, "continuous") for name in KINKED},
          "leaky_relu": leaky_relu, "softmax": softmax, "flatten": flatten, "reshape": reshape}
