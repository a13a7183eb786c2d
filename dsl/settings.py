"""Rules given by address: `with {q.x: reinforce(k = 4)}` in a program, `rules={"q.x": …}` from outside.

An address is found by any suffix that fits one choice.  A binder may be called by the model that it draws, and the side
of a branch need not be said: a name in both sides means both.  `{i: subsample(64)}` is for every loop over `i`.
Rules from outside win over `with`, and `with` over `by`.
"""
from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Iterable, Mapping

from pullback.compiler import ops as op
from pullback.compiler.diagnostic import ProgramError, Reported, near
from pullback.compiler import rule as registry
from pullback.compiler.ir import Box, Graph, Wire
from pullback.compiler.source import Span
from pullback.compiler.type import is_text
from pullback.dsl import syntax as s
from pullback.dsl.context import Context, error
from pullback.dsl.rules import SUBSAMPLE, known_before, rule, rule_of

SIDES = frozenset({"if", "else"})


def apply_settings(ctx: Context, start: int, settings: tuple[s.Setting, ...]) -> None:
    """Give rules to the choices of the boxes that were written from `start` on."""
    boxes = ctx.writer.block.boxes
    found = []
    for setting in settings:
        junction = junction_of(ctx, setting.rules)
        if junction:
            met(ctx, start, setting, junction)
        else:
            found.append((setting.address, known_before(rule_of(ctx, setting.rules, "choice"), setting.span), setting.span))
    boxes[start:] = ruled(boxes[start:], found)


def junction_of(ctx: Context, rules: tuple[s.Rule, ...]) -> tuple:
    """The rules by which what several readers say of one text meets; none if these are others."""
    if not all(getattr(registry.find(one.name), "junction", False) for one in rules):
        return ()
    made = tuple(rule(ctx, one) for one in rules)
    return made if all(one.through == "words" for one in made) else ()


def met(ctx: Context, start: int, setting: s.Setting, junction: tuple) -> None:
    """`with {system: [top(4), summarize]}`: the readers written from `start` on read a copy, where the rules stand."""
    found = ctx.find(setting.address) if "." not in setting.address else None
    if not isinstance(found, Wire) or not is_text(found.type):
        raise error("address", f"`{setting.address}` is no text here, and `{junction[0].name}` is how criticisms of a text meet",
                    setting.span)
    boxes = ctx.writer.block.boxes
    copy = ctx.writer.wire(ctx.writer.title(found) or setting.address, found.type, setting.span)
    late = Graph((), tuple(boxes[start:]), ()).rename({found: copy}).boxes
    boxes[start:] = [Box(op.copy, (found,), (copy,), (), {}, junction, setting.span), *late]


def default_rule(ctx: Context, start: int, rule: Any) -> None:
    """Give a rule to all choices from `start` on that have none."""
    boxes = ctx.writer.block.boxes

    def give(box: Box) -> Box:
        return box.but(rule=rule) if box.op is op.draw and box.rule is None else box
    boxes[start:] = [give(box.but(regions=tuple(region.map(give) for region in box.regions))) for box in boxes[start:]]


def with_rules(graph: Graph, settings: Mapping[str, Any]) -> Graph:
    """The graph with the rules of `settings`, address → a rule or its text; a `ProgramError` names what fits nothing."""
    from pullback.dsl.parse import parse_rule
    try:
        found = []
        for address, given in settings.items():
            if isinstance(given, str) and given.split()[:1] == ["by"]:
                raise error("syntax", f"the rule for `{address}` is named without `by`", None,
                            help=f"write `{given.split(None, 1)[-1]}`")
            if isinstance(given, str):
                node = parse_rule(given, name=f"rules[{address!r}]")
                given = rule_of(None, node, "choice") if isinstance(node, tuple) else rule(None, node)
            if isinstance(given, type) or not any(hasattr(given, word) for word in ("points", "pull", "through")):
                raise error("rule", f"what is given for `{address}` is no rule", None,
                            help='a text, `"reinforce(k = 4)"`, or an instance of a rule')
            found.append((address, given, None))
        return replace(graph, boxes=tuple(ruled(graph.boxes, found)))
    except Reported as reported:
        raise ProgramError(reported.diagnostics) from None


