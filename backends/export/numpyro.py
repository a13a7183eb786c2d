"""A model as NumPyro's: the same addresses, for NUTS, `Predictive`, `render_model`.

    plate      one sample site over `numpyro.plate`s, outermost first
    scan       NumPyro's own `scan`; its sites are stacked by steps
    branch     both sides are sites, masked by which one was taken

An address that several choices make (`z[0] ~ …`, then `z[t] ~ …` in a loop), or one whose loops stand in another order than
NumPyro stacks them, is a deterministic site of that name over sites `z[0]`, `z[1..]`.  The model is called without
arguments; given `address = value` it is observed there, which reaches such pieces too (as `condition` can't).
"""
from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from typing import Any, Callable, Mapping, Sequence

import jax.numpy as jnp

from pullback.backends.xla.lower import Keys, array_dtype, full
from pullback.backends.xla.simulate import Asked, Simulation
from pullback.compiler import ops as op
from pullback.compiler.diagnostic import ArgumentError, near
from pullback.compiler.ir import Box, Graph

PLACE = "'"  # a second choice of one address in a graph is called `z'2`


def to_numpyro(graph: Graph, addresses: Sequence[str], env: Mapping[str, Any], name: str) -> Callable[..., dict[str, Any]]:
    """A NumPyro model from a model's opened graph, its addresses, and the arrays of its arguments."""
    pieces = sites(graph, addresses)

    def model(**observed: Any) -> dict[str, Any]:
        import numpyro
        for address in observed:
            if address not in addresses:
                raise ArgumentError(f"`{name}` has no choice `{address}`" + (
                    f": {hint}" if (hint := near(address, list(addresses))) else ""))
        run = Traced(dict(env), Keys(None))
        run.pieces, run.observed = pieces, observed
        run.graph(graph)
        trace = {address: run.env[wire.name] for address, wire in zip(addresses, graph.outputs)}
        for address in addresses:
            if not any(site.name == address for site in pieces.values()):
                numpyro.deterministic(address, trace[address])
        return trace
    model.__name__ = name
    return model


class Site:
    """Where a choice stands in its address: the name of its site, and the part of the address' value that it is."""

    def __init__(self, name: str, address: str, start: Any = None, stop: Any = None, index: Any = None):
        self.name, self.address, self.start, self.stop, self.index = name, address, start, stop, index

    def observed(self, value: Any) -> Any:
        """The part of the address' value that is this site's."""
        if self.index is not None:
            return value[self.index]
        return value if self.start is None else value[self.start:self.stop]
