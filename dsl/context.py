"""Where an expression stands: what its names mean, how its choices are made, which loops are around it.

    Work         what the making of one graph shares: the writer, the findings, the calls that are being followed
    Activation   one evaluation of a declaration: its kind, the mode of its choices, how often it has called what
    Scope        names of one block and the block around it
    Tape         what a block of a model adds to the trace and to the log density
    Context      all of these together; it is passed down, and derived for inner blocks

Evaluation is a table from node types to functions, filled by `@evaluates`, so that no module needs to know all others.
"""
from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Callable, Iterator

from pullback.compiler import ops as op
from pullback.compiler.diagnostic import Diagnostic, Reported, near
from pullback.compiler.ir import Wire
from pullback.compiler.source import Span
from pullback.compiler.type import Array, Size, is_text
from pullback.dsl import syntax as s
from pullback.dsl.values import (WRONG, Builtin, Constant, Declared, Diagram, Dist, Filled, Model, Poisoned, Record, Sentences,
                                 describe, is_size, is_static)
from pullback.dsl.writer import Writer

Path = tuple[tuple[str, ...], ...]  # the segments of an address; the first of each is its name, others mean it too
BUILTINS = ("logp", "value", "len")
DIAGRAM_FUNCTIONS = ("id", "cup", "cap", "swap", "spider", "bubble", "d", "double", "dim", "parse")
EVALUATE: dict[type, Callable[["Context", Any], Any]] = {}


def evaluates(*kinds: type) -> Callable:
    """Register how nodes of these kinds are evaluated: a function of the context and the node."""
    def register(function: Callable) -> Callable:
        EVALUATE.update(dict.fromkeys(kinds, function))
        return function
    return register


class Again(Exception):
    """A loop's body reads what was not carried so far: evaluate it again."""

    def __init__(self, frame: Frame):
        self.frame = frame


@dataclass
class Binding:
    """What a name stands for.  kind: `parameter assigned drawn index size carried given`.  `covers`: in a loop, how many of
    the loops around it (innermost first) range over the array of which this is the present element."""

    value: Any
    kind: str = "assigned"
    span: Span | None = None
    covers: int = 0


class Scope:
    def __init__(self, parent: Scope | None = None):
        self.parent, self.names = parent, {}

    def find(self, name: str) -> Binding | None:
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.parent
        return None

    def visible(self) -> Iterator[str]:
        scope: Scope | None = self
        while scope is not None:
            yield from scope.names
            scope = scope.parent


@dataclass(eq=False)
class Frame:
    """A loop around: its index, its range, the arrays that it fills (name → how far the place is from the index), and what
    it carries of them: `lags[name][k]` is the element of k iterations ago.  `wanted`: the longest lag that is read, where,
    and whether only under a condition.  `outside`: the scope around;
    `around`: the loops around."""

    index: Wire
    name: str
    start: Size
    size: Size
    fills: dict[str, int] = field(default_factory=dict)
    lags: dict[str, dict[int, Any]] = field(default_factory=dict)
    wanted: dict[str, tuple[int, Span | None, bool]] = field(default_factory=dict)
    outside: Any = None
    around: tuple = ()


@dataclass
class Entry:
    """One address of a trace: its value so far, and how many of the loops around range over it by index."""

    value: Any
    covers: int = 0
    span: Span | None = None


@dataclass
class Tape:
    entries: dict[str, Entry] = field(default_factory=dict)
    terms: list[Wire] = field(default_factory=list)


@dataclass
class Activation:
    """mode: how `~` is answered here (`choices.py`), None where there is none.  `closed`: names of blocks that ended.
    `board`: of a diagram, the boxes that its block has put on wires."""

    declared: Declared | None
    kind: str
    mode: Any = None
    counts: dict[str, int] = field(default_factory=dict)
    closed: dict[str, tuple[str, Span | None]] = field(default_factory=dict)
    board: Any = None
    drawn: frozenset[str] = frozenset()


@dataclass
class Call:
    declared: Declared
    span: Span | None


