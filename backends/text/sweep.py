"""Run a graph that asks language models: forward and back, number by number and word by word.

The order is that of the graph, but boxes that owe nothing to each other are run together: what they ask is asked at once.  A
segment of numbers is one jitted function; where its derivative is wanted, its forward pass is jitted with its VJP, and the
pullback crosses to the way back as a pytree.  Nothing here decides what is computed: passes wrote every box before the first call.
"""
from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from pullback.backends.text import back, host
from pullback.backends.text.roles import Roles
from pullback.backends.xla.lower import evaluate, site_key
from pullback.compiler import ops as op
from pullback.compiler.ir import Box, Graph

ASKING = frozenset({"criticize", "gather"})


@dataclass
class Program:
    """A graph, and the jitted functions of its segments, compiled once for all runs."""

    graph: Graph
    compiled: dict[int, tuple[Callable, Callable | None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.boxes = {box.number: box for box in self.graph.boxes}
        self.waves, self.producers = waves(self.graph), self.graph.producers()
        self._lock = threading.Lock()

    def segment(self, box: Box) -> tuple[Callable, Callable | None]:
        with self._lock:
            if box.number not in self.compiled:
                self.compiled[box.number] = jitted(box)
            return self.compiled[box.number]

    def run(self, key: Any, values: Mapping[str, Any], roles: Roles) -> Run:
        """Every wire's value, from those of the inputs."""
        run = Run(self, key, dict(values), roles)
        with ThreadPoolExecutor(max_workers=16) as pool:
            for wave in self.waves:
                if len(wave) == 1:
                    run.store(wave[0], run.meaning(wave[0]))
                else:
                    for box, found in zip(wave, list(pool.map(run.meaning, wave))):
                        run.store(box, found)
        return run


def waves(graph: Graph) -> list[list[Box]]:
    """The boxes in the order in which they are run.  Boxes that ask wait for each other until nothing else can be done, and are
    then run together."""
    made = {wire.name for wire in graph.inputs}
    left, found = list(graph.boxes), []
    while left:
        ready = [box for box in left if all(wire.name in made for wire in box.inputs)]
        own = [box for box in ready if box.op.kind != "engine" and box.op.name not in ASKING]
        now = [[box] for box in own] or [ready]
        found += now
        done = {id(box) for wave in now for box in wave}
        made |= {wire.name for wave in now for box in wave for wire in box.outputs}
        left = [box for box in left if id(box) not in done]
    return found


def jitted(box: Box) -> tuple[Callable, Callable | None]:
    """A segment's forward pass, f(key, wanted, rest) -> (outputs, pullback), and the way back."""
    region, wanted = box.regions[0], box.get("to", ())
    names = [wire.name for wire in region.outputs]
    through = [names.index(name) for name in box.get("from", ())]

    def outputs(key: Any, given: Mapping[str, Any], rest: Mapping[str, Any]) -> tuple:
        return evaluate(region, {**rest, **given}, key)
    if not wanted:
        return jax.jit(lambda key, given, rest: outputs(key, given, rest)), None

    def forward(key: Any, given: Mapping[str, Any], rest: Mapping[str, Any]) -> tuple:
        def f(given: Mapping[str, Any]) -> tuple:
            found = outputs(key, given, rest)
            return tuple(found[at] for at in through), found
        _, pull, found = jax.vjp(f, given, has_aux=True)
        return (*found, pull)
    return jax.jit(forward), jax.jit(lambda pull, slopes: pull(slopes)[0])


@dataclass
class Run:
    """One evaluation.  `indices`: which rows a loop drew, by its axis."""

    program: Program
    key: Any
    values: dict[str, Any]
    roles: Roles
    indices: dict[str, np.ndarray] = field(default_factory=dict)

    def store(self, box: Box, found: Sequence[Any]) -> None:
        self.values.update(zip((wire.name for wire in box.outputs), found))

    def word(self, address: str) -> int:
        """The number behind the seeds of a site."""
        key = site_key(self.key, address)
        return int(np.asarray(jax.random.key_data(key) if jnp.issubdtype(key.dtype, jax.dtypes.prng_key) else key).reshape(-1)[0])

    def meaning(self, box: Box) -> Sequence[Any]:
        match box.op:
            case op.segment:
                return self.segment(box)
            case op.pull:
                pullback, *slopes = (self.values[wire.name] for wire in box.inputs)
                origin = self.program.producers[box.inputs[0]]
                found = self.program.segment(origin)[1](pullback, tuple(jnp.asarray(slope, jnp.result_type(float)) for slope in slopes))
                return [found[name] for name in box["to"]]
            case op.criticize:
                return back.criticize(box, self.program.boxes[box["box"]], self.values, self.roles, self.indices, self.word)
            case op.gather:
                return [back.gather(box, self.values, self.roles, self.word)]
            case op.constant if not host.is_text(box.output.type):
                return [jnp.asarray(box["value"], jnp.result_type(float))]
            case op.add:
                return [sum(self.values[wire.name] for wire in box.inputs)]
            case op.zero:
                return [jax.tree.map(jnp.zeros_like, self.values[box.inputs[0].name])]
        if box.op.kind == "engine":
            return host.ask(box, self.values, self.roles, self.word)
        return host.evaluate(box, self.values)

    def segment(self, box: Box) -> list[Any]:
        wanted = set(box.get("to", ()))
        given = {wire.name: device(self.values[wire.name]) for wire in box.inputs if wire.name in wanted}
        rest = {wire.name: device(self.values[wire.name]) for wire in box.inputs if wire.name not in wanted}
        found = self.program.segment(box)[0](self.key, given, rest)
        for inner in box.regions[0].boxes:
            if inner.op is op.rows and inner.output in box.outputs:
                self.indices[inner["axis"].name] = np.asarray(found[box.outputs.index(inner.output)])
        return list(found)


def device(value: Any) -> Any:
    return jax.tree.map(jnp.asarray, value)
