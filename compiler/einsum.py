"""Σ over indices of a product of arrays: one einsum over an optimized path.

The last step of an estimator and the value of a diagram are this function.  An index is anything hashable, and may stand
in any number of operands (a copy is an index in three); one that is not kept is summed once its last operand is taken.

    path    optimal up to 5 operands, dynamic programming to 16, then random greedy trials (128, fewer for many operands), from
            300 operands on plain greedy; all by opt_einsum.  Found once for the shapes, in Python, while JAX traces.
Source: Smith, Gray (2018), opt_einsum, JOSS 3(26).
"""
from __future__ import annotations

from functools import lru_cache
from typing import Any, Hashable, Sequence

import jax.numpy as jnp
import opt_einsum

MANY = 300
Term = tuple[int, ...]


def einsum(operands: Sequence[tuple[Any, Sequence[Hashable]]], keep: Sequence[Hashable]) -> Any:
    """Σ over all indices but `keep` of the product of the operands; the result's axes are `keep`, in order."""
    label: dict[Hashable, int] = {}
    for _, indices in operands:
        for index in indices:
            label.setdefault(index, len(label))
    terms = tuple(tuple(label[index] for index in indices) for _, indices in operands)
    kept = tuple(label[index] for index in keep)
    return along([array for array, _ in operands], terms, kept)


def along(arrays: Sequence[Any], terms: Sequence[Term], keep: Term) -> Any:
    """The einsum, pair by pair along the path."""
    arrays, terms = list(arrays), list(terms)
    shapes = tuple(tuple(array.shape) for array in arrays)
    for step in path(tuple(terms), shapes, keep):
        taken = [(arrays[place], terms[place]) for place in step]
        for place in sorted(step, reverse=True):
            del arrays[place], terms[place]
        left = {index for term in terms for index in term} | set(keep)
        here = keep if not arrays else tuple(dict.fromkeys(i for _, term in taken for i in term if i in left))
        arrays.append(once(taken, here))
        terms.append(here)
    (array,), (term,) = arrays, terms
    return array if term == keep else once([(array, term)], keep)


def once(taken: Sequence[tuple[Any, Term]], keep: Term) -> Any:
    """One pair (or one array) contracted: few letters, however many indices the whole has."""
    letter = {index: opt_einsum.get_symbol(at) for at, index in enumerate(dict.fromkeys(i for _, term in taken for i in term))}
    words = [["".join(letter[index] for index in term) for term in terms] for terms in ([t for _, t in taken], [keep])]
    return jnp.einsum(f"{','.join(words[0])}->{words[1][0]}", *(array for array, _ in taken), precision="highest")


@lru_cache(maxsize=4096)
def path(terms: tuple[Term, ...], shapes: tuple[tuple[int, ...], ...], keep: Term) -> tuple[tuple[int, ...], ...]:
    """The order in which operands are taken, two at a time (one, where there is but one)."""
    if len(terms) < 3:
        return (tuple(range(len(terms))),)
    return tuple(map(tuple, found(terms, shapes, keep)[0]))


def found(terms: Sequence[Term], shapes: Sequence[tuple[int, ...]], keep: Term) -> Any:
    """opt_einsum's path and its report: `opt_cost` multiplications and additions, `largest_intermediate` elements."""
    symbols = [opt_einsum.get_symbol(index) for index in range(1 + max((i for term in terms for i in term), default=0))]
    words = ["".join(symbols[i] for i in term) for term in terms]
    text = f"{','.join(words)}->{''.join(symbols[i] for i in keep)}"
    return opt_einsum.contract_path(text, *shapes, shapes=True, optimize=finder(len(terms)))


def finder(count: int) -> Any:
    """How a path through this many operands is found."""
    if count <= 16 or count >= MANY:
        return "auto-hq" if count <= 16 else "greedy"
    return opt_einsum.RandomGreedy(max_repeats=min(128, 4096 // count))
