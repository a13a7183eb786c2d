"""Lexicons and parsing: a word class a line, and sentences as diagrams.

A word of class `verb` with parameters becomes the box `verb(p)` where p is the word's row of `w.verb`.  Parsing matches
neighbors x·x.r → 1 and x.l·x → 1 until only the goal is left.  Source: Lambek (1999), pregroup grammars.
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Callable

from pullback.compiler import ops as op
from pullback.compiler.diagnostic import an, near
from pullback.compiler.diagrams import build
from pullback.compiler.diagrams.grammar import reductions
from pullback.compiler.ir import Box, Graph, Wire
from pullback.compiler.source import Span
from pullback.compiler.type import Array, Constraint, Params
from pullback.dsl import syntax as s
from pullback.dsl.context import Activation, Context, Scope, error
from pullback.dsl.diagrams import boundary
from pullback.dsl.matching import declared as type_of
from pullback.dsl.values import Declared, Diagram, Sentence, Record, Sentences, Undetermined, Words, describe


def class_boxes(declared: Declared) -> dict[str, Declared]:
    """The classes of a lexicon as boxes."""
    return {one.name: Declared("box", one.name, s.BoxDeclaration(one.name, one.parameters, s.DiagramType(None, span=one.span), one.type,
                                                                 span=one.span), declared.module)
            for one in declared.node.classes}


def words_of(one: s.WordClass) -> list[str]:
    match one.words:
        case s.Text(pieces) if all(isinstance(piece, str) for piece in pieces):
            return "".join(pieces).split()
    raise error("word", "the words of a class stand in one string", one.words.span, help='`noun: n = "person sauce"`')


def dictionary(declared: Declared) -> dict[str, list[tuple[s.WordClass, int]]]:
    """For each word its classes, and its row in each."""
    found: dict[str, list[tuple[s.WordClass, int]]] = {}
    for one in declared.node.classes:
        for row, word in enumerate(words_of(one)):
            if any(other is one for other, _ in found.get(word, [])):
                raise error("word", f"`{word}` stands twice in the class `{one.name}`", one.words.span)
            found.setdefault(word, []).append((one, row))
    return found


def shapes(ctx: Context, declared: Declared) -> dict[str, dict[str, tuple]]:
    """The shapes of a lexicon's parameters: class → parameter → [words, …]."""
    outer = Context(ctx.work, declared.module, Scope(), Activation(declared, "lexicon"))
    found: dict[str, dict[str, tuple]] = {}
    for one in declared.node.classes:
        if one.parameters:
            found[one.name] = {p.name: (len(words_of(one)), *type_of(outer, p.type).shape) for p in one.parameters}
    return found


def bound(ctx: Context, declared: Declared, arguments: tuple[s.Argument, ...], span: Span) -> Words:
    """`mc(w)`: w holds for each class with parameters an array with a row a word."""
    if len(arguments) != 1 or arguments[0].name is not None:
        raise error("argument", f"the lexicon `{declared.name}` takes its parameters: `{declared.name}(w)`", span)
    return Words(declared, ctx.value(arguments[0].value))


def parsed(ctx: Context, nodes: list[Any], span: Span) -> Any:
    """`parse("Alice loves Bob", english)`."""
    text, lexicon = ctx.value(nodes[0]), ctx.value(nodes[1])
    if isinstance(lexicon, Declared) and lexicon.kind == "lexicon":
        lexicon = Words(lexicon)
    if not isinstance(lexicon, Words):
        raise error("kind", f"`parse` takes a lexicon, and this is {describe(lexicon)}", nodes[1].span)
    if isinstance(text, Sentence):
        return Sentences(lexicon, text, span=span)
    if not isinstance(text, str):
        raise error("kind", f"`parse` takes a text, and this is {describe(text)}", nodes[0].span)
    return Diagram(sentence(ctx, lexicon, text, nodes[0].span), span)


def sentence(ctx: Context, lexicon: Words, text: str, span: Span | None) -> Graph:
    """The diagram of the one parse of a sentence."""
    found = parse_of(ctx, lexicon.declared, text, span)
    return drawn(ctx, lexicon, found.form, [(word, row) for word, row in zip(found.words, found.rows)], span)


