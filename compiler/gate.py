"""What a gate is: a box whose array the library knows, and where gates are found by name.

A gate states one array and `legs`: for each of its wires, inputs first, the axis of the array that it reads.  Wires that
share an axis share an index of the contraction, so that a diagonal gate puts no new index on a wire:

    H      legs (0, 1)         a matrix [in, out]
    Rz     legs (0, 0)         a vector
    CRx    legs (0, 1, 0, 2)   [control, in, out]
    ZSpider(m, n, a)           legs (0, …, 0): the vector (1, e^{2πia})

Dagger and transpose move legs and conjugate; the array stays.  Angles count full turns.

    derivative   terms (coefficient, factor, gate, shift): ∂G(t) = Σ coefficient · e^{2πi·factor} · gate(t + shift), of amplitudes
    doubled      terms (coefficient, shift):               ∂E(t) = Σ coefficient · E(t + shift), of the channel E
Sources: Toumi, Yeung, de Felice (2021), EPTCS 343; Wierichs et al. (2022), Quantum 6 (general shift rules).
"""
from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import Any, Callable, Literal, Mapping

from pullback.compiler.type import Object

QUBIT = Object("qubit", linear=True, selfdual=True, size=2)
BIT = Object("bit", selfdual=True, size=2)


def dim(size: Any) -> Object:
    """A plain axis of this size."""
    return Object("dim", selfdual=True, size=size)


@dataclass(frozen=True, slots=True)
class Gate:
    """kind: `pure`; `weight` (a scalar that counts once in a doubled reading: a probability); `measure`, `discard` and
    `prepare`, which need one.  `array(*turns)` has no meaning for the last three: they only join wires."""

    name: str
    domain: tuple[Object, ...]
    codomain: tuple[Object, ...]
    array: Callable[..., Any] | None = field(default=None, compare=False, repr=False)
    legs: tuple[int, ...] = ()
    turns: tuple[str, ...] = ()
    static: tuple[Any, ...] = ()
    kind: Literal["pure", "weight", "measure", "discard", "prepare"] = "pure"
    real: bool = False
    additive: bool = False          # G(a) after G(b) on the same wires is G(a + b)
    unitary: bool = False
    factors: tuple[Gate, ...] = field(default=(), compare=False, repr=False)  # a product: one for each wire
    derivative: tuple[tuple[float, float, str, float], ...] | None = field(default=None, repr=False)
    doubled: tuple[tuple[float, float], ...] | None = field(default=None, repr=False)
    doc: str = field(default="", compare=False, repr=False)

    @property
    def shape(self) -> tuple:
        """The shape of the array, from the sizes of the wires on each axis."""
        wires = (*self.domain, *self.codomain)
        return tuple(next(w.size for w, leg in zip(wires, self.legs) if leg == axis)
                     for axis in range(max(self.legs, default=-1) + 1))


@dataclass(frozen=True, slots=True)
class Maker:
    """A gate by its name: `make(*static)` is the record for what must be known (`ket(0, 1)`: the bits)."""

    name: str
    make: Callable[..., Gate]
    statics: Literal["none", "bits", "legs", "types", "type"] = "none"
    turns: tuple[str, ...] = ()
    doc: str = ""


_packages: list[str] = []


def library(package: str) -> None:
    """Look for gates in this package too: its `GATES` maps names to `Maker`s."""
    if package not in _packages:
        _packages.append(package)


def gates() -> Mapping[str, Maker]:
    """Every gate that can be named."""
    return {name: maker for package in _packages for name, maker in importlib.import_module(package).GATES.items()}


def find(name: str) -> Maker | None:
    return gates().get(name)