def ruled(boxes: Iterable[Box], settings: list[tuple[str, Any, Span | None]]) -> list[Box]:
    """The boxes, with the rules given by address."""
    boxes = list(boxes)
    every = [inner for box in boxes for inner in (box, *(b for region in box.regions for b in region.walk()))]
    chosen: dict[int, tuple[Any, str | None]] = {}
    for address, given, span in settings:
        words = tuple(address.split("."))
        if getattr(given, "name", "") == SUBSAMPLE:
            loops = [box for box in every if box.op is op.plate and box["index"] == words[-1] and fits_loop(box, words)]
            if not loops:
                raise unknown_loop(address, every, span)
            chosen.update({id(box): (given, words[-1]) for box in loops})
            continue
        chosen.update({id(box): (given, None) for box in matching(address, words, every, span)})

    def give(box: Box) -> Box:
        made = box.but(regions=tuple(replace(region, boxes=tuple(map(give, region.boxes))) for region in box.regions)) \
            if box.regions else box
        if id(box) not in chosen:
            return made
        given, share = chosen[id(box)]
        return made.but(rule=given, attributes={"share": share}) if share is not None else made.but(rule=given)
    return [give(box) for box in boxes]


def matching(address: str, words: tuple[str, ...], every: list[Box], span: Span | None) -> list[Box]:
    """The boxes of the one choice that an address means."""
    choices = [box for box in every if box.op in (op.draw, op.llm)]
    fit = [box for box in choices if fits(box["path"], words)]
    if len({without_sides(box) for box in fit}) > 1:
        exact = [box for box in fit if box["address"] == address]
        if not exact:
            raise error("address", f"`{address}` means several choices: {shown(fit)}", span,
                        help="say more of the address")
        fit = exact
    if not fit:
        names = [box["address"] for box in choices]
        last = [name.split(".")[-1] for name in names]
        raise error("address", f"no choice is called `{address}`", span,
                    help=near(address, [*names, *last]) or (f"choices are {shown(choices)}" if choices else "there are no choices"))
    return fit


def fits(path: tuple[tuple[str, ...], ...], words: tuple[str, ...]) -> bool:
    """Are the words a suffix of the path?  Sides of branches may be left out."""
    rest = list(words)
    for segment in reversed(path):
        if not rest:
            return True
        if rest[-1] in segment or any(rest[-1] in (plain(word), plain(word).partition("#")[0]) for word in segment):
            rest.pop()
        elif segment[0] in SIDES:
            continue
        else:
            return False
    return not rest


def plain(address: str) -> str:
    """An address without the marks of further pieces of one entry."""
    return re.sub(r"'\d+", "", address)


def fits_loop(box: Box, words: tuple[str, ...]) -> bool:
    return len(words) == 1 or box["name"].partition("#")[0].endswith(".".join(words))


def without_sides(box: Box) -> str:
    return ".".join(plain(segment[0]) for segment in box["path"] if segment[0] not in SIDES)


def shown(boxes: list[Box]) -> str:
    names = list(dict.fromkeys(plain(box["address"]) for box in boxes))
    return ", ".join(f"`{name}`" for name in names[:8]) + (", …" if len(names) > 8 else "")


def unknown_loop(address: str, every: list[Box], span: Span | None) -> Exception:
    loops = sorted({box["index"] for box in every if box.op is op.plate})
    return error("address", f"no loop is over `{address}` that `subsample` could choose from", span, help=near(address, loops) or (
        f"loops are over {', '.join(f'`{name}`' for name in loops)}" if loops else "there are no loops"))
