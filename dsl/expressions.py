"""Parse trees of expressions and types to the syntax tree: one method for each rule of the grammar.

Every method takes the parse node and its children, already built.
"""
from __future__ import annotations

import unicodedata
from typing import Any, Callable

from lark import Token, Tree

from pullback.compiler.source import Source, Span
from pullback.dsl import syntax as s
from pullback.dsl.layout import Fault
from pullback.dsl.strings import pieces

RESERVED = frozenset("and by elif else false for if in not or return true".split())
ELSEWHERE = {"True": "write `true`", "False": "write `false`", "None": "there is no such value: leave it out"}


class Expressions:
    """What builds expressions and types; `faults` collects what the grammar lets pass and the language doesn't."""

    def __init__(self, source: Source, read: Callable[[str, str, int, int], Tree]):
        self.source, self.read, self.faults = source, read, []

    # ---- positions, names, small parts

    def span(self, piece: Tree | Token) -> Span:
        if isinstance(piece, Token):
            return Span(self.source, piece.start_pos, piece.end_pos)
        if getattr(piece.meta, "empty", True):
            return Span(self.source, 0, 0)
        return Span(self.source, piece.meta.start_pos, piece.meta.end_pos)

    def fault(self, message: str, piece: Tree | Token | s.Node, **more: Any) -> None:
        span = piece.span if isinstance(piece, s.Node) else self.span(piece)
        self.faults.append(Fault(message, span.start, span.end, **more))

    def word(self, token: Token) -> str:
        """The name that a token is, without asking whether it is reserved: fields and keyword arguments are free."""
        name = unicodedata.normalize("NFKC", str(token))
        if not (token.isidentifier() and name.isidentifier()):
            self.fault(f"`{token}` can't be a name", token, help="a name has letters, digits and underscores; "
                       "a power is written `x^2`, an index `x[2]`")
        return name

    def binding(self, token: Token) -> str:
        """A name that binds or is read: not one of the reserved words."""
        name = self.word(token)
        if name in ("else", "elif"):
            self.fault(f"`{name}` has no `if` above it in this column", token,
                       help="`elif` and `else` stand below their `if`, as deep as it")
        elif name in RESERVED:
            self.fault(f"`{name}` is a word of the language and can't name anything", token,
                       help="reserved are " + ", ".join(f"`{word}`" for word in sorted(RESERVED)))
        return name

    def names(self, tokens: Any) -> tuple[s.Name, ...]:
        return tuple(s.Name(self.binding(token), span=self.span(token)) for token in tokens if token is not None)

    # ---- expressions

    def marginalize(self, node, _, model, __, *rest):
        *names, ___, method = rest
        return s.Marginalize(model, tuple(".".join(name) for name in names), method, span=self.span(node))

    def normalize(self, node, _, model, __, given, ___, method):
        return s.Normalize(model, given, method, span=self.span(node))

    def onto(self, node, distribution, _, type_):
        return s.Onto(distribution, type_, span=self.span(node))

    def choice(self, node, value, _, condition, __, otherwise):
        return s.Conditional(value, condition, otherwise, span=self.span(node))

    def chain(self, node, *parts):
        return s.Chain(parts[::2], tuple(map(str, parts[1::2])), span=self.span(node))

    power = chain

    def compare(self, node, *parts):
        return s.Compare(parts[::2], tuple(map(str, parts[1::2])), span=self.span(node))

    def negation(self, node, _, value):
        return s.Not(value, span=self.span(node))

    def negative(self, node, _, value):
        return s.Negative(value, span=self.span(node))

    def independent(self, node, _, call, indices):
        return s.Independent(call, self.whole(indices), span=self.span(node))

    def copied(self, node, path, arguments):
        at = self.span(node.children[0])
        function: s.Expression = s.Name(path[0], span=at)
        for field in path[1:]:
            function = s.Dot(function, field, at, span=at)
        return s.Call(function, arguments or (), span=self.span(node))

    def whole(self, indices):
        """Sizes: indices without ranges."""
        for index in indices:
            if isinstance(index, s.Range):
                self.fault("a size is one number, not a range", index)
        return tuple(index for index in indices if not isinstance(index, s.Range))

    def reduction(self, node, word, binders, rules, body):
        return s.Reduction(self.binding(word), binders, rules or (), body, span=self.span(node))

    def argmin(self, node, _, name, __, start, rules, body):
        return s.Argmin(self.binding(name), start, rules or (), body, span=self.span(node))

    def combine(self, node, _, rules, *parts):
        return s.Combine(rules or (), tuple(parts), span=self.span(node))

    def part(self, node, name, rules, body):
        return s.Part(self.binding(name), rules or (), body, span=self.span(node))

    def binders(self, _, *binders):
        return binders

    def binder(self, node, *parts):
        *names, _, domain = (part for part in parts if part is not None)
        match domain:
            case s.Call(s.Name("range"), (s.Argument(None, stop),)):
                self.fault("a range is written `a..b`", domain, help=f"write `0..{stop.span.text}`")
            case s.Call(s.Name("range"), (s.Argument(None, start), s.Argument(None, stop))):
                self.fault("a range is written `a..b`", domain, help=f"write `{start.span.text}..{stop.span.text}`")
        return s.Binder(tuple(map(self.binding, names)), domain, span=self.span(node))

    def range_both(self, node, start, stop):
        return s.Range(start, stop, span=self.span(node))

    def range_from(self, node, start):
        return s.Range(start, None, span=self.span(node))

    def range_to(self, node, stop):
        return s.Range(None, stop, span=self.span(node))

    def range_all(self, node):
        return s.Range(None, None, span=self.span(node))

    def dot(self, node, value, name):
        return s.Dot(value, self.word(name), self.span(name), span=self.span(node))

    def call(self, node, function, arguments):
        return s.Call(function, arguments or (), span=self.span(node))

    def index(self, node, value, indices):
        return s.Index(value, indices, span=self.span(node))

    def indices(self, _, *indices):
        return indices

    def name(self, node, token):
        if token in ELSEWHERE:
            self.fault(f"`{token}` is Python's word", token, help=ELSEWHERE[token])
        return s.Name(self.binding(token), span=self.span(node))

    def number(self, node, token):
        try:
            value = float(token) if any(mark in token for mark in ".eE") else int(token)
        except ValueError:
            value = float("inf")
        if value == float("inf"):
            self.fault("this number is too large", token)
            value = 0
        return s.Number(value, span=self.span(node))

    def true(self, node, _):
        return s.Boolean(True, span=self.span(node))

    def false(self, node, _):
        return s.Boolean(False, span=self.span(node))

    def text(self, node, token):
        return s.Text(pieces(token, self.hole, self.faults.append), span=self.span(node))

    def hole(self, start: int, end: int) -> s.Expression | None:
        """The expression in a hole of a string, read by the same grammar at its own place."""
        try:
            inner = type(self)(self.source, self.read)
            value = inner.build(Tree("parentheses", [self.read(self.source.text, "value", start, end)]))
        except Fault as fault:
            self.faults.append(Fault("a hole `{…}` holds a name with fields and indices", start, end,
                                     code=fault.code, help="`{{` and `}}` are braces"))
            return None
        self.faults += inner.faults
        base = value
        while isinstance(base, (s.Dot, s.Index)):
            base = base.value
        if not isinstance(base, s.Name):
            self.fault("a hole `{…}` holds a name with fields and indices", value,
                       help="assign the expression to a name first; `{{` and `}}` are braces")
            return None
        return value

    def list(self, node, *items):
        return s.List(tuple(item for item in items if item is not None), span=self.span(node))

    def comprehension(self, node, body, _, binders):
        return s.Comprehension(body, binders, span=self.span(node))

    def record(self, node, *entries):
        return s.Record(tuple(entry for entry in entries if entry is not None), span=self.span(node))

    def parentheses(self, _, value):
        return value

    def tuple(self, node, *items):
        return s.Tuple(items, span=self.span(node))

    def in_parentheses_ruled(self, node, value, rules):
        return s.Ruled(value, rules, span=self.span(node))

    def arguments(self, _, *arguments):
        given = tuple(argument for argument in arguments if argument is not None)
        self.once(given, "argument")
        for before, argument in zip(given, given[1:]):
            if before.name is not None and argument.name is None:
                self.fault("an argument without a name stands before those with one", argument,
                           help=f"move it before `{before.name} = …`, or name it")
                break
        return given

    def once(self, parts, what):
        """No name stands twice."""
        seen: dict[str, s.Node] = {}
        for part in parts:
            first = seen.setdefault(part.name, part) if part.name is not None else part
            if first is not part:
                self.fault(f"the {what} `{part.name}` stands here twice", part,
                           notes=((first.span.start, first.span.end, "first here"),))

    def argument(self, node, value):
        return s.Argument(None, value, span=self.span(node))

    def named(self, node, name, _, value):
        return s.Argument(self.word(name), value, span=self.span(node))

    def entry(self, node, value):
        return s.Entry(None, value, span=self.span(node))

    def named_entry(self, node, name, _, value):
        return s.Entry(self.word(name), value, span=self.span(node))

    # ---- types, read as expressions and then understood

    def type(self, node, value):
        return self.as_type(value)

    tight_type = type

    def boundary(self, node, value):
        return s.DiagramType(value, span=self.span(node))

    def record_type(self, node, *fields):
        named = tuple(field for field in fields if field is not None)
        self.once(named, "field")
        return s.RecordType(named, span=self.span(node))

    def type_field(self, node, name, type_):
        return s.TypeField(self.word(name), type_, span=self.span(node))

    def as_type(self, value):
        match value:
            case s.RecordType():
                return value
            case s.Tuple(items):
                return s.TupleType(tuple(map(self.as_type, items)), span=value.span)
            case s.Name(name):
                return s.NamedType(name, span=value.span)
            case s.Call(s.Name(name), arguments):
                return s.NamedType(name, self.positional(arguments), span=value.span)
            case s.Index(s.Name(name), indices):
                return s.NamedType(name, (), self.whole(indices), span=value.span)
            case s.Index(s.Call(s.Name(name), arguments), indices):
                return s.NamedType(name, self.positional(arguments), self.whole(indices), span=value.span)
            case _:
                return s.DiagramType(value, span=value.span)

    def positional(self, arguments):
        for argument in arguments:
            if argument.name is not None:
                self.fault("the arguments of a type have no names", argument)
        return tuple(argument.value for argument in arguments)
