"""Rules by name: `by reinforce(k = 4)` becomes an instance of the class that registered itself under that name.

An option is a number, a word that nothing is called (`baseline = loo`), or again something with options: a schedule
(`linear(0.1, 1)`), a rule, an optimizer.
"""
from __future__ import annotations

import dataclasses
from typing import Any

from pullback.compiler import distribution, optimizer, predicate, schedule
from pullback.compiler import rule as registry
from pullback.compiler.diagnostic import near
from pullback.compiler.ir import Wire
from pullback.compiler.proposal import Proposal
from pullback.compiler.rule import Computed
from pullback.compiler.source import Span
from pullback.dsl import syntax as s
from pullback.dsl.context import Context, error
from pullback.dsl.matching import listed
from pullback.dsl.refused import pending, pending_rule
from pullback.dsl.values import WRONG, Constant, Declared, Filled, Poisoned, Undetermined, describe, is_size, is_static

SUBSAMPLE = "subsample"


def rule_of(ctx: Context | None, rules: tuple[s.Rule, ...], place: str) -> Any:
    """The one rule of a choice or a call; None if none is given."""
    if not rules:
        return None
    made = [rule(ctx, node) for node in rules]
    if len(made) > 1:
        raise error("rule", f"one {place} takes one rule, and these are {len(made)}: {listed(one.name for one in made)}",
                    rules[1].span, help="each of them says alone where the derivative comes from")
    return made[0]


def rule(ctx: Context | None, node: s.Rule) -> Any:
    found = registry.find(node.name)
    if found is None:
        planned = pending_rule(node.name, node.span)
        raise planned or error("name", f"there is no rule `{node.name}`", node.span, help=near(node.name, registry.names()) or (
            f"rules are {listed(registry.names())}"))
    made = instance(ctx, node.name, found, node.arguments, node.span)
    for field in dataclasses.fields(made):
        if isinstance(getattr(made, field.name), schedule.Schedule):
            raise error("static", f"`{field.name}` of `{node.name}` is the same at every step", node.span,
                        help="a schedule may stand where an optimizer takes a number")
    return made


def instance(ctx: Context | None, name: str, kind: Any, arguments: tuple[s.Argument, ...], span: Span) -> Any:
    """A dataclass from the arguments that stand after its name."""
    fields = {field.name: field for field in dataclasses.fields(kind) if field.init}
    order = [key for key, field in fields.items() if not field.kw_only]
    usage = f"it is `{name}({', '.join(fields)})`" if fields else f"`{name}` takes no options"
    given: dict[str, Any] = {}
    for at, argument in enumerate(arguments):
        key = argument.name or (order[at] if at < len(order) else None)
        if key is None or key not in fields:
            raise error("argument", f"`{name}` has no option `{key}`" if key else f"`{name}` is given too many options",
                        argument.span, help=(near(key, fields) if key else "") or usage)
        if key in given:
            raise error("argument", f"`{name}` is given `{key}` twice", argument.span, help=usage)
        drawn = key in getattr(kind, "proposals", ()) and isinstance(argument.value, s.Call)
        given[key] = option(ctx, argument.value, key in getattr(kind, "computed", ())) if not drawn else proposal(
            ctx, argument.value.function.name, argument.value.arguments, argument.value)
    missing = [key for key, field in fields.items() if key not in given and field.default is dataclasses.MISSING
               and field.default_factory is dataclasses.MISSING]
    if missing:
        raise error("argument", f"`{name}` lacks {listed(missing)}", span, help=usage)
    open_sizes = [key for key, value in given.items() if not isinstance(value, int) and is_size(value)]
    if open_sizes and name != SUBSAMPLE:
        raise Undetermined(f"`{open_sizes[0]}` of `{name}`")
    try:
        return kind(**given)
    except (TypeError, ValueError) as problem:
        raise error("argument", f"`{name}`: {problem}", span, help=usage) from None


def option(ctx: Context | None, node: Any, computed: bool = False) -> Any:
    """What an option of a rule or an optimizer is given; `computed`: may the run compute it?"""
    if computed and ctx is not None and (value := in_the_run(ctx, node)) is not None:
        return value
    match node:
        case s.Number(value) | s.Boolean(value):
            return value
        case s.Negative(value):
            return -option(ctx, value)
        case s.Name(name):
            found = ctx.find(name) if ctx is not None else None
            if is_static(found):
                return found
            if isinstance(found, Wire):
                raise error("static", "an option must be known before the run", node.span, label=f"this is {describe(found)}")
            return name
        case s.List(items) | s.Tuple(items):
            return tuple(predicate_of(ctx, item) or option(ctx, item) for item in items)
        case s.Text(pieces) if all(isinstance(piece, str) for piece in pieces):
            return "".join(pieces)
        case s.Call(s.Name(name), arguments):
            return nested(ctx, name, arguments, node)
    if ctx is None:
        raise error("static", "an option is a number or a word", node.span)
    found = ctx.value(node)
    if isinstance(found, Constant):
        return found.value
    if not is_static(found):
        raise error("static", "an option must be known before the run", node.span, label=f"this is {describe(found)}")
    return found


