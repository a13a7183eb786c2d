"""Numbers whose value is 0 and whose derivative is given: what rules of first order weigh their added points with.

    slope(θ, c)  =  0          ∂ slope / ∂θ  =  c

They hold no second derivative: asking for one is an error, and never a silent 0.
"""
from __future__ import annotations

from typing import Any, Callable

import jax
import jax.numpy as jnp

from pullback.compiler.diagnostic import Diagnostic, ProgramError


def slope(theta: Any, factor: Any, refuse: Callable[[], ProgramError]) -> Any:
    """0 with the derivative `factor` in `theta`, of their common shape; `refuse` makes the error of a second derivative."""
    @jax.custom_jvp
    def zero(theta: Any, factor: Any) -> Any:
        return jnp.zeros_like(theta * factor)

    @jax.custom_jvp
    def once(factor: Any, theta: Any) -> Any:
        return factor

    @zero.defjvp
    def _(primals: tuple, tangents: tuple) -> tuple:
        theta, factor = primals
        return zero(theta, factor), once(factor, theta) * tangents[0]

    @once.defjvp
    def _(primals: tuple, tangents: tuple) -> tuple:
        raise refuse()
    theta, factor = jnp.broadcast_arrays(theta, jax.lax.stop_gradient(factor))
    return zero(theta, factor)


def refused(rule: str, box: Any) -> ProgramError:
    """The error of a second derivative through a choice."""
    name = box.output.name if len(box.outputs) == 1 else box.outputs[0].name
    return ProgramError([Diagnostic(
        "derivative", f"a second derivative is asked of an objective in which `{name}` is drawn `by {rule}`", box.span,
        f"`{rule}` gives first derivatives only", help="`by enum`, `by reparam` and `by reinforce` give second derivatives")])