class Work:
    """What the making of one graph shares.  `library`: is a span's source a program of the library?"""

    def __init__(self, library: Callable[[Span], bool] = lambda span: False):
        self.writer = Writer()
        self.found: list[Diagnostic] = []
        self.calls: list[Call] = []
        self.made = 0
        self.library = library
        self.addresses: set[str] = set()
        self.loops: set[str] = set()

    def report(self, *diagnostics: Diagnostic) -> None:
        for diagnostic in diagnostics:
            diagnostic = self.as_seen(diagnostic)
            same = [d for d in self.found if (d.code, d.span, d.message) == (diagnostic.code, diagnostic.span, diagnostic.message)]
            if not same:
                self.found.append(diagnostic)

    def as_seen(self, diagnostic: Diagnostic) -> Diagnostic:
        """A finding inside a program of the library is shown at the user's call; the library's line is a note."""
        if diagnostic.span is None or not self.library(diagnostic.span):
            return diagnostic
        call = next((call for call in reversed(self.calls) if call.span is not None and not self.library(call.span)), None)
        if call is None:
            return diagnostic
        notes = ((diagnostic.span, diagnostic.label or f"in `{self.calls[-1].declared.name}`"), *diagnostic.notes)
        return replace(diagnostic, span=call.span, label="", notes=notes)

    def address(self, path: Path, mark: str = "#") -> tuple[Path, str]:
        """The path and its text, made unlike all others: a second `t` of an objective is `t#2`; what further statements
        add to one entry of a trace (`z[0]`, then `z[t]`) are `z` and `z'2`."""
        first, *others = path[-1]
        count, text = 1, dotted(path)
        while text in self.addresses:
            count += 1
            path = (*path[:-1], (f"{first}{mark}{count}", *others))
            text = dotted(path)
        self.addresses.add(text)
        return path, text

    def loop(self, path: Path, index: str) -> str:
        """A name for a loop that no other has."""
        base = dotted((*path, (index,)))
        name, count = base, 1
        while name in self.loops:
            count += 1
            name = f"{base}#{count}"
        self.loops.add(name)
        return name


def dotted(path: Path) -> str:
    return ".".join(segment[0] for segment in path)


def error(code: str, message: str, span: Span | None, label: str = "", help: str = "",
          notes: tuple[tuple[Span | None, str], ...] = ()) -> Reported:
    """What to raise where a piece can't be gone on with."""
    return Reported(Diagnostic(code, message, span, label, notes, help))


