"""How `~` is answered: by a draw, or by what a trace gives.

    Sampling    every choice is drawn, and becomes an entry of the trace
    Scoring     every choice is read from the trace, and adds its log density; those in `over` are drawn (`marginalize`)

Both see a choice with the loops around it: an entry of the trace has the loops' axes in front.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pullback.compiler import ops as op
from pullback.compiler.diagnostic import near
from pullback.compiler.ir import Wire
from pullback.compiler.source import Span
from pullback.compiler.type import Array, Size, same
from pullback.dsl.context import Context, Entry, error
from pullback.dsl.distributions import density_of, draw_of
from pullback.dsl.filled import covering, fill, indexed, part, position
from pullback.dsl import texts
from pullback.dsl.matching import listed
from pullback.dsl.refused import pending
from pullback.dsl.values import Asked, Flat, Marginal, Model, Picked, Poisoned, Record, describe, is_static, leaves


@dataclass
class Site:
    """A choice in the program: its name, the indices left of `~`, its declared type and rule.  `aliases`: what the draw of a
    model may be called too; `also`: the names of a joint choice."""

    name: str
    places: list[Any]
    type: Array | None
    rule: Any
    span: Span
    aliases: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


class Sampling:
    """`keeps`: is a trace wanted (an objective's choices have none)?  `improper`: only the shape of the trace is, so that
    what has no draw (`flat`, `factor`) is passed over."""

    def __init__(self, keeps: bool = True, improper: bool = False):
        self.keeps, self.improper = keeps, improper

    def gives(self, name: str) -> bool:
        return False

    def factor(self, ctx: Context, value: Wire, span: Span) -> None:
        if self.improper:
            return
        raise error("density", "a model with a `factor` can't be drawn from", span,
                    label="this leaves the model unnormalized", help="`logp` of it is fine; a guide has no factors")

    def choose(self, ctx: Context, site: Site, source: Any) -> Any:
        value = drawn(ctx, site, source)
        keep(ctx, site, value)
        return value


def drawn(ctx: Context, site: Site, source: Any) -> Any:
    """A fresh draw of a distribution or of a model, the reply to a question."""
    if isinstance(source, Asked):
        return texts.replied(ctx, site, source)
    if isinstance(source, Picked):
        return texts.chosen(ctx, site, source)
    if isinstance(source, (Model, Marginal)):
        from pullback.dsl.models import sampled
        alternatives = tuple(dict.fromkeys((site.name, *site.aliases, source.name)))
        path, _ = ctx.work.address((*ctx.path, alternatives), ctx.mark)
        return sampled(ctx, source, path, site)
    if isinstance(source, Flat) and getattr(ctx.activation.mode, "improper", False):
        return placeholder(ctx, site, source)
    if isinstance(source, Flat):
        raise error("density", "`flat` can't be drawn from: it has no total mass", site.span,
                    help="`logp` of the model is fine; a guide needs a proper distribution")
    return draw_of(ctx, site, source)


def keep(ctx: Context, site: Site, value: Any) -> None:
    """Bind the name, or fill the place, and enter it into the trace."""
    if site.places:
        fill(ctx, site.name, site.places, value, site.span, "drawn")
    else:
        ctx.bind(site.name, value, "drawn", site.span)
    if ctx.activation.mode is not None and not getattr(ctx.activation.mode, "keeps", True):
        return
    name = part(ctx, site.name, site.places)[0]
    binding = ctx.scope.names[name]
    before = ctx.tape.entries.get(name)
    if before is not None and not site.places:
        raise error("name", f"`{site.name}` is drawn twice in one trace", site.span, label="again here",
                    notes=((before.span, "first here"),), help="give the choice a name of its own")
    ctx.tape.entries[name] = Entry(binding.value, binding.covers, site.span)


@dataclass
class Scoring:
    """`given`: the trace; `used` and `missing`: its addresses that were read, and those that were asked for in vain."""

    given: Record
    over: frozenset[str] = frozenset()
    method: Any = None
    span: Span | None = None
    used: dict[str, Span] = field(default_factory=dict)
    missing: dict[str, Span] = field(default_factory=dict)
    ranges: dict[str, dict[int, list]] = field(default_factory=dict)
    keeps: bool = False

    def gives(self, name: str) -> bool:
        return name in self.given.fields and name not in self.over

    def at(self, ctx: Context, name: str, places: list[Any]) -> Any:
        value = self.given.fields[name]
        return indexed(ctx, value, places, ctx.activation.declared.node.span if ctx.activation.declared else None)

    def factor(self, ctx: Context, value: Wire, span: Span) -> None:
        address = ".".join(segment[0] for segment in ctx.path)
        ctx.tape.terms.append(ctx.writer.emit(op.factor, (value,), {"address": address}, span=span)[0])

    def choose(self, ctx: Context, site: Site, source: Any) -> Any:
        if isinstance(source, (Asked, Picked)):
            raise pending("density of texts", site.span)
        if site.name in self.over:
            if site.rule is None:
                site.rule = self.method
            value = drawn(ctx, site, source)
            keep(ctx, site, value)
            return value
        if not self.gives(site.name):
            self.missing.setdefault(site.name, site.span)
            value = placeholder(ctx, site, source)
            keep(ctx, site, value)
            return value
        self.used.setdefault(site.name, site.span)
        value = self.value(ctx, site)
        if isinstance(source, (Model, Marginal)):
            value = self.of_model(ctx, site, source, value)
        elif isinstance(source, Flat):
            pass
        else:
            value, term = density_of(ctx, site, source, value)
            ctx.tape.terms.append(term)
        keep(ctx, site, value)
        return value

    def value(self, ctx: Context, site: Site) -> Any:
        """What the trace gives for a choice, at the present place of all loops."""
        name, prefix, rest = part(ctx, site.name, site.places)
        loops = covering(ctx, name) if site.places else []
        outer = ctx.frames[:len(ctx.frames) - len(loops)]
        self.cover(site, [(0, frame.size) for frame in outer] + [(place, place + 1) for place in prefix] + [
            (frame.start + frame.fills[name], frame.start + frame.fills[name] + frame.size) for frame in loops] + [
            (place, place + 1) if not isinstance(place, tuple) else place[1:] for place in rest[len(loops):]])
        whole = self.given.fields[site.name]
        depth = len(outer) + len(site.places)
        for wire in leaves(whole) if depth else []:
            if isinstance(wire.type, Array) and wire.type.rank < depth:
                raise error("trace", f"`{site.name}` is chosen in {'a loop' if len(ctx.frames) == 1 else f'{len(ctx.frames)} loops'}, "
                            f"and the trace gives {describe(wire)}", site.span, notes=((wire.span, "given here"),))
        if depth and is_static(whole):
            raise error("trace", f"`{site.name}` is chosen in a loop, and the trace gives {describe(whole)}", site.span)
        return indexed(ctx, whole, [position(ctx, frame) for frame in outer] + list(site.places), site.span)

    def cover(self, site: Site, ranges: list) -> None:
        for at, (low, high) in enumerate(ranges):
            self.ranges.setdefault(site.name, {}).setdefault(at, []).append((low, high, site.span))

    def of_model(self, ctx: Context, site: Site, source: Any, value: Any) -> Any:
        from pullback.dsl.models import scored
        if not isinstance(value, Record):
            raise error("trace", f"`{site.name}` is a trace of `{source.name}`, and the trace gives {describe(value)}", site.span,
                        help=f"write `{site.name} = {{…}}`")
        term, returned = scored(ctx, source, value, site.span, (site.name, *site.aliases))
        ctx.tape.terms.append(term)
        return Record(value.fields, source.name, returned)

    # ---- when the model has been gone through

    def settle(self, ctx: Context, name: str, span: Span | None) -> None:
        """The trace must cover the model's choices exactly, sizes too."""
        extra = [key for key in self.given.fields if key not in self.used]
        if (self.missing or extra) and ctx.work.found:
            raise Poisoned  # what made the trace was wrong already
        if self.missing or extra:
            raise self.mismatch(name, extra, span)
        for key, dimensions in self.ranges.items():
            for at, ranges in dimensions.items():
                self.check_range(ctx, name, key, at, ranges, span)

    def mismatch(self, name: str, extra: list[str], span: Span | None) -> Exception:
        said = [f"lacks {listed(self.missing)}"] * bool(self.missing) + [
            f"has {listed(extra)}, which `{name}` does not choose"] * bool(extra)
        notes = tuple((at, f"`{key}` is chosen here") for key, at in list(self.missing.items())[:4])
        all_of = listed([*self.used, *self.missing])
        hint = near(extra[0], list(self.missing)) if extra and self.missing else ""
        return error("trace", f"the trace for `{name}` {' and '.join(said)}", span, notes=notes,
                     help=hint or (f"`{name}` chooses {all_of}" if all_of else f"`{name}` chooses nothing"))

    def check_range(self, ctx: Context, name: str, key: str, at: int, ranges: list, span: Span | None) -> None:
        sizes = [wire.type.shape[at] for wire in leaves(self.given.fields[key])
                 if isinstance(wire.type, Array) and wire.type.rank > at]
        end: Size = 0
        rest = list(ranges)
        while rest:
            found = next((one for one in rest if same(one[0], end)), None)
            if found is None:
                break
            rest.remove(found)
            end = found[1]
        for size in sizes:
            if size is not None and end is not None and same(size, end) is not True:
                wire = leaves(self.given.fields[key])[0]
                raise error("size", f"`{name}` chooses {end} elements of `{key}`, and the trace gives {describe(wire)}",
                            span, notes=((ranges[0][2], "chosen here"), *(((wire.span, "given here"),) if wire.span else ())))


def placeholder(ctx: Context, site: Site, source: Any) -> Any:
    """A draw in the place of what a trace lacks, so that the rest can be gone through; the graph is not kept."""
    if isinstance(source, Flat):
        from pullback.dsl.join import filler
        inside = filler(ctx, source.type, site.span)
        return ctx.writer.emit(op.identity, (inside,), span=site.span, base=site.name, types=(source.type,))[0]
    return drawn(ctx, site, source)


