"""What types an op's outputs have.

Kinds and shapes are JAX's own: `jax.eval_shape` on arrays of the given sizes, symbolic ones too.  Three things are the
language's: scalars broadcast and arrays meet only in equal shapes; text and `params` are no numbers; a finite range of
ints (`int(0..k)`) is kept where it is sound.
"""
from __future__ import annotations

from functools import lru_cache
from typing import Any, Callable, Mapping, Sequence

import jax
import jax.numpy as jnp

from pullback.compiler.type import Array, Constraint, Size, Type, is_text, known, same, same_shape

DTYPES = {"real": jnp.float32, "int": jnp.int32, "bool": jnp.bool_, "complex": jnp.complex64}


def kind(dtype: Any) -> str:
    """The kind of the numbers that a dtype holds."""
    for name, family in (("bool", jnp.bool_), ("int", jnp.integer), ("complex", jnp.complexfloating)):
        if jnp.issubdtype(dtype, family):
            return name
    return "real"


def arrays(title: str, types: Sequence[Type]) -> tuple[Array, ...]:
    """The types, if all are arrays of numbers."""
    for type in types:
        if not isinstance(type, Array) or type.kind == "text":
            raise TypeError(f"`{title}` takes numbers, and this is a `{type}`")
    return tuple(types)


def items(title: str, types: Sequence[Type]) -> tuple[Array, ...]:
    """The types, if all are arrays of numbers or all of texts: of an op that moves elements and computes nothing."""
    if types and all(is_text(type) for type in types):
        return tuple(types)
    return arrays(title, types)


def meet(title: str, types: Sequence[Array]) -> tuple[Size, ...]:
    """The shape of an elementwise result: scalars broadcast, arrays meet only in equal shapes."""
    first: Array | None = None
    for type in types:
        if type.shape and first is None:
            first = type
        elif type.shape and first is not None:
            equal = same_shape(first.shape, type.shape)
            if not equal:
                why = "arrays meet only in equal shapes" if equal is False else "nothing says that the sizes are equal"
                raise TypeError(f"`{first.plain()}` meets `{type.plain()}` in `{title}`: {why}")
    return first.shape if first is not None else ()


@lru_cache(maxsize=4096)
def _kinds(function: Callable, static: tuple, kinds: tuple[str, ...]) -> tuple[str, ...]:
    scalars = [jax.ShapeDtypeStruct((), DTYPES[k]) for k in kinds]
    return tuple(kind(leaf.dtype) for leaf in jax.tree.leaves(
        jax.eval_shape(lambda *xs: function(dict(static), *xs), *scalars)))


def elementwise(title: str, lower: Callable, ranges: Callable | None = None) -> Callable:
    """Infer for an op that works element by element; `ranges(*bounds)` gives the bounds of an int result."""
    def infer(types: Sequence[Type], attributes: Mapping[str, Any]) -> tuple[Type, ...]:
        given = arrays(title, types)
        shape = meet(title, given)
        try:
            kinds = _kinds(lower, tuple(sorted(attributes.items())), tuple(type.kind for type in given))
        except Exception as problem:
            raise TypeError(refusal(title, given)) from problem
        return tuple(Array(k, shape, bounds_of(ranges, given) if k == "int" and ranges else None) for k in kinds)
    return infer


def by_shape(title: str, lower: Callable, ranges: Callable | None = None) -> Callable:
    """Infer for any other function of arrays: JAX says what shape it has."""
    def infer(types: Sequence[Type], attributes: Mapping[str, Any]) -> tuple[Type, ...]:
        given = arrays(title, types)
        try:
            results = jax.tree.leaves(
                jax.eval_shape(lambda *xs: lower(attributes, *xs), *[abstract(type) for type in given]))
        except Exception as problem:
            raise TypeError(refusal(title, given, attributes)) from problem
        outputs = [Array(kind(leaf.dtype), tuple(map(plain_size, leaf.shape))) for leaf in results]
        if ranges is None:
            return tuple(outputs)
        return tuple(Array("int", out.shape, bounds_of(ranges, given)) if out.kind == "int" else out for out in outputs)
    return infer


def abstract(type: Array) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(type.shape, DTYPES[type.kind])


def plain_size(size: Size) -> Size:
    """A symbolic size that is a number, as a number."""
    return int(size) if isinstance(size, int) else size


def refusal(title: str, types: Sequence[Array], attributes: Mapping[str, Any] | None = None) -> str:
    given = [f"`{type.plain()}`" for type in types] + [f"`{k} = {v}`" for k, v in (attributes or {}).items()]
    return f"`{title}` can't be applied to {listing(given)}"