@dataclass(frozen=True)
class Form:
    """What sentences of one shape share: the class of each word, the atoms that cancel, those that stay."""

    classes: tuple[str, ...]
    cups: tuple[tuple[int, int], ...]
    rest: tuple[int, ...]


@dataclass(frozen=True)
class Parse:
    """A sentence: its shape, its words, and the row of each in its class."""

    form: Form
    words: tuple[str, ...]
    rows: tuple[int, ...]


def parse_of(ctx: Context, declared: Declared, text: str, span: Span | None) -> Parse:
    known = dictionary(declared)
    words = text.split()
    if words and words[-1] == ".":
        words = words[:-1]
    elif words and words[-1].endswith("."):
        words[-1] = words[-1][:-1]
    for word in words:
        if word not in known:
            raise error("word", f"`{word}` is not in the lexicon `{declared.name}`", span, help=near(word, known))
    outer = Context(ctx.work, declared.module, Scope(), Activation(declared, "lexicon"))
    goal = boundary(outer, declared.node.goal)
    types = {one.name: boundary(outer, one.type) for one in declared.node.classes}
    found = reductions([[(c.name, types[c.name]) for c, _ in known[w]] for w in words], goal)
    if len(found) != 1:
        shown = " · ".join(" or ".join(build.shown(types[c.name]) for c, _ in known[w]) for w in words)
        said = f"is no `{build.shown(goal)}`" if not found else f"is {an(f'`{build.shown(goal)}`')} in {len(found)} ways"
        raise error("grammar", f"`{' '.join(words)}` {said}", span, notes=((None, f"its types are {shown}" if shown else "it has no words"),),
                    help="leave all but one class of the ambiguous word out" if found else
                    f"what is left when neighbors `x * x.r` and `x.l * x` go must be `{build.shown(goal)}`")
    choice, (cups, rest) = found[0]
    rows = tuple(next(row for c, row in known[word] if c.name == name) for word, name in zip(words, choice))
    return Parse(Form(choice, cups, rest), tuple(words), rows)


def drawn(ctx: Context, lexicon: Words, form: Form, words: list[tuple[str, Any]], span: Span | None) -> Graph:
    """The diagram of a shape, with a word and its row for each class; a row may be a wire."""
    classes = {one.name: one for one in lexicon.declared.node.classes}
    outer = Context(ctx.work, lexicon.declared.module, Scope(), Activation(lexicon.declared, "lexicon"))
    graph = Graph((), (), ())
    for name, (word, row) in zip(form.classes, words):
        one = classes[name]
        graph = build.beside(graph, word_box(ctx, lexicon, one, word, row, boundary(outer, one.type), span))
    atoms = graph.outputs
    boxes = tuple(Box(op.spider, (atoms[a], atoms[b]), (), span=span) for a, b in form.cups)
    return replace(graph, boxes=(*graph.boxes, *boxes), outputs=tuple(atoms[at] for at in form.rest))


def read_sentences(ctx: Context, value: Sentences, read: Callable[[Diagram], Wire] | None = None) -> Wire:
    """The array of one of known sentences.  Sentences of one shape are one contraction, along a plate of their words' rows;
    all shapes together are an array, of which the index picks one."""
    texts, lexicon = value.picked.texts, value.words
    parses = [parse_of(ctx, lexicon.declared, text, value.span) for text in texts]
    groups: dict[Form, dict[tuple[int, ...], int]] = {}
    for parse in parses:
        groups.setdefault(parse.form, {}).setdefault(parse.rows, 0)
    place: dict[tuple[Form, tuple[int, ...]], int] = {}
    for form, rows in groups.items():
        place |= {(form, row): len(place) + at for at, row in enumerate(rows)}
    stacked = [plate(ctx, value, form, list(rows), read) for form, rows in groups.items()]
    shape = stacked[0].type.shape[1:]
    if any(one.type.shape[1:] != shape for one in stacked):
        raise error("size", "sentences of different shapes have values of different sizes", value.span)
    writer = ctx.writer
    whole = stacked[0] if len(stacked) == 1 else writer.emit(op.concat, stacked, span=value.span)[0]
    order = writer.constant(tuple(place[parse.form, parse.rows] for parse in parses), value.span)
    (at,) = writer.emit(op.index, (order, value.picked.index), {"pattern": ("i",)}, span=value.span)
    return writer.emit(op.index, (whole, at), {"pattern": ("i",)}, span=value.span)[0]


