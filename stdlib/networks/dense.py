"""`dense(n)`: x ↦ W x + b, with Equinox's initialization (uniform in ±1/√inputs)."""
from __future__ import annotations

from typing import Any

from pullback.compiler.network import Layer
from pullback.compiler.type import Array, Size, known


def dense(domain: tuple[Size, ...], size: int, *, bias: bool = True) -> Layer:
    """A vector of `size` numbers, each an affine function of all inputs."""
    if len(domain) != 1:
        raise TypeError(f"`dense` takes a vector, and `{Array('real', domain)}` comes in: put `flatten` before it")
    if not known(domain[0]):
        raise TypeError("the sizes of a network must be known")
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise TypeError("`dense(n)` takes a positive int")

    def init(key: Any) -> dict[str, Any]:
        import equinox
        made = equinox.nn.Linear(domain[0], size, use_bias=bias, key=key)
        return {"weight": made.weight} | ({"bias": made.bias} if bias else {})

    def apply(params: Any, x: Any) -> Any:
        y = x @ params["weight"].T
        return y + params["bias"] if bias else y
    leaves = {"weight": Array("real", (size, domain[0]))} | ({"bias": Array("real", (size,))} if bias else {})
    return Layer("dense", domain, (size,), apply, init, leaves)


LAYERS = {"dense": dense, "linear": dense}