def listing(words: Sequence[str]) -> str:
    """a, b and c"""
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words) or "nothing"


# ------------------------------------------------------------------ finite ranges of ints: low ≤ x < high


def bounds_of(ranges: Callable, types: Sequence[Array]) -> Constraint | None:
    """The range of a result, or None where it is not known."""
    found = ranges(*types)
    return Constraint("range", tuple(map(plain_size, found))) if found is not None else None


def least(*sizes: Size) -> Size | None:
    """The smallest of some sizes, or None where that can't be told."""
    return next((a for a in sizes if all(at_most(a, b) for b in sizes)), None)


def greatest(*sizes: Size) -> Size | None:
    return next((a for a in sizes if all(at_most(b, a) for b in sizes)), None)


def at_most(a: Size, b: Size) -> bool:
    """Is a ≤ b for certain?"""
    if same(a, b):
        return True
    try:
        return bool(a <= b)
    except Exception:  # JAX raises where a comparison is inconclusive
        return False


def hull(*types: Array) -> tuple[Size, Size] | None:
    """The smallest range that holds the values of all: of `where`, `stack`, `max`, …"""
    if not types or any(type.bounds is None for type in types):
        return None
    low, high = least(*(t.bounds[0] for t in types)), greatest(*(t.bounds[1] for t in types))
    return None if low is None or high is None else (low, high)


def ranged(low: Size, high: Size) -> Array:
    """An int from low ≤ x < high."""
    return Array("int", (), Constraint("range", (low, high)))


def lower_of(*types: Array) -> tuple[Size, Size] | None:
    """The smallest of some ints."""
    if not types or any(type.bounds is None for type in types):
        return None
    low, high = least(*(t.bounds[0] for t in types)), least(*(t.bounds[1] for t in types))
    return None if low is None or high is None else (low, high)


def higher_of(*types: Array) -> tuple[Size, Size] | None:
    """The largest of some ints."""
    if not types or any(type.bounds is None for type in types):
        return None
    low, high = greatest(*(t.bounds[0] for t in types)), greatest(*(t.bounds[1] for t in types))
    return None if low is None or high is None else (low, high)


def added(*types: Array) -> tuple[Size, Size] | None:
    if any(type.bounds is None for type in types):
        return None
    return sum(t.bounds[0] for t in types), sum(t.bounds[1] for t in types) - len(types) + 1


def subtracted(a: Array, b: Array) -> tuple[Size, Size] | None:
    if a.bounds is None or b.bounds is None:
        return None
    return a.bounds[0] - b.bounds[1] + 1, a.bounds[1] - b.bounds[0]


def negated(a: Array) -> tuple[Size, Size] | None:
    return None if a.bounds is None else (1 - a.bounds[1], 1 - a.bounds[0])


def multiplied(a: Array, b: Array) -> tuple[Size, Size] | None:
    if a.bounds is None or b.bounds is None or not all(map(known, (*a.bounds, *b.bounds))):
        return None
    corners = [x * y for x in (a.bounds[0], a.bounds[1] - 1) for y in (b.bounds[0], b.bounds[1] - 1)]
    return min(corners), max(corners) + 1


def remainder(a: Array, b: Array) -> tuple[Size, Size] | None:
    """x % m for m > 0 is in 0 … m − 1, as in Python."""
    if b.bounds is None or not at_most(1, b.bounds[0]):
        return None
    return 0, b.bounds[1] - 1


def quotient(a: Array, b: Array) -> tuple[Size, Size] | None:
    if a.bounds is None or b.bounds is None or not all(map(known, (*a.bounds, *b.bounds))) or b.bounds[0] < 1:
        return None
    corners = [x // y for x in (a.bounds[0], a.bounds[1] - 1) for y in (b.bounds[0], b.bounds[1] - 1)]
    return min(corners), max(corners) + 1


def magnitude(a: Array) -> tuple[Size, Size] | None:
    if a.bounds is None or not all(map(known, a.bounds)):
        return None
    low, high = a.bounds
    return (low, high) if low >= 0 else (0, max(-low, high - 1) + 1)


def summed(a: Array) -> tuple[Size, Size] | None:
    """The sum of all elements: a count of n bools is in 0 … n."""
    if a.bounds is None:
        return None
    count = 1
    for size in a.shape:
        count = count * size
    return count * a.bounds[0], count * (a.bounds[1] - 1) + 1
