"""Diagrams of a program: composed, differentiated, drawn; functors, which make arrays of them; lexicons, which make them of
sentences.

    s = program["sentence"]
    F = program["meaning"]
    F(s, theta=…, w=…)              an array, by contraction along an optimized path; an ordinary JAX function
    s.derivative("theta")           a formal sum of diagrams
"""
from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np

from pullback.backends.draw.string_diagram import StringDrawing, draw_diagram
from pullback.backends.xla.compiled import Argument, Compiled, Specialized, environment, evaluate
from pullback.compiler.diagnostic import ArgumentError, Diagnostic, near
from pullback.compiler.diagrams import build, derive, rewrite
from pullback.compiler.diagrams.equal import equal
from pullback.compiler.diagrams.equal import key as diagram_key
from pullback.compiler.diagrams.show import declaration, show
from pullback.compiler.ir import Graph, Wire
from pullback.compiler.passes.inline import inline
from pullback.compiler.passes.simplify import simplify
from pullback.compiler.type import Array
from pullback.dsl import elaborate
from pullback.dsl.context import Work
from pullback.dsl.lexicons import dictionary, start
from pullback.dsl.values import Declared, Undetermined


def told(make: Callable[[], Graph]) -> Graph:
    """What `make` gives; diagrams that do not fit are an `ArgumentError`."""
    try:
        return make()
    except build.Untyped as problem:
        code = "derivative" if isinstance(problem, derive.Underivable) else "type"
        raise ArgumentError(Diagnostic(code, problem.message, help=problem.help,
                                       notes=tuple((None, note) for note in problem.notes))) from None