def known_before(rule: Any, span: Span | None) -> Any:
    """The rule, for choices that stand elsewhere: none of its options is computed in the run."""
    for key in getattr(rule, "computed", ()):
        if isinstance(getattr(rule, key), Computed):
            raise error("static", f"`{key}` is computed in the run, and the rule does not stand at the choice itself", span,
                        help="write the rule after the choice's distribution: `x ~ … by …`")
    return rule


def in_the_run(ctx: Context, node: Any) -> Computed | None:
    """An option that is an expression of what stands above the choice; None if it is a word of the rule's own."""
    if isinstance(node, s.Name) and not (isinstance(found := ctx.find(node.name), (Wire, Filled, Constant)) or is_static(found)):
        return None
    value = ctx.value(node)
    if value is WRONG:
        raise Poisoned
    found = Computed(node.name if isinstance(node, s.Name) else "computed")
    found.value = ctx.wire(float(value) if is_static(value) and not is_size(value) else value, node.span, "an option")
    return found


def predicate_of(ctx: Context | None, node: Any) -> Any:
    """A constraint on a text that is enforced: `max_chars(400)`, or an extern that says yes or no; None if it is none."""
    match node:
        case s.Call(s.Name(name), arguments) if name in predicate.PREDICATES:
            return instance(ctx, name, predicate.PREDICATES[name], arguments, node.span)
        case s.Name(name) if ctx is not None and isinstance(found := ctx.find(name), Declared) and found.kind == "extern":
            if (function := found.module.extern(name)) is None:
                raise Undetermined(f"the extern `{name}`")
            return predicate.Holds(function)
    return None


def nested(ctx: Context | None, name: str, arguments: tuple, node: Any) -> Any:
    kind = schedule.find(name)
    if kind is not None:
        return instance(ctx, name, kind, arguments, node.span)
    recipe = optimizer.find(name)
    if recipe is not None:
        return optimizer_of(ctx, s.Rule(name, arguments, span=node.span))
    if registry.find(name) is not None:
        return rule(ctx, s.Rule(name, arguments, span=node.span))
    if ctx is not None and ctx.find(name) is not None:
        found = ctx.value(node)
        if is_static(found):
            return found
        raise error("static", "an option must be known before the run", node.span, label=f"this is {describe(found)}")
    raise pending(name, node.span) or pending_rule(name, node.span) or error(
        "name", f"there is no schedule, rule or optimizer `{name}`", node.span,
        help=near(name, [*schedule.SCHEDULES, *registry.names(), *optimizer.names()]))


def proposal(ctx: Context | None, name: str, arguments: tuple, node: Any) -> Proposal:
    """A distribution of known parameters."""
    if not distribution.find(name):
        raise error("name", f"there is no distribution `{name}`", node.span, help=near(name, distribution.names()))
    given = [(argument.name, option(ctx, argument.value)) for argument in arguments]
    for record in distribution.find(name):
        names = [field.name for field in record.fields]
        values = {key or (names[place] if place < len(names) else ""): value for place, (key, value) in enumerate(given)}
        full = {field.name: values.get(field.name, field.default) for field in record.fields}
        if set(values) <= set(names) and None not in full.values():
            unfit = [key for key, value in full.items() if not isinstance(value, (int, float)) or isinstance(value, bool)]
            if unfit:
                raise error("static", f"`{unfit[0]}` of `{name}` in an option is a number known before the run", node.span)
            return Proposal(record, tuple(full.values()))
    ways = " or ".join(f"`{name}({', '.join(f.name for f in record.fields)})`" for record in distribution.find(name))
    raise error("argument", f"these are not the parameters of `{name}`", node.span, help=f"it is {ways}")


def optimizer_of(ctx: Context | None, node: s.Rule) -> Any:
    """The optimizer that `adam(0.01)` names."""
    recipe = optimizer.find(node.name)
    if recipe is None:
        raise error("name", f"there is no optimizer `{node.name}`", node.span, help=near(node.name, optimizer.names()) or (
            f"optimizers are {listed(optimizer.names())}"))
    positional = [option(ctx, argument.value) for argument in node.arguments if argument.name is None]
    named = {argument.name: option(ctx, argument.value) for argument in node.arguments if argument.name is not None}
    try:
        return recipe(*positional, **named)
    except (TypeError, ValueError) as problem:
        raise error("argument", str(problem), node.span) from None


def split_subsample(ctx: Context, rules: tuple[s.Rule, ...]) -> tuple[Any, list[Any]]:
    """The rule of the index (`subsample`), and the others."""
    made = [rule(ctx, node) for node in rules]
    points = [one for one in made if getattr(one, "name", "") == SUBSAMPLE]
    if len(points) > 1:
        raise error("argument", "`subsample` is said twice", rules[1].span)
    return (points[0] if points else None), [one for one in made if one not in points]