@dataclass
class Context:
    """`guarded`: does this stand on one side of a condition, so that it need not happen?"""

    work: Work
    module: Any
    scope: Scope
    activation: Activation
    path: Path = ()
    tape: Tape = field(default_factory=Tape)
    frames: tuple[Frame, ...] = ()
    guarded: bool = False

    @property
    def writer(self) -> Writer:
        return self.work.writer

    def but(self, **changes: Any) -> Context:
        return replace(self, **changes)

    def inner(self, **changes: Any) -> Context:
        """The context of a block inside this one."""
        return replace(self, scope=Scope(self.scope), **changes)

    # ---- values

    def value(self, node: Any) -> Any:
        """What an expression is worth."""
        return EVALUATE[type(node)](self, node)

    def wire(self, value: Any, span: Span | None, what: str = "this") -> Wire:
        """A value as a wire; a trace is read as what its model returned."""
        match value:
            case Wire():
                return value
            case Constant(items):
                return self.writer.constant(items, span)
            case str():
                return self.writer.constant(value, span)
            case Filled():
                from pullback.dsl.pieces import whole
                return self.wire(whole(self, value, span), span, what)
            case Record() if value.model and value.value is not None:
                return self.wire(value.value, span, what)
            case Diagram() | Declared("box" | "diagram"):
                from pullback.dsl.diagrams import as_diagram
                from pullback.dsl.reading import read
                return read(self, Diagram(as_diagram(self, value, span)), span, what)
            case Sentences():
                from pullback.dsl.lexicons import read_sentences
                return read_sentences(self, value)
        if value is WRONG:
            raise Poisoned
        if is_static(value):
            return self.writer.constant(value, span)
        raise error("kind", f"{what} is a number or an array, and this is {describe(value)}", span, help=(
            f"read one of its entries: {', '.join(f'`.{name}`' for name in value.fields)}"
            if isinstance(value, Record) and value.fields else
            "a draw of it is a choice: `x ~ …`" if isinstance(value, (Dist, Model)) else ""))

    def array(self, node: Any, what: str = "this") -> Wire:
        """The wire of an expression that must be a number or an array."""
        found = self.wire(self.value(node), node.span, what)
        if not isinstance(found.type, Array) or is_text(found.type):
            raise error("kind", f"{what} is a number or an array, and this is {describe(found)}", node.span)
        return found

    def size(self, node: Any, what: str = "a size") -> Size:
        """The whole number, known before the run, that an expression is."""
        found = self.value(node)
        if is_size(found):
            return found
        if isinstance(found, Wire) and self.writer.values.get(found.name) is not None and is_size(
                self.writer.values[found.name]):
            return self.writer.values[found.name]
        if isinstance(found, (float, bool)):
            raise error("kind", f"{what} is a whole number, and this is {describe(found)}", node.span)
        raise error("static", f"{what} must be known before the run", node.span, label=f"this is {describe(found)}",
                    help="sizes, numbers and int arguments given when the objective is compiled are known")

    # ---- names

    def look(self, name: str, span: Span | None) -> Any:
        """What a name means here."""
        found = self.find(name)
        if found is None:
            raise self.unknown(name, span)
        if found is WRONG:
            raise Poisoned
        return found

    def find(self, name: str) -> Any:
        binding = self.scope.find(name)
        if binding is not None:
            return binding.value
        found = self.module.find(name) if self.module is not None else None
        if found is WRONG:
            raise Poisoned
        if found is not None:
            return found
        if name in BUILTINS or name in op.functions():
            return Builtin(name)
        return op.CONSTANTS.get(name)

    def unknown(self, name: str, span: Span | None) -> Reported:
        known = [*self.scope.visible(), *(self.module.names() if self.module is not None else ()), *op.functions(), *BUILTINS]
        help, notes = near(name, known), ()
        if name in self.activation.closed:
            block, at = self.activation.closed[name]
            notes = ((at, f"assigned in {block}, and local to it"),)
        if self.activation.kind == "fit" and not help:
            help = f"what is optimized stands under `over`, and data under `given`: `over {name}: real`"
        return error("name", f"nothing above is called `{name}`", span, help=help, notes=notes)

    def bind(self, name: str, value: Any, kind: str, span: Span | None, covers: int = 0) -> None:
        """Give a name its meaning in this block."""
        self.may_bind(name, kind, span)
        if isinstance(value, Wire):
            self.writer.call_it(value, name)
        self.scope.names[name] = Binding(value, kind, span, covers)

    def may_bind(self, name: str, kind: str, span: Span | None) -> None:
        before = self.scope.find(name)
        if before is None or before.value is WRONG:
            return
        own = name in self.scope.names
        if before.kind in ("drawn", "given") and (own or kind == "assigned"):
            raise error("name", f"`{name}` is a choice, and a choice is bound once", span, label="bound again here",
                        notes=((before.span, "first here"),), help="give the other a name of its own")
        if kind == "drawn" and own and before.kind != "index":
            raise error("name", f"`{name}` is bound already", span, label="bound again here",
                        notes=((before.span, "first here"),), help="give the choice a name of its own")
        if before.kind == "index" and own:
            raise error("name", f"`{name}` is the index of this loop", span)

    @property
    def mark(self) -> str:
        """What tells choices of one name apart."""
        return "'" if self.activation.kind == "model" else "#"

    def segment(self, name: str) -> tuple[str]:
        """The part of an address that a call of `name` adds: a second one in a declaration is `name#2`."""
        count = self.activation.counts[name] = self.activation.counts.get(name, 0) + 1
        return (name if count == 1 else f"{name}#{count}",)


@evaluates(s.Name)
def name(ctx: Context, node: s.Name) -> Any:
    from pullback.dsl.filled import named
    return named(ctx, node)