class Diagram:
    """A diagram.  `parameters`: its numbers; `domain`, `codomain`: its boundary, as text.

    `s >> t`, `s * t`, `s + t`, `s - t`, `2 * s`, `s ** 3` (side by side); parameters of one name are one.  Diagrams are equal
    when their connected forms are.
    """

    def __init__(self, graph: Graph, bound: Mapping[str, Any] | None = None):
        self.graph, self.bound = graph, dict(bound or {})
        self._arrays: dict[tuple, Evaluated] = {}

    @classmethod
    def made(cls, graph: Graph, *others: Diagram) -> Diagram:
        return cls(graph, {name: value for other in others for name, value in other.bound.items()})

    name = property(lambda self: self.graph.name)
    domain = property(lambda self: build.shown(build.domain(self.graph)) if build.domain(self.graph) else "")
    codomain = property(lambda self: build.shown(build.codomain(self.graph)) if build.codomain(self.graph) else "")

    @property
    def parameters(self) -> dict[str, str]:
        """The numbers that are not bound, name → type."""
        return {wire.name: str(wire.type) for wire in build.numbers(self.graph) if wire.name not in self.bound}

    @property
    def terms(self) -> list[tuple[float, Diagram]]:
        """The terms of a formal sum with their coefficients; any other diagram is its own only term."""
        return [(c, Diagram.made(term, self)) for c, term in build.summands(self.graph)]

    def __call__(self, **values: Any) -> Diagram:
        """Bind parameters to numbers."""
        same: dict[Wire, Wire] = {}
        bound = dict(self.bound)
        for name, value in values.items():
            wire = self._parameter(name)
            value = value if hasattr(value, "shape") else np.asarray(value)
            if isinstance(wire.type, Array) and tuple(value.shape) != tuple(wire.type.shape):
                raise ArgumentError(f"`{name}: {wire.type}` was given shape {tuple(value.shape)}")
            same[wire] = build.wire(wire.type, name)
            bound[same[wire].name] = value
        return Diagram(build.renamed(self.graph, same), bound)

    def _parameter(self, name: str) -> Wire:
        found = next((wire for wire in build.numbers(self.graph) if wire.name == name and name not in self.bound), None)
        if found is None:
            known = list(self.parameters)
            raise ArgumentError(Diagnostic("argument", f"the diagram has no parameter `{name}`", help=near(name, known) or (
                f"it has {', '.join(f'`{one}`' for one in known)}" if known else "it has none")))
        return found

    # ---- algebra

    def __rshift__(self, other: Diagram) -> Diagram:
        return Diagram.made(told(lambda: build.then(self.graph, other.graph)), self, other)

    def __mul__(self, other: Diagram | float) -> Diagram:
        if not isinstance(other, Diagram):
            return other * self
        return Diagram.made(told(lambda: build.beside(self.graph, other.graph)), self, other)

    def __rmul__(self, number: float) -> Diagram:
        return Diagram.made(build.add([(number, self.graph)]), self)

    def __add__(self, other: Diagram) -> Diagram:
        return Diagram.made(told(lambda: build.add([(1, self.graph), (1, other.graph)])), self, other)

    def __sub__(self, other: Diagram) -> Diagram:
        return Diagram.made(told(lambda: build.add([(1, self.graph), (-1, other.graph)])), self, other)

    def __neg__(self) -> Diagram:
        return -1 * self

    def __pow__(self, times: int) -> Diagram:
        return Diagram.made(build.power(self.graph, times), self)

    def dagger(self) -> Diagram:
        """Read upwards, arrays conjugated."""
        return Diagram.made(build.dagger(self.graph), self)

    def transpose(self) -> Diagram:
        """Turned by half a turn: from the adjoint of the codomain to that of the domain."""
        return Diagram.made(build.transpose(self.graph), self)

    def conjugate(self) -> Diagram:
        return Diagram.made(build.conjugate(self.graph), self)

    def derivative(self, name: str) -> Diagram:
        """The formal derivative in a parameter: a sum of diagrams.  An array parameter adds one wire an axis, the last."""
        return Diagram.made(told(lambda: derive.derivative(self.graph, self._parameter(name))), self)

    def normal_form(self) -> Diagram:
        """Connected, fused, like terms collected."""
        return Diagram.made(rewrite.normal_form(self.graph), self)

    def recolored(self) -> Diagram:
        """Z spiders with an H on every wire as X spiders, and back: H · Z(a) · H = X(a); Rz and Rx likewise."""
        return Diagram.made(rewrite.recolored(self.graph), self)

    def cups_away(self) -> Diagram:
        """States that end in cups turned into effects: the same value from a circuit with fewer wires."""
        return Diagram.made(rewrite.cups_away(self.graph), self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Diagram) and equal(self.graph, other.graph)

    def __hash__(self) -> int:
        return hash((build.domain(self.graph), build.codomain(self.graph), diagram_key(self.graph)))

    # ---- arrays, where all boxes are gates

    def array(self, *, shots: int | None = None, key: Any = None, **parameters: Any) -> jax.Array:
        """The array of a diagram of gates: its axes are the domain, then the codomain; `shots` as of a functor."""
        return self._value("array", parameters, shots, key)

    def double(self, **parameters: Any) -> jax.Array:
        """The array of its doubled reading."""
        return self._value("double", parameters)

    def _value(self, reading: str, parameters: Mapping[str, Any], shots: int | None = None, key: Any = None) -> jax.Array:
        drawn = sampled(shots, key)
        which = (reading, shots)
        if which not in self._arrays:
            graph = self.graph
            arguments = (*(Argument(wire.name, wire.type) for wire in build.numbers(graph)), *(KEY if drawn else ()))
            self._arrays[which] = Evaluated(self.name or "the diagram", lambda sizes, trees: elaborate.functor_graph(
                None, "", graph, "shots" if drawn else reading, sizes, trees, shots), arguments)
        return self._arrays[which](None, {}, **self.bound, **parameters, **drawn)

    # ---- for people

    def draw(self) -> StringDrawing:
        """The string diagram, read from top to bottom: `.save("s.svg")`, also .png, .pdf, .dot."""
        return draw_diagram(self.graph, self.name or "diagram", self.declaration, self.bound)

    def _repr_svg_(self) -> str | None:
        return self.draw()._repr_svg_()

    def __str__(self) -> str:
        return show(self.graph, self.bound)

    @property
    def declaration(self) -> str:
        """The diagram as a declaration of the language."""
        return declaration(self.graph, known=self.bound)

    def __repr__(self) -> str:
        given = ", ".join(f"{name}: {type}" for name, type in self.parameters.items())
        return f"<diagram {self.name or 'without a name'}({given}): {build.signature(self.graph)}>"


def of_declaration(loaded: elaborate.Loaded, declared: Declared) -> Diagram:
    """A diagram, or a box as one."""
    return Diagram(elaborate.diagram_graph(loaded, declared.name))


KEPT = 1024  # diagrams of which a functor keeps the compiled function
KEY = (Argument("shot_key", Array("int", (2,))),)


def sampled(shots: int | None, key: Any) -> dict[str, Any]:
    """The key as an argument of the graph, where shots are drawn."""
    if shots is None:
        return {}
    if not isinstance(shots, int) or shots < 1:
        raise ArgumentError(f"`shots` is a positive int, and this is {shots!r}")
    if key is None:
        raise ArgumentError("shots are drawn with a key: `F(s, …, shots=8192, key=key)`")
    return {"shot_key": (jax.random.key_data(key) if jnp.issubdtype(key.dtype, jax.dtypes.prng_key) else key).astype(jnp.int32)}


class Evaluated(Compiled):
    """A graph without choices as a JAX function of its inputs by name."""

    def _make(self, graph: Graph, over: tuple[str, ...] = ()) -> Specialized:
        graph = simplify(inline(graph)).numbered()

        def value(key: Any, params: dict, data: dict) -> Any:
            return evaluate(graph, environment(graph, {}, data), key)[0]
        return Specialized({"estimator": graph}, graph, jax.jit(value), value)


