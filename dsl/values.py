"""What an expression of a program is while it is elaborated.

A value is known before the run, or a wire, or built of values:

    int, float, bool, str, a symbolic size     known now; an int or a size may bound a loop
    Constant                                    an array of known numbers
    Wire                                        an array or a `params` that the graph computes
    Record, Tuple                               values side by side; a trace is a Record that may carry a return value
    Filled                                      an array that is being filled by index
    Dist, Flat, Model, Marginal                 what may stand after `~`
    Ty, Diagram, Points                         a boundary, a diagram, wires of a diagram that is being drawn by names
    Declared, Builtin, GateName                 what may be called

The graph is first order: everything here but wires is gone when it is done.
"""
from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Callable, Iterator, Mapping

from pullback.compiler.diagnostic import an
from pullback.compiler.diagrams.build import numbers, renamed, shown, signature
from pullback.compiler.ir import Graph, Wire
from pullback.compiler.source import Span
from pullback.compiler.type import Array, Constraint, Object, Params, Size, is_text


@dataclass(frozen=True, slots=True)
class Constant:
    """An array of numbers that the program states: nested tuples."""

    value: tuple


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """`{x = …, t}`.  The trace of a model is one, with the model's name and what the model returned (`value(t)`); of a model
    whose density is estimated, `origin` is that model and `hidden` what was drawn beside the trace."""

    fields: Mapping[str, Any]
    model: str = ""
    value: Any = None
    hidden: Any = None
    origin: Any = None


@dataclass(frozen=True, slots=True, eq=False)
class Tuple:
    items: tuple


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Elements `low..high` of an array: one element, or all of them stacked."""

    low: Size
    high: Size
    value: Any
    single: bool
    span: Span | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Filled:
    """An array of which some pieces stand; `block` is where the boxes that make them are."""

    name: str
    pieces: tuple[Piece, ...]
    block: Any


@dataclass(frozen=True, slots=True, eq=False)
class Dist:
    """A distribution with its parameters: independent draws over `batch`, each with the shape `event`."""

    record: Any
    parameters: tuple[Wire, ...]
    batch: tuple[Size, ...]
    event: tuple[Size, ...]
    onto: Constraint | None = None
    fields: tuple[tuple[str, Array], ...] = ()      # of `onto {…}`: a joint choice of several names
    known: Mapping[str, Any] = field(default_factory=dict)
    span: Span | None = None

    @property
    def name(self) -> str:
        return self.record.name


@dataclass(frozen=True, slots=True, eq=False)
class Flat:
    """Log density 0 on a type."""

    type: Array
    span: Span | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Declared:
    """A declaration and the module that it stands in; kind: `model`, `objective`, `function`, `network`, …"""

    kind: str
    name: str
    node: Any
    module: Any

    @property
    def doc(self) -> str:
        return getattr(self.node, "doc", "")


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A model with its arguments; `name` is the one that the program calls it by here."""

    declared: Declared
    arguments: Mapping[str, Any]
    span: Span | None = None

    @property
    def name(self) -> str:
        return self.declared.name


@dataclass(frozen=True, slots=True, eq=False)
class Marginal:
    """`marginalize m over z using r`: the model of the other choices."""

    model: Any
    names: tuple[str, ...]
    method: Any
    label: str = ""
    span: Span | None = None
    node: Any = None

    @property
    def name(self) -> str:
        return self.label or self.model.name


@dataclass(frozen=True, slots=True, eq=False)
class Normalized(Marginal):
    """`normalize m given {…} using r`: the model of what is not given; `names` are those that are."""

    given: Any = None


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """`llm(system, "Question: {question}", temperature = 0.7)`: a question to a language model, before it is answered.
    `turns`: the texts, oldest first; `options` are known before the run."""

    name: str
    turns: tuple[Wire, ...]
    options: Mapping[str, Any]
    span: Span | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Picked:
    """`choice(values, logits = l)`: one of a list's values, at random."""

    values: Wire
    which: Dist
    span: Span | None = None

    name = "choice"


@dataclass(frozen=True, slots=True)
class Builtin:
    """A function of the language by its name."""

    name: str


@dataclass(frozen=True, slots=True)
class GateName:
    """A gate of `pullback.gates`, without its arguments."""

    name: str


