"""A model as NumPyro's: the same addresses, for NUTS, `Predictive`, `render_model`.

    plate      one sample site over `numpyro.plate`s, outermost first
    scan       NumPyro's own `scan`; its sites are stacked by steps
    branch     the choices of both sides are sites, masked by which one was taken

An address that several choices make (`z[0] ~ …`, then `z[t] ~ …` in a loop), or one whose loops stand in another order than
NumPyro stacks them, is a deterministic site of that name over sites `z[0]`, `z[1..40]`.  The model is called without
arguments; given `address = value` it is observed there, which reaches such pieces too (as `condition` can't).
"""
from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, Callable, Mapping, Sequence

import jax.numpy as jnp

from pullback.backends.xla.lower import Keys, array_dtype, full
from pullback.backends.xla.simulate import Asked, Simulation
from pullback.compiler import ops as op
from pullback.compiler.constraint import bijection
from pullback.compiler.diagnostic import ArgumentError, Diagnostic, near
from pullback.compiler.ir import Box, Graph, Wire


@dataclass(frozen=True)
class Site:
    """One sample site: its name, the address that it is of, and where in the address' value it stands.

    place: None, all of it; an int, one element; `(start, stop)`, a stretch; False, not to be told.
    """

    name: str
    address: str
    place: Any = None

    def part(self, value: Any) -> Any:
        """The site's part of a value of its address."""
        if self.place is False:
            raise ArgumentError(Diagnostic("argument", f"`{self.address}` is chosen in several places and can't be observed "
                                           f"as a whole", help=f"condition on the site `{self.name}`"))
        if self.place is None:
            return value
        return value[self.place] if isinstance(self.place, int) else value[slice(*self.place)]


def to_numpyro(graph: Graph, addresses: Sequence[str], env: Mapping[str, Any], name: str) -> Callable[..., dict[str, Any]]:
    """A NumPyro model from a model's opened graph, its addresses, and the arrays of its arguments."""
    sites = named_sites(graph, addresses)
    whole = {site.address for site in sites.values() if site.name == site.address}

    def model(**observed: Any) -> dict[str, Any]:
        import numpyro
        for address in observed:
            if address not in addresses:
                raise ArgumentError(Diagnostic("argument", f"`{name}` has no choice `{address}`",
                                               help=near(address, addresses)))
        run = Traced(dict(env), Keys(None), sites, {a: jnp.asarray(value) for a, value in observed.items()})
        run.graph(graph)
        trace = {address: run.env[wire.name] for address, wire in zip(addresses, graph.outputs)}
        for address in addresses:
            if address not in whole:
                numpyro.deterministic(address, trace[address])
        return trace
    model.__name__ = name
    return model


# ---------------------------------------------------------------- names


def named_sites(graph: Graph, addresses: Sequence[str]) -> dict[str, Site]:
    """The site of each choice, by the choice's own name."""
    found: dict[str, Site] = {}
    for address, output in zip(addresses, graph.outputs):
        pieces = assembled(graph, output)
        simple = len(pieces) == 1 and pieces[0][1] is None
        for draw, place in pieces:
            name = address if simple else f"{address}[{place_name(place, draw)}]"
            while any(site.name == name for site in found.values()):
                name += "'"
            found[draw["address"]] = Site(name, address, place)
    return found


def place_name(place: Any, draw: Box) -> str:
    if isinstance(place, tuple):
        return f"{place[0]}..{place[1]}"
    if isinstance(place, int) and place is not False:
        return str(place)
    sides = [segment[0] for segment in draw.get("path", ()) if segment[0] in ("if", "else")]
    return sides[-1] if sides else "."


def assembled(graph: Graph, output: Wire) -> list[tuple[Box, Any]]:
    """The choices that a value is made of, each with its place in it (see `Site`)."""
    made = graph.producers()
    box = made.get(output)
    if box is None:
        return []
    match box.op:
        case op.draw:
            return [(box, None)]
        case op.stack_axis:
            inner = assembled(graph, box.inputs[0])
            return inner if outermost(box["axis"], inner) else unplaced(inner)
        case op.identity:
            return assembled(graph, box.inputs[0])
        case op.concat:
            return concatenated(graph, box)
        case op.where if "branch" in box.attributes:  # each side sees the whole value, and is masked
            return [found for wire in box.inputs[1:] for found in assembled(graph, wire)]
        case op.scan:
            body, at = box.regions[0], box.outputs.index(output)
            inner = assembled(body, body.outputs[at])
            stacked = at >= box["carries"] and not any(set(draw.output.axes) & set(box.axes) for draw, _ in inner)
            return inner if stacked and all(place is None for _, place in inner) else unplaced(inner)
    return unplaced([found for wire in box.inputs for found in assembled(graph, wire)])


