"""Rotations by a part of a full turn, and those that another qubit controls.

    Rx(t) = exp(−iπtX),  Rz(t) = diag(e^{−iπt}, e^{iπt}),  U1(t) = diag(1, e^{2πit})
    CR(t) = P₀⊗1 + P₁⊗R(t);  PR(t) = P₁⊗R(t), in which the derivative of CR is written
Rules, all checked against central differences of the map (amplitudes; channels):
    R: π R(t + ½);                π [E(t + ¼) − E(t − ¼)]
    U1, CU1: iπ [U(t) − U(t + ½)]; the same two terms
    CR: π PR(t + ½);              2π {a [E(t + ¼) − E(t − ¼)] − b [E(t + ¾) − E(t − ¾)]},  a, b = (√2 ± 1)/(4√2)
Source of the rules for channels: Wierichs, Izaac, Wang, Lin (2022), Quantum 6, 677.
"""
from __future__ import annotations

import math
from typing import Any, Callable

import jax.numpy as jnp

from pullback.compiler.gate import QUBIT, Gate, Maker

Q = (QUBIT,)
PI = math.pi


def equidistant(count: int, turn: float) -> tuple[tuple[float, float], ...]:
    """The shift rule (coefficient, shift) of f(t) with the frequencies 1 … count, where `turn` is the period in t:

        f′(x) = Σₘ (−1)^{m−1} / (4R sin²(xₘ/2)) · f(x + xₘ),   xₘ = (2m − 1)π / (2R),   m = 1 … 2R,   x = 2πt / turn
    """
    found = []
    for m in range(1, 2 * count + 1):
        x = (2 * m - 1) * PI / (2 * count)
        shift = x if x <= PI else x - 2 * PI
        found.append(((-1) ** (m - 1) / (4 * count * math.sin(x / 2) ** 2) * 2 * PI / turn, shift / (2 * PI) * turn))
    return tuple(sorted(found, key=lambda term: (abs(term[1]), -term[1])))


TWO = equidistant(1, 1.0)    # a channel's amplitudes turn by half of it: one frequency, a full turn
FOUR = equidistant(2, 2.0)   # a controlled rotation mixes two


def half(t: Any) -> tuple[Any, Any]:
    """Cosine and sine of half the angle."""
    return jnp.cos(PI * t), jnp.sin(PI * t)


def phase(t: Any) -> Any:
    """e^{2πit}."""
    angle = 2 * PI * jnp.asarray(t)
    return jnp.cos(angle) + 1j * jnp.sin(angle)


def rx(t: Any) -> Any:
    c, s = half(t)
    return jnp.stack([jnp.stack([c + 0j, -1j * s]), jnp.stack([-1j * s, c + 0j])])


def ry(t: Any) -> Any:
    c, s = half(t)
    return jnp.stack([jnp.stack([c, s]), jnp.stack([-s, c])])


def rz(t: Any) -> Any:
    return jnp.stack([phase(-t / 2), phase(t / 2)])


def u1(t: Any) -> Any:
    at = phase(t)
    return jnp.stack([jnp.ones_like(at), at])


def controlled(array: Callable, first: float) -> Callable:
    """[control, …]: `first` times the identity where it is 0."""
    def made(t: Any) -> Any:
        on = array(t)
        off = jnp.eye(2, dtype=on.dtype) if on.ndim == 2 else jnp.ones(2, on.dtype)
        return jnp.stack([first * off, on])
    return made


def rotation(name: str, array: Callable, legs: tuple[int, ...], derivative: Any, doubled: Any, doc: str, real: bool = False,
             additive: bool = True, unitary: bool = True) -> Maker:
    wires = Q * (len(legs) // 2)
    gate = Gate(name, wires, wires, array, legs, ("turns",), real=real, additive=additive, unitary=unitary,
                derivative=derivative, doubled=doubled, doc=doc)
    return Maker(name, lambda: gate, turns=("turns",), doc=doc)


def family(axis: str, array: Callable, legs: tuple[int, ...], real: bool) -> tuple[Maker, ...]:
    """The rotation about an axis, the controlled one, and its part under the projector."""
    plain, control, part = f"R{axis}", f"CR{axis}", f"PR{axis}"
    over = (0, 1, 0, 1) if legs == (0, 0) else (0, 1, 0, 2)
    return (
        rotation(plain, array, legs, ((PI, 0.0, plain, 0.5),), TWO, f"Rotation about {axis}.", real),
        rotation(control, controlled(array, 1.0), over, ((PI, 0.0, part, 0.5),), FOUR,
                 f"Rotation of the second about {axis} where the first is 1.", real),
        rotation(part, controlled(array, 0.0), over, ((PI, 0.0, part, 0.5),), None,
                 f"Rotation of the second about {axis} where the first is 1, and 0 where it is 0.", real, unitary=False))


def shifted(name: str) -> tuple:
    """iπ [U(t) − U(t + ½)]."""
    return ((PI, 0.25, name, 0.0), (-PI, 0.25, name, 0.5))


def cu1(t: Any) -> Any:
    at = phase(t)
    one = jnp.ones_like(at)
    return jnp.stack([jnp.stack([one, one]), jnp.stack([one, at])])


_phase = Gate("phase", (), (), phase, (), ("turns",), additive=True, unitary=True,
              derivative=((2 * PI, 0.0, "phase", 0.25),), doubled=())
ROTATIONS = (
    *family("x", rx, (0, 1), False), *family("y", ry, (0, 1), True), *family("z", rz, (0, 0), False),
    rotation("U1", u1, (0, 0), shifted("U1"), TWO, "The phase of 1."),
    rotation("CU1", cu1, (0, 1, 0, 1), shifted("CU1"), TWO, "The phase of 11."),
    Maker("phase", lambda: _phase, turns=("turns",), doc="The scalar e^{2πi turns}."))