@dataclass(frozen=True, slots=True)
class Ty:
    """A boundary: `n.r * s`."""

    atoms: tuple[Object, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Diagram:
    """A diagram of object wires; the numbers that its boxes read are wires of the graph that is being written.  `image`: a
    functor gave it, so that it is an array where arithmetic is done with it."""

    graph: Graph
    span: Span | None = None
    image: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Wires of the diagram that is being drawn by names."""

    wires: tuple[Wire, ...]
    span: Span | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """A lexicon with its parameters: `mc(w)`."""

    declared: Declared
    parameters: Any = None


@dataclass(frozen=True, slots=True, eq=False)
class Sentence:
    """`words[i]`: one of known texts, by an index that is not known before the run."""

    texts: tuple[str, ...]
    index: Wire


@dataclass(frozen=True, slots=True, eq=False)
class Sentences:
    """The diagram of one of known sentences; `changes`: what was done to it since it was parsed, each Graph → Graph."""

    words: Words
    picked: Sentence
    changes: tuple[Callable[[Graph], Graph], ...] = ()
    span: Span | None = None


class Wrong:
    """In place of a value that could not be had; it was reported, and nothing more is said of what reads it."""

    def __repr__(self) -> str:
        return "Wrong"


WRONG = Wrong()


class Poisoned(Exception):
    """What was to be evaluated reads a value that was reported as wrong already."""


class Undetermined(Exception):
    """What was to be evaluated depends on something that is told later: the shapes of `params`, a type left out."""


# ---------------------------------------------------------------- wires inside values


def leaves(value: Any) -> list[Wire]:
    """The wires of a value, in order."""
    match value:
        case Wire():
            return [value]
        case Record(fields):
            found = [wire for item in fields.values() for wire in leaves(item)]
            return found + leaves(value.value) + leaves(value.hidden)
        case Tuple(items):
            return [wire for item in items for wire in leaves(item)]
        case Filled(_, pieces):
            return [wire for piece in pieces for wire in leaves(piece.value)]
        case Dist():
            return list(value.parameters)
        case Model():
            return [wire for item in value.arguments.values() for wire in leaves(item)]
        case Normalized():
            return leaves(value.model) + leaves(value.given)
        case Marginal():
            return leaves(value.model)
        case Diagram(graph):
            return list(numbers(graph))
        case Words(_, parameters):
            return leaves(parameters)
    return []


def rebuild(value: Any, wires: Iterator[Wire]) -> Any:
    """The value with other wires for its own, taken in order."""
    match value:
        case Wire():
            return next(wires)
        case Record(fields):
            fields = {name: rebuild(item, wires) for name, item in fields.items()}
            return replace(value, fields=fields, value=rebuild(value.value, wires), hidden=rebuild(value.hidden, wires))
        case Tuple(items):
            return Tuple(tuple(rebuild(item, wires) for item in items))
        case Filled(_, pieces):
            return replace(value, pieces=tuple(replace(piece, value=rebuild(piece.value, wires)) for piece in pieces))
        case Dist():
            return replace(value, parameters=tuple(next(wires) for _ in value.parameters))
        case Model():
            return replace(value, arguments={name: rebuild(item, wires) for name, item in value.arguments.items()})
        case Normalized():
            return replace(value, model=rebuild(value.model, wires), given=rebuild(value.given, wires))
        case Marginal():
            return replace(value, model=rebuild(value.model, wires))
        case Diagram(graph):
            return replace(value, graph=renamed(graph, {wire: next(wires) for wire in numbers(graph)}))
        case Words(_, parameters):
            return replace(value, parameters=rebuild(parameters, wires))
    return value


def change(value: Any, now: Callable[[Wire], Wire]) -> Any:
    """The value with each wire changed."""
    return rebuild(value, iter([now(wire) for wire in leaves(value)]))


def named_leaves(value: Any, name: str) -> list[tuple[str, Wire]]:
    """The wires of a record or a value with their dotted names (`t.x`)."""
    match value:
        case Wire():
            return [(name, value)]
        case Record(fields):
            return [pair for key, item in fields.items() for pair in named_leaves(item, f"{name}.{key}" if name else key)]
        case Tuple(items):
            return [pair for key, item in enumerate(items) for pair in named_leaves(item, f"{name}.{key}")]
    return []


# ---------------------------------------------------------------- what a value is called in messages


def is_size(value: Any) -> bool:
    """A whole number that is known before the run, a symbolic size too (a bool is none)."""
    return not isinstance(value, bool) and (isinstance(value, int) or hasattr(value, "_get_vars"))


def is_static(value: Any) -> bool:
    """A number or truth value that is known before the run."""
    return isinstance(value, (bool, int, float)) or is_size(value)


def describe(value: Any) -> str:
    """What a value is, for a message: "a real[3]", "a model", "the number 2"."""
    match value:
        case Wire(_, type) if is_text(type):
            return f"a `{type}`" if type.shape else "a text"
        case Wire(_, Params()):
            return "a `params`"
        case Wire():
            return an(f"`{value.type}`")
        case bool():
            return f"`{str(value).lower()}`"
        case str():
            return "a text"
        case Constant(items):
            return f"{'a list of texts' if isinstance(items[0], str) else 'an array'} of {len(items)}"
        case Record():
            names = ", ".join(value.fields)
            return f"the trace `{{{names}}}` of `{value.model}`" if value.model else f"a record `{{{names}}}`"
        case Tuple(items):
            return f"a tuple of {len(items)}"
        case Filled(name):
            return f"the array `{name}`"
        case Dist():
            return f"the distribution `{value.name}`"
        case Flat():
            return "the distribution `flat`"
        case Model() | Marginal():
            return f"the model `{value.name}`"
        case Asked(role):
            return f"a call of `{role}`"
        case Picked():
            return "a call of `choice`"
        case Declared(kind, name):
            return f"the {kind} `{name}`"
        case Builtin(name):
            return f"the function `{name}`"
        case GateName(name):
            return f"the gate `{name}`"
        case Ty(atoms):
            return f"the type `{shown(atoms)}`"
        case Diagram(graph):
            return f"a diagram `{signature(graph)}`"
        case Points(wires):
            return f"the wire `{shown(wire.type for wire in wires)}`" if wires else "no wire"
        case Words(found):
            return f"the lexicon `{found.name}`"
        case Sentence(texts):
            return f"one of {len(texts)} texts"
        case Sentences():
            return "the diagram of a sentence"
    if is_static(value):
        return f"the number {value}"
    return "no value"
