"""Types of wires, and sizes.

A size is an int or a symbolic polynomial in size names (`n`, `n + 1`); JAX's symbolic dimensions are what we use, so
that JAX itself tells the shape of any function's result (`jax.eval_shape`) while sizes are not known yet.
"""
from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, Mapping, Union

Size = Union[int, Any]  # Any: a symbolic dimension of JAX


@dataclass(frozen=True, slots=True)
class Constraint:
    """A subset of the reals (or ints): `positive`, `unit`, `interval(-1, 1)`, `simplex`, `cholesky`, `range(0, k)`,
    `one_of("yes", "no")` (an int that stands for a text)."""

    name: str
    arguments: tuple = ()

    def __str__(self) -> str:
        given = (json.dumps(a, ensure_ascii=False) if isinstance(a, str) else str(a) for a in self.arguments)
        return self.name + (f"({', '.join(given)})" if self.arguments else "")


EVENT_RANK = {"simplex": 1, "ordered": 1, "positive_ordered": 1, "sphere": 1, "cholesky": 2, "corr_cholesky": 2,
              "positive_definite": 2, "corr_matrix": 2, "zero_sum": 1, "softplus_lower_cholesky": 2}


@dataclass(frozen=True, slots=True)
class Array:
    """`real[n, d]`: a kind ("real", "int", "bool", "complex", "text"), a shape and, where there is one, a constraint.

    A finite int type (`range`) is `Array("int", (), Constraint("range", (low, high)))`, high excluded.  Arrays of texts live
    on the host; what the reverse sweep makes has the kinds "feedback" (a tuple of criticisms an element) and "pullback".
    """

    kind: str
    shape: tuple[Size, ...] = ()
    constraint: Constraint | None = None

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def bounds(self) -> tuple[Size, Size] | None:
        """low and high (excluded) of a finite type; a bool's are 0 and 2."""
        if self.kind == "bool":
            return (0, 2)
        if self.constraint is not None and self.constraint.name == "range":
            return self.constraint.arguments
        return (0, len(self.words)) if self.words else None

    @property
    def words(self) -> tuple[str, ...]:
        """The texts that the ints of a `one_of` stand for."""
        return self.constraint.arguments if self.constraint is not None and self.constraint.name == "one_of" else ()

    def plain(self) -> Array:
        """The same without its constraint."""
        return replace(self, constraint=None)

    def __str__(self) -> str:
        sizes = f"[{', '.join(map(str, self.shape))}]" if self.shape else ""
        if self.constraint is None:
            return self.kind + sizes
        if self.constraint.name == "range":
            low, high = self.constraint.arguments
            return f"int({low}..{high})" + sizes
        return str(self.constraint) + sizes


@dataclass(frozen=True, slots=True)
class Params:
    """`params`: a pytree of arrays, known by the shapes of its leaves once they are (`tree`: a pytree of Array)."""

    tree: Any = None

    def __str__(self) -> str:
        return "params"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Params)

    def __hash__(self) -> int:
        return hash(Params)


@dataclass(frozen=True, slots=True)
class Object:
    """An atom of a diagram's boundary: `n`, `n.r` (z = 1), `n.l` (z = −1), `qubit`, or `dim(3)`, a plain axis of a size.

    A boundary is a tuple of atoms; (a·b).r = b.r·a.r.  `linear`: may not be copied.  What is `selfdual` has no other adjoint
    than itself.
    """

    name: str
    z: int = 0
    linear: bool = False
    selfdual: bool = False
    size: Size | None = None

    def turned(self, by: int) -> Object:
        """The adjoint: `by` = 1 is `.r`, −1 is `.l`."""
        return self if self.selfdual else replace(self, z=self.z + by)

    def __str__(self) -> str:
        name = f"dim({self.size})" if self.name == "dim" else self.name
        return name + (".r" if self.z > 0 else ".l") * abs(self.z)



Type = Union[Array, Params, Object]

REAL, INT, BOOL, TEXT = Array("real"), Array("int"), Array("bool"), Array("text")



def is_text(type: Any) -> bool:
    """Is this the type of texts, or of an array of texts?"""
    return isinstance(type, Array) and type.kind == "text"


_scope: list = []


def symbol(name: str) -> Size:
    """The size called `name`, not known yet (at least 1)."""
    from jax import export
    if not _scope:
        _scope.append(export.SymbolicScope())
    return export.symbolic_shape(name, scope=_scope[0])[0]


def known(size: Size) -> bool:
    return isinstance(size, int)


def same(a: Size, b: Size) -> bool | None:
    """Are two sizes equal?  None where that depends on sizes not known yet."""
    if known(a) and known(b):
        return a == b
    try:
        return bool(a == b) or (None if not known(a - b) else False)
    except Exception:  # JAX raises where a comparison is inconclusive
        return None


def within(first: Size, last: Size, size: Size) -> bool:
    """Is 0 ≤ first and last ≤ size, for certain?"""
    try:
        return bool(first >= 0) and bool(size - last >= 0)
    except Exception:  # JAX raises where sizes don't decide
        return False


def same_shape(a: tuple, b: tuple) -> bool | None:
    if len(a) != len(b):
        return False
    found = [same(x, y) for x, y in zip(a, b)]
    return False if False in found else None if None in found else True


def substitute(size: Size, sizes: Mapping[str, int]) -> Size:
    """A size with the named sizes put in."""
    if known(size):
        return size
    names = set(str(n) for n in size._get_vars())
    if not names <= set(sizes):
        return size
    return int(size._evaluate({name: sizes[name] for name in names}))


def ratio(a, b=1):
    """a / b: a number where both are known, else a `Ratio` that is read when they are."""
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return a / b
    found = Ratio(1.0, (), ())
    return found.times(a, True).times(b, False)


@dataclass(frozen=True, slots=True)
class Ratio:
    """A number times sizes over sizes, some not known yet."""

    number: float
    above: tuple
    below: tuple

    def times(self, size, up: bool) -> Ratio:
        if isinstance(size, (int, float)):
            return replace(self, number=self.number * size if up else self.number / size)
        return replace(self, above=(*self.above, size)) if up else replace(self, below=(*self.below, size))

    def __mul__(self, other):
        if isinstance(other, Ratio):
            return Ratio(self.number * other.number, self.above + other.above, self.below + other.below)
        return self.times(other, True)

    __rmul__ = __mul__

    def __truediv__(self, other):
        return self.times(other, False)

    def __str__(self) -> str:
        above = "·".join([*([f"{self.number:g}"] if self.number != 1 or not self.above else []), *map(str, self.above)])
        return above + "".join(f" / ({size})" for size in self.below)
