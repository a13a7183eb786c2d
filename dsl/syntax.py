"""The syntax tree: what a program says, each piece with its span.

Frozen dataclasses, one for each form of the language, in the order of the language page.  Chains of one precedence
(`a + b - c`, `p and q`, `elif`) are flat tuples, so that long programs are not deep.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Union

from pullback.compiler.source import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    span: Span = field(compare=False, repr=False)


# ---------------------------------------------------------------- expressions


@dataclass(frozen=True, slots=True)
class Number(Node):
    """`2` (an int) or `2.0` (a real)."""
    value: int | float


@dataclass(frozen=True, slots=True)
class Boolean(Node):
    value: bool


@dataclass(frozen=True, slots=True)
class Text(Node):
    """A string; its pieces are texts and the expressions that stand in its holes `{…}`, in order."""
    pieces: tuple[Union[str, "Expression"], ...]


@dataclass(frozen=True, slots=True)
class Name(Node):
    name: str


@dataclass(frozen=True, slots=True)
class Dot(Node):
    """`a.b`: a field, an adjoint, a method: the types decide."""
    value: "Expression"
    field: str
    field_span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Range(Node):
    """`a..b`, `a..`, `..b`, `..`: after `in`, and as an index."""
    start: "Expression | None"
    stop: "Expression | None"


@dataclass(frozen=True, slots=True)
class Index(Node):
    """`x[i, 2..n, ..]`."""
    value: "Expression"
    indices: tuple["Expression | Range", ...]


@dataclass(frozen=True, slots=True)
class Argument(Node):
    """One argument of a call; `name` is None for a positional one."""
    name: str | None
    value: "Expression"


@dataclass(frozen=True, slots=True)
class Call(Node):
    function: "Expression"
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Negative(Node):
    value: "Expression"


@dataclass(frozen=True, slots=True)
class Not(Node):
    value: "Expression"


@dataclass(frozen=True, slots=True)
class Chain(Node):
    """`a + b - c`: n operands, n − 1 operators of one precedence, applied from the left (`^` from the right).

    Operators: `+ -`, `>>`, `* / // @ %`, `^`, `and`, `or`.
    """
    operands: tuple["Expression", ...]
    operators: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Compare(Node):
    """`a < b <= c`, read as a chain."""
    operands: tuple["Expression", ...]
    operators: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Conditional(Node):
    """`a if c else b`."""
    value: "Expression"
    condition: "Expression"
    otherwise: "Expression"


@dataclass(frozen=True, slots=True)
class List(Node):
    items: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Tuple(Node):
    items: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Entry(Node):
    """One entry of a record: `y = e`, or `t` alone (a splice, or short for `t = t`; `name` is then None)."""
    name: str | None
    value: "Expression"


@dataclass(frozen=True, slots=True)
class Record(Node):
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Binder(Node):
    """`i in 0..n`, `w in workers`, `(g, t) in tokens(o)`."""
    names: tuple[str, ...]
    domain: "Expression | Range"


@dataclass(frozen=True, slots=True)
class Comprehension(Node):
    """`[e for i in 0..n, j in 0..m]`."""
    body: "Expression"
    binders: tuple[Binder, ...]


@dataclass(frozen=True, slots=True)
class Reduction(Node):
    """`sum i in 0..n by r: e`; `function` is any name."""
    function: str
    binders: tuple[Binder, ...]
    rules: tuple["Rule", ...]
    body: "Expression"


@dataclass(frozen=True, slots=True)
class Argmin(Node):
    """`argmin v from v0 by r: e`."""
    name: str
    start: "Expression"
    rules: tuple["Rule", ...]
    body: "Expression"


@dataclass(frozen=True, slots=True)
class Part(Node):
    """One named term of a `combine`: `side by clip_norm(1.0): e`."""
    name: str
    rules: tuple["Rule", ...]
    body: "Expression"


@dataclass(frozen=True, slots=True)
class Combine(Node):
    rules: tuple["Rule", ...]
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Marginalize(Node):
    """`marginalize m over a, b using r`."""
    model: "Expression"
    names: tuple[str, ...]
    method: "Rule"


@dataclass(frozen=True, slots=True)
class Normalize(Node):
    """`normalize m given {…} using r`."""
    model: "Expression"
    given: "Expression"
    method: "Rule"


@dataclass(frozen=True, slots=True)
class Independent(Node):
    """`iid f(x)[n]`: n independent copies of a distribution."""
    distribution: "Expression"
    sizes: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Onto(Node):
    """`d onto T`: a distribution pushed through the bijection of a type."""
    distribution: "Expression"
    type: "Type"


@dataclass(frozen=True, slots=True)
class Ruled(Node):
    """`(e by r, s)`; `name`: of the variable that it is assigned to."""
    value: "Expression"
    rules: tuple["Rule", ...]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Setting(Node):
    """One line of a `with`: an address (dotted) and its rules."""
    address: str
    rules: tuple["Rule", ...]


@dataclass(frozen=True, slots=True)
class Chosen(Node):
    """`e with {q.k: enum}`."""
    value: "Expression"
    settings: tuple[Setting, ...]


@dataclass(frozen=True, slots=True)
class Rule(Node):
    """What stands after `by` and `using`: a name with arguments (none: an empty tuple)."""
    name: str
    arguments: tuple[Argument, ...] = ()


Expression = Union[
    Number, Boolean, Text, Name, Dot, Index, Call, Negative, Not, Chain, Compare, Conditional, List, Tuple, Record,
    Comprehension, Reduction, Argmin, Combine, Marginalize, Normalize, Independent, Onto, Ruled, Chosen]


# ---------------------------------------------------------------- types


@dataclass(frozen=True, slots=True)
class NamedType(Node):
    """`real[n, d]`, `positive`, `interval(-1, 1)`, `one_of("yes", "no")`, `model`, `params`, `cholesky[n]`."""
    name: str
    arguments: tuple[Expression, ...] = ()
    sizes: tuple[Expression, ...] = ()


@dataclass(frozen=True, slots=True)
class TypeField(Node):
    name: str
    type: "Type"


@dataclass(frozen=True, slots=True)
class RecordType(Node):
    """`{x: real, y: real[n]}`."""
    fields: tuple[TypeField, ...]


@dataclass(frozen=True, slots=True)
class TupleType(Node):
    items: tuple["Type", ...]


@dataclass(frozen=True, slots=True)
class DiagramType(Node):
    """`n.r * s * n.l`, `n^2`, or empty: an expression over object types."""
    value: Expression | None


Type = Union[NamedType, RecordType, TupleType, DiagramType]


# ---------------------------------------------------------------- statements


@dataclass(frozen=True, slots=True)
class Assign(Node):
    """`r = e`, `w[i] = e`, `v: positive = e`, `(l, r) = w`; targets: Name, Index, or a tuple of Names."""
    target: Name | Index | tuple[Name, ...]
    type: Type | None
    value: Expression
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Draw(Node):
    """`x ~ d`, `x: real[d] ~ d`, `y[t] ~ d`, `{a, b} ~ d`.  Targets: Name, Index, or a tuple of Names."""
    target: Name | Index | tuple[Name, ...]
    type: Type | None
    value: Expression
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Factor(Node):
    """`factor e`."""
    value: Expression


@dataclass(frozen=True, slots=True)
class Return(Node):
    value: Expression
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class For(Node):
    """`for i in 0..n, j in 0..m by r:`, with `until e` for a scan that may end sooner; `group g in 0..G:` too."""
    binders: tuple[Binder, ...]
    rules: tuple[Rule, ...]
    until: Expression | None
    body: tuple["Statement", ...]
    group: bool = False


@dataclass(frozen=True, slots=True)
class Arm(Node):
    condition: Expression
    body: tuple["Statement", ...]


@dataclass(frozen=True, slots=True)
class If(Node):
    """`if … elif … else …`; `otherwise` is empty where there is no `else`."""
    arms: tuple[Arm, ...]
    otherwise: tuple["Statement", ...]


Statement = Union[Assign, Draw, Factor, Return, For, If]


# ---------------------------------------------------------------- declarations


@dataclass(frozen=True, slots=True)
class Import(Node):
    """`from models.cone import cone, blob`."""
    path: tuple[str, ...]
    names: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class Constant(Node):
    """`EOS = 31`, `scale: positive = 0.1` at top level."""
    name: str
    type: Type | None
    value: Expression


@dataclass(frozen=True, slots=True)
class Parameter(Node):
    """A parameter of a declaration: its type may be left out (None), and it may have a default."""
    name: str
    type: Type | None
    default: Expression | None = None


@dataclass(frozen=True, slots=True)
class Model(Node):
    """`model m(x: real) -> T:` with a body, or `model m(n: int) = e` with a value."""
    name: str
    parameters: tuple[Parameter, ...]
    returns: Type | None
    body: tuple[Statement, ...]
    value: Expression | None = None
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Objective(Node):
    name: str
    parameters: tuple[Parameter, ...]
    returns: Type | None
    body: tuple[Statement, ...]
    allow_biased: bool = False
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Function(Node):
    """`function f(x: real) -> real: return …`, on one line or with a block that ends in `return`."""
    name: str
    parameters: tuple[Parameter, ...]
    returns: Type | None
    body: tuple[Statement, ...]
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Network(Node):
    """`network f: real[10] -> real[784] = dense(200) >> relu >> dense(784)`."""
    name: str
    domain: Type
    codomain: Type
    value: Expression
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Extern(Node):
    """`extern f(w: params, z: real[d]) -> real[p] assume continuous`; `extern model m(…)` has kind "model"."""
    name: str
    parameters: tuple[Parameter, ...]
    returns: Type | None
    assume: tuple[str, ...] = ()
    kind: str = "function"


@dataclass(frozen=True, slots=True)
class Given(Node):
    """`given images: int[n, 784]`."""
    parameters: tuple[Parameter, ...]


@dataclass(frozen=True, slots=True)
class Goal(Node):
    """`maximize e`, `minimize e`, `improve e`, `validate e`, with what follows the value."""
    verb: str
    value: Expression
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Over(Node):
    """`over w: params = net.init, v: real[3]`; a model under `over` has type `model` and its call as start."""
    parameters: tuple[Parameter, ...]


@dataclass(frozen=True, slots=True)
class OptimizerUse(Node):
    """`adam(0.001) for w, v` (no names: for all that no other names)."""
    optimizer: Rule
    names: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class Using(Node):
    optimizers: tuple[OptimizerUse, ...]


@dataclass(frozen=True, slots=True)
class Snapshot(Node):
    """`old = w every rollout`, `ref = w at start`."""
    name: str
    value: Expression
    when: str


@dataclass(frozen=True, slots=True)
class With(Node):
    """`with old = w every rollout, ref = w at start` (snapshots)."""
    snapshots: tuple[Snapshot, ...]


@dataclass(frozen=True, slots=True)
class DrawClause(Node):
    """`draw q in questions by gaussian(…)`."""
    binder: Binder
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Count(Node):
    """`steps 5000`, `particles 64`, `rollout 16, inner steps 4`: a word (`inner steps` is one) and a value."""
    word: str
    value: Expression


@dataclass(frozen=True, slots=True)
class Counts(Node):
    counts: tuple[Count, ...]


Clause = Union[Given, Goal, Over, Using, With, DrawClause, Counts]


@dataclass(frozen=True, slots=True)
class Fit(Node):
    name: str
    clauses: tuple[Clause, ...]
    allow_biased: bool = False
    doc: str = ""


# ---------------------------------------------------------------- diagrams


@dataclass(frozen=True, slots=True)
class ObjectTypes(Node):
    """`type n, s` (also `type q linear`)."""
    names: tuple[Name, ...]
    linear: bool = False


@dataclass(frozen=True, slots=True)
class BoxDeclaration(Node):
    name: str
    parameters: tuple[Parameter, ...]
    domain: DiagramType
    codomain: DiagramType


@dataclass(frozen=True, slots=True)
class Diagram(Node):
    """`diagram s(theta: real[3]): e`, or a block of assignments that ends in `return`."""
    name: str
    parameters: tuple[Parameter, ...]
    body: tuple[Statement, ...]
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Image(Node):
    """One line of a functor: `loves(theta) => w.verbs @ theta`."""
    pattern: Expression
    value: Expression


@dataclass(frozen=True, slots=True)
class Functor(Node):
    name: str
    parameters: tuple[Parameter, ...]
    images: tuple[Image, ...]
    doc: str = ""


@dataclass(frozen=True, slots=True)
class WordClass(Node):
    """One line of a lexicon: `verb(turns: real[2]): n.r * s * n.l = "prepares bakes"`."""
    name: str
    parameters: tuple[Parameter, ...]
    type: DiagramType
    words: Expression


@dataclass(frozen=True, slots=True)
class Lexicon(Node):
    name: str
    goal: DiagramType
    classes: tuple[WordClass, ...]
    doc: str = ""


Declaration = Union[Import, Constant, Model, Objective, Function, Network, Extern, Fit, ObjectTypes, BoxDeclaration,
                    Diagram, Functor, Lexicon]


@dataclass(frozen=True, slots=True)
class Program(Node):
    declarations: tuple[Declaration, ...]
    doc: str = ""