def outermost(axis: Any, inner: list[tuple[Box, Any]]) -> bool:
    """Does stacking over an axis keep the order in which a site has its axes?"""
    return all(place is None for _, place in inner) and axis in (axis for draw, _ in inner for axis in draw.output.axes)


def concatenated(graph: Graph, box: Box) -> list[tuple[Box, Any]]:
    """The pieces of an array that is filled by several choices."""
    found: list[tuple[Box, Any]] = []
    made, start = graph.producers(), 0
    for wire in box.inputs:
        size = wire.type.shape[0]
        maker = made.get(wire)
        if maker is not None and maker.op is op.stack:
            items = [assembled(graph, item) for item in maker.inputs]
            for at, inner in enumerate(items):
                found += [(draw, start + at) for draw, place in inner if place is None] or unplaced(inner)
        else:
            inner = assembled(graph, wire)
            found += [(draw, (start, start + size)) for draw, place in inner if place is None] or unplaced(inner)
        start += size
    return found


def unplaced(inner: list[tuple[Box, Any]]) -> list[tuple[Box, Any]]:
    return [(draw, False) for draw, _ in inner]


# ---------------------------------------------------------------- the run


class Traced(Simulation):
    """A simulation whose choices are NumPyro's sample sites."""

    def __init__(self, env: dict[str, Any], keys: Keys, sites: Mapping[str, Site], observed: Mapping[str, Any],
                 step: Mapping[str, Any] | None = None):
        super().__init__(env, keys)
        self.sites, self.seen, self.step = sites, observed, step

    def inner(self, env: dict[str, Any], keys: Keys) -> Traced:
        return Traced(env, keys, self.sites, self.seen, self.step)

    def meaning(self, box: Box) -> tuple[Any, ...]:
        if box.op is op.scan:
            return self.scan(box)
        if box.op is op.factor:
            import numpyro
            (value,) = super().meaning(box)
            numpyro.factor(box["address"] or "factor", value)
            return (value,)
        return super().meaning(box)

    def answer(self, asked: Asked) -> Any:
        import numpyro
        site = self.sites.get(asked.address) or Site(asked.address, asked.address)
        axes = asked.box.output.axes
        with ExitStack() as stack:
            for at, axis in enumerate(axes):
                stack.enter_context(numpyro.plate(self.plate(axis.name), axis.size, dim=at - len(axes)))
            if asked.taken is not None:
                taken = jnp.broadcast_to(asked.taken, asked.choice.batch)
                stack.enter_context(numpyro.handlers.mask(mask=taken.astype(bool)))
            return numpyro.sample(site.name, distribution(asked), obs=self.observed(site))

    def plate(self, name: str) -> str:
        """The name of a plate; an array choice's own is called like the choice, which is the site's name."""
        taken = {word for site in self.sites.values() for word in (site.name, site.address)}
        return f"{name}[..]" if name in taken else name

    def observed(self, site: Site) -> Any:
        if self.step is not None:
            return self.step.get(site.name)
        return site.part(self.seen[site.address]) if site.address in self.seen else None

    def scan(self, box: Box) -> tuple[Any, ...]:
        """NumPyro's scan over the body; what is observed is read step by step."""
        from numpyro.contrib.control_flow import scan
        body, count = box.regions[0], box["carries"]
        index, carries = body.inputs[0], body.inputs[1:1 + count]
        dtypes = [array_dtype(wire) for wire in carries]
        start = tuple(full(self[wire], wire, carry.axes).astype(dtype)
                      for wire, carry, dtype in zip(box.inputs, carries, dtypes))
        within = [self.sites[inner["address"]] for inner in body.walk() if inner.op is op.draw and inner["address"] in self.sites]
        seen = {site.name: self.observed(site) for site in within if self.observed(site) is not None}
        outside = dict(self.env)

        def step(before: Any, x: Any) -> Any:
            t, here = x
            inner = Traced({**outside, index.name: t + box["start"], **{w.name: a for w, a in zip(carries, before)}},
                           replace(self.keys, steps=(*self.keys.steps, t)), self.sites, self.seen, here)
            inner.graph(body)
            after = tuple(full(inner[w], w, c.axes).astype(d) for w, c, d in zip(body.outputs, carries, dtypes))
            return after, tuple(inner[w] for w in body.outputs[count:])
        finals, stacked = scan(step, start, (jnp.arange(box["size"], dtype=jnp.int32), seen), length=box["size"])
        stacked = tuple(jnp.moveaxis(array, 0, len(wire.axes)) for array, wire in zip(stacked, body.outputs[count:]))
        return (*finals, *stacked)


def distribution(asked: Asked) -> Any:
    """NumPyro's distribution of a choice, over all of its axes."""
    import numpyro.distributions as dist
    choice = asked.choice
    made = choice.distribution.numpyro(*choice.parameters)
    if made.batch_shape != choice.batch:
        made = made.expand(choice.batch)
    return made if choice.onto is None else dist.TransformedDistribution(made, bijection(choice.onto))
