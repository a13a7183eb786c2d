"""Do two branches agree where the condition between them changes?

`a if p > q else b` is continuous at p = q if a and b are the same expression once p is put for q.  Expressions are
compared as polynomials over atoms, an atom being what is no polynomial (`exp(x)`, an input).  p = q is solved for an
atom that stands in it once and linearly; the solution is put for it, elementwise functions included:

    x if x > 0 else exp(x) − 1            x = 0:    0 and exp(0) − 1 = 0
    r²/2 if |r| < d else d·(|r| − d/2)    |r| = d:  d²/2 and d·(d − d/2), with r² = |r|²

What is not found equal counts as different.  A `View` says what stands behind a node, so that one comparison serves
graphs and jaxprs.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Hashable, Iterator

Monomial = tuple[tuple[int, int], ...]   # (atom, power), atoms ascending
Poly = dict[Monomial, float]

LARGEST, DEEPEST = 200, 300


@dataclass(frozen=True, slots=True)
class Step:
    """How a node is made.  name: `add sub mul neg div pow abs same select`, or any other; key: what else tells two steps
    apart; reach: does it work element by element (else nothing is put for what stands inside); fold: its value at
    numbers."""

    name: str
    arguments: tuple[Hashable, ...]
    key: Hashable = None
    reach: bool = True
    fold: Callable[..., float] | None = None


View = Callable[[Hashable], "Step | float | None"]   # None: nothing is known of the node


def agree(view: View, p: Hashable, q: Hashable, a: Hashable, b: Hashable) -> bool:
    """Are a and b the same wherever p = q?"""
    terms = Terms(view)
    left, right = terms.of(a), terms.of(b)
    if close(left, right):
        return True
    difference = added(terms.of(p), scaled(terms.of(q), -1.0))
    for atom, value in terms.solutions(difference):
        there = Terms(view, terms.book, {atom: value})
        if close(there.of(a), there.of(b)):
            return True
    return False


class Book:
    """Atoms by number: what each is, and which atoms stand inside of it."""

    def __init__(self) -> None:
        self.numbers: dict[Hashable, int] = {}
        self.inside: list[frozenset[int]] = []
        self.roots: dict[int, Poly] = {}    # atom |e| → e

    def atom(self, key: Hashable, inside: frozenset[int] = frozenset()) -> int:
        if key not in self.numbers:
            self.numbers[key] = len(self.inside)
            self.inside.append(inside)
        return self.numbers[key]


class Terms:
    """Nodes as polynomials, some atoms replaced."""

    def __init__(self, view: View, book: Book | None = None, replaced: dict[int, Poly] | None = None):
        self.view, self.book, self.replaced = view, book or Book(), replaced or {}
        self.base = Terms(view, self.book) if self.replaced else self
        self.made: dict[Hashable, Poly] = {}
        self.squares: dict[int, Poly] = {}   # r → r², known where |r| is replaced
        for atom, value in self.replaced.items():
            root = self.book.roots.get(atom)
            if root is not None and len(root) == 1:
                ((monomial, factor),) = root.items()
                if len(monomial) == 1 and monomial[0][1] == 1 and abs(factor) == 1:
                    self.squares[monomial[0][0]] = product(value, value)

    def of(self, node: Hashable, depth: int = 0) -> Poly:
        if node not in self.made:
            self.made[node] = self.make(node, depth)
        return self.made[node]

    def make(self, node: Hashable, depth: int) -> Poly:
        step = self.view(node) if depth < DEEPEST else None
        if step is None:
            return self.atom(("node", node))
        if not isinstance(step, Step):
            return constant(float(step))
        if not step.reach:
            return self.atom((step.name, step.key, tuple(
                frozen(self.base.of(argument, depth + 1)) for argument in step.arguments)))
        parts = [self.of(argument, depth + 1) for argument in step.arguments]
        found = self.polynomial(step.name, parts)
        return found if found is not None and len(found) <= LARGEST else self.composite(step, parts)

    def polynomial(self, name: str, parts: list[Poly]) -> Poly | None:
        match name, parts:
            case "add", _:
                return added(*parts)
            case "sub", (x, y):
                return added(x, scaled(y, -1.0))
            case "neg", (x,):
                return scaled(x, -1.0)
            case "same", (x,):
                return x
            case "select", (c, x, y) if close(x, y) or is_constant(c):
                return x if value(c) or close(x, y) else y
            case "mul", (x, y) if len(x) * len(y) <= LARGEST:
                return self.reduced(product(x, y))
            case "div", (x, y) if is_constant(y) and value(y) != 0:
                return scaled(x, 1.0 / value(y))
            case "pow", (x, y) if is_constant(y) and value(y) in (0.0, 1.0, 2.0, 3.0, 4.0) and len(x) <= 6:
                found = constant(1.0)
                for _ in range(int(value(y))):
                    found = self.reduced(product(found, x))
                return found
        return None

    def composite(self, step: Step, parts: list[Poly]) -> Poly:
        if step.fold is not None and all(map(is_constant, parts)):
            return constant(float(step.fold(*map(value, parts))))
        inside = frozenset(atom for part in parts for monomial in part for atom, _ in monomial)
        inside = inside.union(*(self.book.inside[atom] for atom in inside)) if inside else inside
        key = (step.name, step.key, tuple(map(frozen, parts)))
        return self.atom(key, inside, parts[0] if step.name == "abs" else None)

    def atom(self, key: Hashable, inside: frozenset[int] = frozenset(), root: Poly | None = None) -> Poly:
        number = self.book.atom(key, inside)
        if root is not None:
            self.book.roots[number] = root
        return self.replaced.get(number, {((number, 1),): 1.0})

    def reduced(self, poly: Poly) -> Poly:
        """|e|² as e², and r² as what it is known to be."""
        for monomial, factor in poly.items():
            for atom, power in monomial:
                square = self.squares.get(atom)
                if square is None and atom in self.book.roots and atom not in self.replaced:
                    root = self.book.roots[atom]
                    square = product(root, root)
                if power >= 2 and square is not None:
                    others = tuple((o, k) for o, k in monomial if o != atom)
                    if power > 2:
                        others = tuple(sorted((*others, (atom, power - 2))))
                    rest = {m: f for m, f in poly.items() if m != monomial}
                    return self.reduced(added(rest, product({others: factor}, square)))
        return poly

    def solutions(self, difference: Poly) -> Iterator[tuple[int, Poly]]:
        """Each way to solve difference = 0 for one atom."""
        atoms = {atom for monomial in difference for atom, _ in monomial}
        for atom in sorted(atoms):
            alone = ((atom, 1),)
            once = all(monomial == alone or atom not in dict(monomial) for monomial in difference)
            nested = any(atom in self.book.inside[other] for other in atoms)
            if alone in difference and once and not nested:
                rest = {m: f for m, f in difference.items() if m != alone}
                yield atom, scaled(rest, -1.0 / difference[alone])


def constant(number: float) -> Poly:
    return {(): number} if number else {}


def is_constant(poly: Poly) -> bool:
    return not poly or set(poly) == {()}


def value(poly: Poly) -> float:
    return poly.get((), 0.0)


def added(*polys: Poly) -> Poly:
    found: Poly = {}
    for poly in polys:
        for monomial, factor in poly.items():
            found[monomial] = found.get(monomial, 0.0) + factor
    return {m: f for m, f in found.items() if f}


def scaled(poly: Poly, by: float) -> Poly:
    return {m: f * by for m, f in poly.items() if f * by}


def product(a: Poly, b: Poly) -> Poly:
    found: Poly = {}
    for m, f in a.items():
        for n, g in b.items():
            powers = dict(m)
            for atom, power in n:
                powers[atom] = powers.get(atom, 0) + power
            monomial = tuple(sorted(powers.items()))
            found[monomial] = found.get(monomial, 0.0) + f * g
    return {m: f for m, f in found.items() if f}


def frozen(poly: Poly) -> Hashable:
    """A key that rounding does not change."""
    return tuple(sorted((m, float(f"{f:.6g}")) for m, f in poly.items()))


def close(a: Poly, b: Poly) -> bool:
    """Equal up to rounding: constants were folded in single precision."""
    return all(abs(a.get(m, 0.0) - b.get(m, 0.0)) <= 1e-5 * max(1.0, abs(a.get(m, 0.0))) for m in {*a, *b})
