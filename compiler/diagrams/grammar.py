"""Pregroup reduction: planar matchings of neighbors x·x.r → 1 and x.l·x → 1 that leave the goal.

    inside(i, j)   do the atoms i..j cancel altogether?   i cancels with k if what stands between cancels too
An interval table over all atoms, O(N³).  An ambiguous word is tried in each of its classes.
Source: Lambek (1999), Type grammar revisited.
"""
from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import Any, Iterator, Sequence

from pullback.compiler.type import Object

MOST = 4096
Links = tuple[tuple[tuple[int, int], ...], tuple[int, ...]]


def cancels(a: Object, b: Object) -> bool:
    return a.name == b.name and (b.z == a.z + 1 or a.selfdual and b.selfdual)


def reductions(words: Sequence[Sequence[tuple[str, tuple[Object, ...]]]], goal: tuple[Object, ...]) -> list[tuple[tuple[str, ...], Links]]:
    """Every choice of classes with every reduction to the goal: the cups, innermost first, and the atoms that stay."""
    found: list[tuple[tuple[str, ...], Links]] = []
    for at, choice in enumerate(product(*words)):
        if at >= MOST or not words:
            break
        atoms = tuple(atom for _, type in choice for atom in type)
        found += [(tuple(name for name, _ in choice), links) for links in parses(atoms, goal)]
    return found


def parses(atoms: tuple[Object, ...], goal: tuple[Object, ...]) -> Iterator[Links]:
    """All ways in which the atoms reduce to the goal."""
    count = len(atoms)

    @lru_cache(maxsize=None)
    def inside(i: int, j: int) -> tuple[tuple[tuple[int, int], ...], ...]:
        """The ways in which all atoms of i..j cancel."""
        if i == j:
            return ((),)
        ways = []
        for k in range(i + 1, j, 2):
            if cancels(atoms[i], atoms[k]):
                ways += [(*a, (i, k), *b) for a in inside(i + 1, k) for b in inside(k + 1, j)]
        return tuple(ways[:MOST])

    @lru_cache(maxsize=None)
    def leaving(i: int, at: int) -> tuple[Any, ...]:
        """The ways in which i.. leave goal[at..]."""
        if at == len(goal):
            return tuple((way, ()) for way in inside(i, count))
        ways = []
        for k in range(i, count):
            if atoms[k] == goal[at]:
                ways += [((*a, *b), (k, *rest)) for a in inside(i, k) for b, rest in leaving(k + 1, at + 1)]
        return tuple(ways[:MOST])
    yield from leaving(0, 0)