class Functor:
    """A functor: `F(s, …)` is the array of a diagram, axes its domain, then its codomain.

    Parameters of the diagram and of the functor are given by name.  `image` is the diagram of the target, `double` the array
    of the doubled reading, in which a qubit has two axes.
    """

    def __init__(self, loaded: elaborate.Loaded, declared: Declared):
        self.loaded, self.declared = loaded, declared
        self._made: dict[tuple, tuple[Graph, Evaluated]] = {}

    name = property(lambda self: self.declared.name)
    doc = property(lambda self: self.declared.doc)

    @property
    def parameters(self) -> tuple[str, ...]:
        return tuple(parameter.name for parameter in self.declared.node.parameters)

    def __repr__(self) -> str:
        return f"<functor {self.name}({', '.join(self.parameters)}): {len(self.declared.node.images)} images>"

    def __call__(self, diagram: Diagram, *, shots: int | None = None, key: Any = None, **parameters: Any) -> jax.Array:
        """The array of a diagram.  With `shots` and a `key`: frequencies of what a measured diagram gives, unbiased, and so is
        their derivative, which is that of the shift rule."""
        return self._value(diagram, "array", parameters, shots, key)

    def double(self, diagram: Diagram, **parameters: Any) -> jax.Array:
        """The array of the doubled reading: probabilities where all wires are bits, a channel's matrix elements else."""
        return self._value(diagram, "double", parameters)

    def image(self, diagram: Diagram, **parameters: Any) -> Diagram:
        """The diagram of the target, some of its parameters bound."""
        trees = {name: jax.tree.map(lambda leaf: Array("real", tuple(jnp.shape(leaf))), value)
                 for name, value in parameters.items() if isinstance(value, Mapping)}
        graph = elaborate.functor_graph(self.loaded, self.name, diagram.graph, "image", shapes=trees)
        found = Diagram(replace(graph, name=f"{self.name}({diagram.name})" if diagram.name else self.name))
        bound = {name: value for name, value in {**diagram.bound, **parameters}.items() if name in found.parameters}
        return found(**bound) if all(not isinstance(value, Mapping) for value in bound.values()) else Diagram(
            found.graph, {**found.bound, **bound})

    def compiled(self, diagram: Diagram, reading: str = "array", shots: int | None = None) -> Evaluated:
        """The JAX function of a diagram: it is traced once for each set of shapes."""
        which = (id(diagram.graph), reading, shots)
        if which not in self._made:
            graph = diagram.graph
            while len(self._made) >= KEPT:
                del self._made[next(iter(self._made))]

            def make(sizes: Mapping[str, int], trees: Mapping[str, Any]) -> Graph:
                return elaborate.functor_graph(self.loaded, self.name, graph, reading, sizes, trees, shots)
            self._made[which] = (graph, Evaluated(f"{self.name}({diagram.name or 'D'})", make, self._arguments(diagram, make, shots)))
        return self._made[which][1]

    def _arguments(self, diagram: Diagram, make: Callable, shots: int | None) -> tuple[Argument, ...]:
        numbers = build.numbers(diagram.graph)
        for wire in numbers:
            if wire.name in self.parameters:
                raise ArgumentError(f"`{wire.name}` is a parameter of the diagram and of `{self.name}`: bind it first, "
                                    f"`s({wire.name}=…)`")
        try:
            return tuple(Argument(wire.name, wire.type) for wire in make({}, {}).inputs)
        except Undetermined:
            return (*(Argument(wire.name, wire.type) for wire in numbers), *(Argument(name, None) for name in self.parameters),
                    *(KEY if shots else ()))

    def _value(self, diagram: Diagram, reading: str, parameters: Mapping[str, Any], shots: int | None = None, key: Any = None) -> jax.Array:
        drawn = sampled(shots, key)
        if not isinstance(diagram, Diagram):
            raise ArgumentError(f"`{self.name}` takes a diagram first, and this is a {type(diagram).__name__}")
        found = self.compiled(diagram, "shots" if drawn else reading, shots)
        return found(None, {}, **diagram.bound, **parameters, **drawn)


class Lexicon:
    """Words by classes: `mc.parse("man prepares sauce")` is a diagram, whose parameters are the classes' arrays."""

    def __init__(self, loaded: elaborate.Loaded, declared: Declared):
        self.loaded, self.declared = loaded, declared

    name = property(lambda self: self.declared.name)

    @property
    def words(self) -> dict[str, tuple[str, ...]]:
        """Each word with its classes."""
        return {word: tuple(one.name for one, _ in found) for word, found in dictionary(self.declared).items()}

    def init(self, key: Any) -> dict[str, Any]:
        """Parameters drawn uniformly from one turn: for each class an array with a row a word (of a class with several
        parameters, one for each name)."""
        return start(self.declared, Work()).init(key)

    def parse(self, text: str) -> Diagram:
        """The diagram of the one parse of a sentence; a `ProgramError` with code `word` or `grammar` where there is none."""
        return Diagram(elaborate.sentence_graph(self.loaded, self.name, text))

    def __repr__(self) -> str:
        return f"<lexicon {self.name}: {len(self.words)} words>"