def plate(ctx: Context, value: Sentences, form: Form, rows: list[tuple[int, ...]], read: Callable[[Diagram], Wire] | None) -> Wire:
    """The arrays of all sentences of one shape, [sentences, …]."""
    writer, count = ctx.writer, len(rows)
    index = writer.wire("sentence", Array("int", (), Constraint("range", (0, count))), value.span)
    with writer.region((index,)) as block:
        words = []
        for at in range(len(form.classes)):
            table = writer.constant(tuple(row[at] for row in rows), value.span)
            words.append(("", writer.emit(op.index, (table, index), {"pattern": ("i",)}, span=value.span)[0]))
        graph = drawn(ctx, value.words, form, words, value.span)
        for change in value.changes:
            graph = change(graph)
        found = read(Diagram(graph, value.span)) if read is not None else ctx.wire(Diagram(graph, value.span), value.span)
    region = writer.close(block, (found,))
    return writer.emit(op.plate, region.inputs[1:], {"index": "sentence", "name": ctx.work.loop(ctx.path, "sentence"), "start": 0, "size": count,
                                                     "share": None}, span=value.span, regions=(region,),
                       types=(Array(found.type.kind, (count, *found.type.shape)),), base="sentences")[0]


def word_box(ctx: Context, lexicon: Words, one: s.WordClass, word: str, row: Any, type: Any, span: Span | None) -> Graph:
    given = [parameter(ctx, lexicon, one, p, row, span) for p in one.parameters]
    return build.named(one.name, given, (), type, span, **({"word": word} if word else {}))


def parameter(ctx: Context, lexicon: Words, one: s.WordClass, p: s.Parameter, row: Any, span: Span | None) -> Wire:
    """The row of a word in its class' array.  A class with one parameter has its array by the class' name alone."""
    if lexicon.parameters is None:
        raise error("argument", f"words of the class `{one.name}` have parameters: `{lexicon.declared.name}(w)`", span)
    whole = entry(ctx, lexicon.parameters, one.name, span)
    if len(one.parameters) > 1:
        whole = entry(ctx, whole, p.name, span)
    wire = ctx.wire(whole, span)
    outer = Context(ctx.work, lexicon.declared.module, Scope(), Activation(lexicon.declared, "lexicon"))
    wanted = (len(words_of(one)), *type_of(outer, p.type).shape)
    if not isinstance(wire.type, Array) or wire.type.shape != wanted:
        raise error("size", f"`{one.name}` of the lexicon's parameters is a `{Array('real', wanted)}` (a row a word), and this is "
                    f"{describe(wire)}", span)
    if isinstance(row, Wire):
        return ctx.writer.emit(op.index, (wire, row), {"pattern": ("i",)}, span=span, base=one.name)[0]
    return ctx.writer.emit(op.index, (wire,), {"pattern": (row,)}, span=span, base=one.name)[0]


def entry(ctx: Context, value: Any, name: str, span: Span | None) -> Any:
    match value:
        case Record(fields) if name in fields:
            return fields[name]
        case Wire(_, Params(tree)):
            if tree is None:
                raise Undetermined("the parameters of a lexicon")
            return ctx.writer.emit(op.field, (value,), {"name": name}, span=span, base=name)[0]
    raise error("name", f"the parameters of the lexicon have no `{name}`", span)


@dataclass(frozen=True)
class Start:
    """`mc.init`: uniform turns for every word, by class; `leaves`: the shapes."""

    leaves: Any

    def init(self, key: Any) -> Any:
        import jax
        found, tree = jax.tree.flatten(self.leaves, is_leaf=lambda one: isinstance(one, Array))
        keys = jax.random.split(key, max(len(found), 1))
        return jax.tree.unflatten(tree, [jax.random.uniform(k, leaf.shape) for k, leaf in zip(keys, found)])


def start(declared: Declared, work: Any) -> Start:
    """What the parameters of a lexicon begin at."""
    ctx = Context(work, declared.module, Scope(), Activation(declared, "lexicon"))
    return Start({name: next(iter(of.values())) if len(of) == 1 else of for name, of in (
        (name, {key: Array("real", shape) for key, shape in found.items()}) for name, found in shapes(ctx, declared).items())})
