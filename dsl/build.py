"""Parse trees to the syntax tree.

Lark's parser is iterative, its transformers are not deep-safe, so this walk keeps its own stack, and counts depth on
the way.  Chains of one precedence are flattened before they are walked: ten thousand terms are one node.
"""
from __future__ import annotations

import inspect
from typing import Any, Callable

from lark import Token, Tree

from pullback.compiler.diagnostic import near
from pullback.compiler.source import Span
from pullback.dsl import syntax as s
from pullback.dsl.expressions import Expressions
from pullback.dsl.layout import DEPTH, too_deep
from pullback.dsl.strings import plain

CLAUSES = tuple("maximize minimize improve validate over using given draw with".split())
COUNTS = ("particles", "steps", "rollout", "inner steps", "batch")
PRECEDENCE = {"OR": 1, "AND": 2, "PLUS": 3, "MINUS": 3, "COMPOSE": 4, "STAR": 5, "TIMES": 5}
FLAT = frozenset("arguments argument by rules rule binders path block until with_ indices parentheses type "
                 "boundary tight_type parameters allow assume doc named entry named_entry statement".split())


class Builder(Expressions):
    """Builds the syntax tree of one source."""

    def build(self, root: Tree) -> Any:
        frames = [(root, iter(spread(root)), [], 0)]
        while True:
            node, children, built, depth = frames[-1]
            for child in children:
                if isinstance(child, Tree):
                    below = depth + (child.data not in FLAT)
                    if below > DEPTH:
                        raise too_deep(child.meta.start_pos, child.meta.end_pos)
                    frames.append((child, iter(spread(child)), [], below))
                    break
                built.append(child)
            else:
                frames.pop()
                value = getattr(self, node.data)(node, *built)
                if not frames:
                    return value
                frames[-1][2].append(value)

    # ---- small parts

    def doc(self, _, token):
        return inspect.cleandoc(plain(token, self.faults.append))

    def path(self, _, *tokens):
        return (self.binding(tokens[0]), *map(self.word, tokens[1:]))

    def allow(self, *_):
        return True

    def assume(self, _, __, *tokens):
        return tuple(map(self.binding, tokens))

    def until(self, _, __, condition):
        return condition

    def block(self, _, *parts):
        """A docstring (where there may be one: None or text) and the statements."""
        if len(parts) > 1 or parts and (parts[0] is None or isinstance(parts[0], str)):
            return parts[0] or "", parts[1:]
        return "", parts

    def indented(self, block, node):
        """The statements of a block that takes no docstring."""
        doc, statements = block
        if doc:
            self.fault("a string stands alone here", node, help="only a declaration has a docstring; a comment "
                       "begins with `#`")
        return tuple(statements)

    # ---- declarations

    def program(self, node, doc, *items):
        span = Span(self.source, 0, len(self.source.text))
        return s.Program(tuple(items), doc or "", span=span)

    def import_(self, node, _, path, __, *names):
        return s.Import(path, self.names(names), span=self.span(node))

    def constant(self, node, name, type_, _, value):
        return s.Constant(self.binding(name), type_, value, span=self.span(node))

    def model(self, node, _, name, parameters, returns, block):
        doc, body = block
        return s.Model(self.binding(name), parameters, returns, tuple(body), None, doc, span=self.span(node))

    def model_value(self, node, _, name, parameters, returns, __, value):
        return s.Model(self.binding(name), parameters, returns, (), value, span=self.span(node))

    def objective(self, node, _, name, parameters, returns, allow, block):
        doc, body = block
        return s.Objective(self.binding(name), parameters, returns, tuple(body), bool(allow), doc,
                           span=self.span(node))

    def function(self, node, _, name, parameters, returns, block):
        doc, body = block
        return s.Function(self.binding(name), parameters, returns, tuple(body), doc, span=self.span(node))

    def network(self, node, _, name, domain, codomain, __, value):
        return s.Network(self.binding(name), domain, codomain, value, span=self.span(node))

    def extern(self, node, _, model, name, parameters, returns, assume):
        return s.Extern(self.binding(name), parameters, returns, assume or (), "model" if model else "function",
                        span=self.span(node))

    def parameters(self, _, *parameters):
        named = tuple(parameter for parameter in parameters if parameter is not None)
        self.once(named, "parameter")
        return named

    def parameter(self, node, name, type_, *default):
        value = default[1] if default[0] is not None else None
        return s.Parameter(self.binding(name), type_, value, span=self.span(node))

    def fit(self, node, _, name, allow, doc, *clauses):
        return s.Fit(self.binding(name), tuple(clauses), bool(allow), doc or "", span=self.span(node))

    def object_types(self, node, _, *names):
        *names, linear = names
        return s.ObjectTypes(self.names(names), linear is not None, span=self.span(node))

    def box(self, node, _, name, parameters, domain, codomain):
        start = self.span(name).end
        empty = s.DiagramType(None, span=Span(self.source, start, start))
        return s.BoxDeclaration(self.binding(name), parameters or (), domain or empty, codomain or empty,
                                span=self.span(node))

    def diagram_value(self, node, _, name, parameters, value):
        body = (s.Return(value, span=value.span),)
        return s.Diagram(self.binding(name), parameters or (), body, span=self.span(node))

    def diagram(self, node, _, name, parameters, doc, *body):
        return s.Diagram(self.binding(name), parameters or (), tuple(body), doc or "", span=self.span(node))

    def functor(self, node, _, name, parameters, doc, *images):
        return s.Functor(self.binding(name), parameters or (), tuple(images), doc or "", span=self.span(node))

    def image(self, node, pattern, value):
        return s.Image(pattern, value, span=self.span(node))

    def lexicon(self, node, _, name, goal, doc, *classes):
        return s.Lexicon(self.binding(name), goal, tuple(classes), doc or "", span=self.span(node))

    def word_class(self, node, name, parameters, type_, _, words):
        return s.WordClass(self.binding(name), parameters or (), type_, words, span=self.span(node))

    # ---- clauses

    def given(self, node, _, *parameters):
        return s.Given(tuple(parameters), span=self.span(node))

    def goal(self, node, verb, stated):
        return s.Goal(str(verb), *stated, span=self.span(node))

    def over(self, node, _, *parameters):
        return s.Over(tuple(parameters), span=self.span(node))

    def using(self, node, _, *uses):
        """`adam(0.1) for w, v, sgd(0.2) for u`: a bare name after a `for` is one more name."""
        merged: list[s.OptimizerUse] = []
        for use in uses:
            last = merged[-1] if merged else None
            if last and last.names and not use.names and use.optimizer.span.text.isidentifier():
                name = s.Name(use.optimizer.name, span=use.span)
                merged[-1] = s.OptimizerUse(last.optimizer, (*last.names, name), span=last.span.to(use.span))
            else:
                merged.append(use)
        return s.Using(tuple(merged), span=self.span(node))

    def use(self, node, rule, for_, name):
        return s.OptimizerUse(rule, self.names([name]), span=self.span(node))

    def snapshots(self, node, _, *snapshots):
        return s.With(tuple(snapshots), span=self.span(node))

    def snapshot(self, node, name, _, value, when):
        return s.Snapshot(self.binding(name), value, when or "", span=self.span(node))

    def when(self, _, *words):
        return " ".join(str(word) for word in words if word is not None)

    def draw_clause(self, node, _, binder, rules):
        return s.DrawClause(binder, rules or (), span=self.span(node))

    def counts(self, node, *counts):
        return s.Counts(tuple(counts), span=self.span(node))

    def count(self, node, word, value):
        counted = " ".join(word.split())
        if counted not in COUNTS:
            self.fault(f"a fit has no clause `{word}`", word, help=near(word, (*CLAUSES, *COUNTS)) or
                       "clauses begin with " + ", ".join(f"`{clause}`" for clause in (*CLAUSES, *COUNTS)))
        return s.Count(counted, value, span=self.span(node))

    # ---- statements

    def assign(self, node, target, type_, _, stated):
        value, rules = stated
        return s.Assign(target, type_, value, rules, span=self.span(node))

    def assign_tuple(self, node, *parts):
        *names, _, stated = parts
        return s.Assign(self.names(names), None, *stated, span=self.span(node))

    def draw(self, node, target, type_, stated):
        return s.Draw(target, type_, *stated, span=self.span(node))

    def draw_record(self, node, *parts):
        *names, stated = parts
        return s.Draw(self.names(names), None, *stated, span=self.span(node))

    def target_index(self, node, name, indices):
        return s.Index(self.name(name, name), indices, span=self.span(node))

    def factor(self, node, _, value):
        return s.Factor(value, span=self.span(node))

    def return_(self, node, _, stated):
        return s.Return(*stated, span=self.span(node))

    def for_(self, node, _, binders, rules, until, block):
        return s.For(binders, rules or (), until, self.indented(block, node), span=self.span(node))

    def group(self, node, _, binders, rules, block):
        return s.For(binders, rules or (), None, self.indented(block, node), True, span=self.span(node))

    def if_(self, node, *parts):
        arms, at = [], 0
        while at + 2 < len(parts) and isinstance(parts[at], Token) and parts[at].type in ("IF", "ELIF"):
            word, condition, block = parts[at:at + 3]
            body = self.indented(block, node)
            span = self.span(word).to(body[-1].span)
            arms.append(s.Arm(condition, body, span=span))
            at += 3
        otherwise = self.indented(parts[-1], node) if parts[-1] is not None else ()
        return s.If(tuple(arms), otherwise, span=self.span(node))

    def plain_value(self, _, value):
        return value, ()

    def ruled(self, _, value, rules):
        return value, rules

    def chosen(self, node, value, settings):
        return s.Chosen(value, settings, span=self.span(node))

    def with_(self, _, __, *settings):
        return tuple(setting for setting in settings if setting is not None)

    def setting(self, node, path, rules):
        return s.Setting(".".join(path), rules if isinstance(rules, tuple) else (rules,), span=self.span(node))

    def by(self, _, __, rules):
        return rules

    def rules(self, _, *rules):
        return rules

    def rule(self, _, rules):
        return rules

    def one_rule(self, node, name, *arguments):
        given = arguments[0] if arguments else None
        return s.Rule(self.binding(name), given or (), span=self.span(node))


def spread(node: Tree) -> list:
    """The children of a node; those of a chain are all its operands and operators, however long it is."""
    match node.data:
        case "chain":
            level = PRECEDENCE[node.children[1].type]
            return left_spine(node, lambda tree: tree.data == "chain" and PRECEDENCE[tree.children[1].type] == level)
        case "compare":
            return left_spine(node, lambda tree: tree.data == "compare")
        case "power":
            parts, last = node.children[:2], node.children[2]
            while isinstance(last, Tree) and last.data == "power":
                parts += last.children[:2]
                last = last.children[2]
            return [*parts, last]
    return node.children


def left_spine(node: Tree, same: Callable[[Tree], bool]) -> list:
    backwards: list = []
    while True:
        first, *rest = node.children
        backwards += reversed(rest)
        if not (isinstance(first, Tree) and same(first)):
            return [first, *reversed(backwards)]
        node = first
