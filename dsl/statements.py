"""Statements, one after the other.

A statement that is wrong is reported, what it would have bound is marked as wrong, and the next goes on: so that a
program hears of all its independent mistakes at once.
"""
from __future__ import annotations

from typing import Any, Callable

from pullback.compiler.diagnostic import Reported
from pullback.compiler.source import Span
from pullback.dsl import diagrams
from pullback.dsl import syntax as s
from pullback.dsl.context import Binding, Context, error
from pullback.dsl.filled import entries, fill
from pullback.dsl import texts
from pullback.dsl.matching import declared, fitted
from pullback.dsl.rules import rule_of
from pullback.dsl.values import WRONG, Poisoned, Tuple, describe

EXECUTE: dict[type, Callable[[Context, Any], Any]] = {}


class Nothing:
    """What a block is worth that returns nothing."""

    def __repr__(self) -> str:
        return "nothing"


NOTHING = Nothing()


def executes(*kinds: type) -> Callable:
    """Register how statements of these kinds are executed; what is not `NOTHING` is what the block returns."""
    def register(function: Callable) -> Callable:
        EXECUTE.update(dict.fromkeys(kinds, function))
        return function
    return register


def run(ctx: Context, body: tuple[s.Statement, ...]) -> Any:
    """Execute a block; what it returns, or `NOTHING`."""
    for at, statement in enumerate(body):
        try:
            result = EXECUTE[type(statement)](ctx, statement)
        except Reported as reported:
            ctx.work.report(*reported.diagnostics)
            result = spoil(ctx, statement)
        except Poisoned:
            result = spoil(ctx, statement)
        if result is not NOTHING:
            if at + 1 < len(body):
                ctx.work.report(error("syntax", "nothing after `return` is ever done", body[at + 1].span).diagnostics[0])
            return result
    return NOTHING


def spoil(ctx: Context, statement: s.Statement) -> Any:
    """Mark what a wrong statement would have bound."""
    for name, span in targets((statement,)):
        before = ctx.scope.names.get(name)
        if before is None or before.kind == "assigned":
            ctx.scope.names[name] = Binding(WRONG, "assigned", span)
    return WRONG if isinstance(statement, s.Return) or isinstance(statement, s.If) and returns(statement) else NOTHING


def returns(statement: Any) -> bool:
    bodies = [*(arm.body for arm in statement.arms), statement.otherwise]
    return any(isinstance(last, s.Return) for body in bodies for last in body[-1:])


def targets(body: tuple[s.Statement, ...], kinds: tuple = (s.Assign, s.Draw)) -> list[tuple[str, Span]]:
    """The names that statements bind or fill, those of inner blocks too."""
    found: list[tuple[str, Span]] = []
    for statement in body:
        match statement:
            case s.Assign(target) | s.Draw(target) if isinstance(statement, kinds):
                for one in target if isinstance(target, tuple) else (target,):
                    name = one.value if isinstance(one, s.Index) else one
                    found.append((name.name, name.span))
            case s.For():
                found += targets(statement.body, kinds)
            case s.If():
                for arm in statement.arms:
                    found += targets(arm.body, kinds)
                found += targets(statement.otherwise, kinds)
    return found


@executes(s.Assign)
def assign(ctx: Context, node: s.Assign) -> Any:
    if node.type is not None and texts.is_judge(ctx, node.value):
        return scored(ctx, node)
    target = node.target
    name = target.name if isinstance(target, s.Name) else ""
    value = ctx.value(s.Ruled(node.value, node.rules, name, span=node.value.span) if node.rules else node.value)
    if node.type is not None:
        value = fitted(ctx, node.type, value, node.value.span, f"`{node.span.text.split('=')[0].split(':')[0].strip()}`")
    match target:
        case s.Name(name):
            ctx.bind(name, value, "assigned", target.span)
        case s.Index(s.Name(name), indices):
            fill(ctx, name, entries(ctx, indices), value, target.span, "assigned")
        case tuple():
            if diagrams.concerns(value):
                value = Tuple(tuple(diagrams.unpacked(ctx, value, node.value.span)))
            if not isinstance(value, Tuple) or len(value.items) != len(target):
                raise error("type", f"{len(target)} names stand for a tuple of {len(target)}, and this is {describe(value)}",
                            node.value.span)
            for one, item in zip(target, value.items):
                ctx.bind(one.name, item, "assigned", one.span)
    return NOTHING


def scored(ctx: Context, node: s.Assign) -> Any:
    """`s: interval(0, 10) = judge(…)`: the type says that a score is asked for."""
    if not isinstance(node.target, s.Name):
        raise error("kind", "a judgment with a score has a name of its own", node.span, help="`s: interval(0, 10) = judge(…)`")
    value = texts.judge(ctx, node.value, declared(ctx, node.type))
    if node.rules:
        ctx.writer.block.boxes[-1] = ctx.writer.block.boxes[-1].but(rule=rule_of(ctx, node.rules, "judgment"))
    ctx.bind(node.target.name, value, "assigned", node.target.span)
    return NOTHING


@executes(s.Return)
def return_(ctx: Context, node: s.Return) -> Any:
    if ctx.frames:
        raise error("kind", "`return` can't stand in a loop", node.span, help="fill an array and return after the loop")
    return ctx.value(s.Ruled(node.value, node.rules, span=node.value.span) if node.rules else node.value)


@executes(s.Factor)
def factor(ctx: Context, node: s.Factor) -> Any:
    if ctx.activation.mode is None or ctx.activation.kind != "model":
        raise error("kind", f"`factor` stands in a model, and this is {an(ctx.activation.kind)}", node.span,
                    help="add it to what is returned")
    value = ctx.array(node.value, "a factor")
    if value.type.shape:
        raise error("type", f"a factor is one number, and this is {describe(value)}", node.value.span, help="`factor sum(…)`")
    ctx.activation.mode.factor(ctx, value, node.span)
    return NOTHING


def an(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


@executes(s.Draw)
def draw(ctx: Context, node: s.Draw) -> Any:
    from pullback.dsl.choices import choice
    choice(ctx, node)
    return NOTHING


@executes(s.For)
def for_(ctx: Context, node: s.For) -> Any:
    from pullback.dsl.loops import loop_over
    loop_over(ctx, node)
    return NOTHING


@executes(s.If)
def if_(ctx: Context, node: s.If) -> Any:
    from pullback.dsl.branches import branch
    return branch(ctx, node.arms, node.otherwise, node.span)
