"""From the estimator graph to JAX: one function, traced once.

Every wire's array has the sizes of its axes first, in canonical order, then its own shape.  An elementwise box broadcasts, a
draw is one draw over all its axes, any other box is `vmap`ped over the axes of its inputs and evaluated once where it has
none.
"""
from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field, replace
from typing import Any, Callable

import jax
import jax.numpy as jnp

from pullback.backends.xla import contraction, sites
from pullback.backends.xla import copies as joins
from pullback.backends.xla.apart import apart, fits
from pullback.compiler.choice import log_density
from pullback.compiler.ir import Axis, Box, Graph, Wire, canonical
from pullback.compiler.type import Array

Env = dict[str, Any]
WEIGHING = ("points", "contract", "spread", "stack_axis", "score", "running")  # make or move weights, whose derivative is all


def evaluate(graph: Graph, env: Env, key: Any) -> tuple[Any, ...]:
    """The outputs of a lifted graph, from the arrays of its inputs and a key."""
    run = Run(dict(env), Keys(key))
    run.graph(graph)
    return tuple(run.env[wire.name] for wire in graph.outputs)


@dataclass
class Keys:
    """The key of each site: the run's key folded with the site's name, and in a scan with the step."""

    key: Any
    steps: tuple[Any, ...] = ()
    scanned: dict[str, Any] = field(default_factory=dict)

    def of(self, address: str) -> Any:
        key = site_key(self.key, address)
        for step in self.steps:
            key = jax.random.fold_in(key, step)
        return key


def site_key(key: Any, address: str) -> Any:
    """64 bits of the address' hash, folded in as two words."""
    digest = hashlib.blake2b(address.encode(), digest_size=8).digest()
    for word in (digest[:4], digest[4:]):
        key = jax.random.fold_in(key, int.from_bytes(word, "big"))
    return key


def aligned(array: Any, wire: Wire, axes: tuple[Axis, ...], rank: int | None = None) -> Any:
    """The array with size 1 along the axes that the wire lacks (and, before its own shape, up to `rank` dimensions)."""
    array = jnp.asarray(array)
    event = array.shape[len(wire.axes):]
    sizes = dict(zip(wire.axes, array.shape))
    pad = (1,) * (0 if rank is None else rank - len(event))
    return array.reshape(*(sizes.get(axis, 1) for axis in axes), *pad, *event)


def full(array: Any, wire: Wire, axes: tuple[Axis, ...]) -> Any:
    """The array broadcast to all of the axes."""
    array = aligned(array, wire, axes)
    return jnp.broadcast_to(array, (*(axis.size for axis in axes), *array.shape[len(axes):]))


class Run:
    """One evaluation of a graph, or of the body of a scan."""

    def __init__(self, env: Env, keys: Keys):
        self.env, self.keys = env, keys
        self.noise: dict[str, Any] = {}  # of the sites drawn in this graph
        self.parts: dict[str, tuple[Any, Any]] = {}     # of what is perturbed: slot 0, and all others
        self.whole: dict[str, tuple[Any, tuple[Axis, ...]]] = {}    # of copies: what was copied, and its axes

    def inner(self, env: Env, keys: Keys) -> Run:
        """The evaluation of a region of one of the graph's boxes."""
        return type(self)(env, keys)

    def __getitem__(self, wire: Wire) -> Any:
        return self.env[wire.name]

    def graph(self, graph: Graph) -> None:
        for box in graph.boxes:
            with jax.named_scope(f"box-{box.number}"):
                outputs = self.meaning(box)
            self.env.update(zip((wire.name for wire in box.outputs), outputs))

    def meaning(self, box: Box) -> tuple[Any, ...]:
        """The arrays of a box's outputs."""
        meaning = MEANING.get(box.op.name, pure)
        axis = next((axis for axis in box.axes if axis.kind == "perturbation"), None)
        if axis is None or box.regions or box.op.name in WEIGHING or any(axis not in w.axes for w in box.outputs):
            if fits(box, self.whole):
                return apart(box, [self[wire] for wire in box.inputs], self.whole, lambda box, arrays: meaning(
                    self.inner(dict(zip((wire.name for wire in box.inputs), arrays)), self.keys), box))
            return meaning(self, box)
        return self.perturbed(box, axis, meaning)

    def perturbed(self, box: Box, axis: Axis, meaning: Callable) -> tuple[Any, ...]:
        """Slot 0 with its derivative; all other slots, whose weights have value 0, without one."""
        found = []
        for part, size in enumerate((1, axis.size - 1)):
            inner = self.inner({wire.name: self.part(wire, axis, part) for wire in box.inputs}, self.keys)
            found.append(meaning(inner, resized(box, axis, size)))
        outputs = []
        for wire, *parts in zip(box.outputs, *found):
            self.parts[wire.name] = tuple(parts)
            outputs.append(jnp.concatenate(parts, wire.axes.index(axis)))
        return tuple(outputs)

    def part(self, wire: Wire, axis: Axis, part: int) -> Any:
        """An array at slot 0 (part 0), or at all others without its derivative."""
        array = self.env[wire.name]
        if axis in wire.axes:
            array = self.parts[wire.name][part] if wire.name in self.parts else jax.lax.slice_in_dim(
                array, part, 1 if part == 0 else axis.size, axis=wire.axes.index(axis))
        return jax.tree.map(jax.lax.stop_gradient, array) if part else array


def resized(box: Box, axis: Axis, size: int) -> Box:
    """The box with another size of one axis."""
    def now(wires: tuple[Wire, ...]) -> tuple[Wire, ...]:
        return tuple(replace(w, axes=tuple(replace(a, size=size) if a == axis else a for a in w.axes)) for w in wires)
    return box.but(inputs=now(box.inputs), outputs=now(box.outputs))


def pure(run: Run, box: Box) -> tuple[Any, ...]:
    """A box that is a function of arrays."""
    arrays = [run[wire] for wire in box.inputs]
    axes, attributes = box.axes, box.attributes
    if not axes:
        result = box.op.lower(attributes, *arrays)
    elif box.op.elementwise:
        rank = max(wire.type.rank for wire in box.inputs)
        result = box.op.lower(attributes, *(aligned(a, w, axes, rank) for a, w in zip(arrays, box.inputs)))
    else:
        def call(*given: Any) -> Any:
            return box.op.lower(attributes, *given)
        for axis in reversed(axes):
            call = jax.vmap(call, in_axes=tuple(0 if axis in wire.axes else None for wire in box.inputs))
        result = call(*arrays)
    return result if isinstance(result, tuple) else (result,)


def constant(run: Run, box: Box) -> tuple[Any, ...]:
    kind = box.output.type.kind if isinstance(box.output.type, Array) else None
    dtype = {"real": jnp.result_type(float), "int": jnp.int32, "bool": bool, "complex": jnp.result_type(complex)}[kind]
    return (jnp.asarray(box["value"], dtype),)


def mix(run: Run, box: Box) -> tuple[Any, ...]:
    axes = box.output.axes
    total = jnp.zeros((), jnp.result_type(float)) if not box.inputs else None
    for wire, c in zip(box.inputs, box["coefficients"]):
        part, c = aligned(run[wire], wire, axes), number(c)
        part = part if c == 1 else -part if c == -1 else c * part
        total = part if total is None else total + part
    return (jnp.broadcast_to(total, (*(axis.size for axis in axes), *total.shape[len(axes):])),)


def number(c: Any) -> float:
    """A coefficient; sizes are known by now."""
    return c if isinstance(c, (int, float)) else c.number * math.prod(c.above) / math.prod(c.below)


def network(run: Run, box: Box) -> tuple[Any, ...]:
    """A network takes any leading dimensions: all axes are one batch of its matrix products."""
    w, x = box.inputs
    axes, apply, array = box.output.axes, box["network"].apply, run[x]
    if w.axes:  # each has weights of its own
        shared = [axis for axis in w.axes if axis in x.axes]
        array = jnp.moveaxis(array, [x.axes.index(axis) for axis in shared], range(len(shared)))
        for axis in reversed(w.axes):
            apply = jax.vmap(apply, in_axes=(0, 0 if axis in shared else None))
        made = (*w.axes, *(axis for axis in x.axes if axis not in shared))
        return (jnp.moveaxis(apply(run[w], array), range(len(made)), [axes.index(axis) for axis in made]),)
    return (apply(run[w], array),)


def density(run: Run, box: Box) -> tuple[Any, ...]:
    if box.get("summed"):
        return (summed_density(run, box),)
    arrays = [aligned(run[wire], wire, box.axes) for wire in box.inputs]
    value, *parameters = arrays
    if "own" in box.attributes:
        result = box["distribution"].noise.log_density(run.noise[box["own"]][0], *parameters)
        return (jnp.broadcast_to(result, tuple(axis.size for axis in box.axes)),)
    result = log_density(box["distribution"], box.get("onto"), value, tuple(parameters))
    return (jnp.broadcast_to(result, tuple(axis.size for axis in box.axes)),)


def summed_density(run: Run, box: Box) -> Any:
    """The natural form of a density, summed over plates: Σ x·η − Σ A + Σ h."""
    form, summed, keep = box["distribution"].natural, box["summed"], box.output.axes
    (value, axes), *rest = [(run[wire], wire.axes) for wire in box.inputs]
    theirs = canonical(axis for _, have in rest for axis in have)
    parameters = [contraction.along(one, theirs) for one in rest]
    eta, x = form.parameter(*parameters), jnp.asarray(value, jnp.result_type(float))
    inner = contraction.einsum([(x, axes), (eta, theirs)], keep)
    normalizer = contraction.reduced((form.normalizer(*parameters), theirs), summed, jnp.sum)
    base = contraction.reduced((form.base(value), axes), summed, jnp.sum)
    return inner - contraction.along(normalizer, keep) + contraction.along(base, keep)


def copies(run: Run, box: Box) -> tuple[Any, ...]:
    for place, wire in enumerate(box.outputs):
        source = box.inputs[place % len(box.inputs)]
        run.whole[wire.name] = run.whole.get(source.name, (run[source], source.axes))
    return joins.copies(box, tuple(run[wire] for wire in box.inputs), run.keys.of("copies:" + box["address"]), number(box["share"]))


def factor(run: Run, box: Box) -> tuple[Any, ...]:
    return (run[box.inputs[0]],)


def iota(run: Run, box: Box) -> tuple[Any, ...]:
    return (jnp.arange(box["axis"].size, dtype=jnp.int32) + box["start"],)


def rows(run: Run, box: Box) -> tuple[Any, ...]:
    return (box.rule.draw(run.keys.of("rows:" + box["address"]), box["axis"].total) + box["start"],)


def stack_axis(run: Run, box: Box) -> tuple[Any, ...]:
    (wire,), axis = box.inputs, box["axis"]
    array = run[wire]
    if axis in wire.axes:
        return (jnp.moveaxis(array, wire.axes.index(axis), len(wire.axes) - 1),)
    place = len(wire.axes)
    array = jnp.expand_dims(array, place)
    return (jnp.broadcast_to(array, (*array.shape[:place], axis.size, *array.shape[place + 1:])),)


def spread(run: Run, box: Box) -> tuple[Any, ...]:
    (wire,), axis = box.inputs, box["axis"]
    array, start = run[wire], box["start"]
    place = len(wire.axes) + box["dimension"]
    if start != 0 or array.shape[place] != axis.size:
        array = jax.lax.slice_in_dim(array, start, start + axis.size, axis=place)
    if axis in wire.axes:  # each element reads its own entry of an array of its own
        array = jnp.moveaxis(jnp.diagonal(array, 0, wire.axes.index(axis), place), -1, place - 1)
        place -= 1
    return (jnp.moveaxis(array, place, box.output.axes.index(axis)),)


def values(run: Run, box: Box) -> tuple[Any, ...]:
    found = jnp.arange(box["axis"].size, dtype=jnp.int32) + box["start"]
    return (found.astype(bool) if box.output.type.kind == "bool" else found,)


def lands(run: Run, box: Box) -> tuple[Any, ...]:
    (wire,), axis = box.inputs, box["axis"]
    axes = box.output.axes
    there = (jnp.arange(axis.size) + box["start"]).reshape([axis.size if a == axis else 1 for a in axes])
    same = aligned(run[wire].astype(jnp.int32), wire, axes) == there
    one, zero = (0.0, -jnp.inf) if box["log"] else (1.0, 0.0)
    return (jnp.where(same, one, zero).astype(jnp.result_type(float)),)


@jax.custom_jvp
def _guard(x: Any, taken: Any) -> Any:
    return x


@_guard.defjvp
def _guard_jvp(primals: tuple, tangents: tuple) -> tuple:
    x, taken = primals
    return _guard(x, taken), jnp.where(taken, tangents[0], 0.0)


def guard(run: Run, box: Box) -> tuple[Any, ...]:
    x, taken = box.inputs
    axes = box.output.axes
    array = full(run[x], x, axes)
    mask = aligned(run[taken], taken, axes)
    return (_guard(array, jnp.broadcast_to(mask.reshape(*mask.shape, *[1] * (array.ndim - mask.ndim)), array.shape)),)


def identity(run: Run, box: Box) -> tuple[Any, ...]:
    return tuple(run[wire] for wire in box.inputs)


def points(run: Run, box: Box) -> tuple[Any, ...]:
    return sites.place_points(run, box)


def score(run: Run, box: Box) -> tuple[Any, ...]:
    return (sites.score(run, box),)


def running(run: Run, box: Box) -> tuple[Any, ...]:
    """The sum before each step along an axis, and the sum over all."""
    start, added = box.inputs
    before, end = box.outputs
    place = before.axes.index(box["axis"])
    array = full(run[added], added, before.axes)
    so_far = jnp.cumsum(array, place)
    return (aligned(run[start], start, before.axes) + so_far - array,
            aligned(run[start], start, end.axes) + jax.lax.index_in_dim(so_far, -1, place, keepdims=False))


def inside(run: Run, box: Box) -> tuple[Any, ...]:
    inner = run.inner(run.env, run.keys)
    inner.graph(box.regions[0])
    return tuple(inner[wire] for wire in box.regions[0].outputs)


def forward(run: Run, box: Box) -> tuple[Any, ...]:
    arrays = [(run[wire], wire.axes) for wire in box.inputs]
    return (contraction.forward(box, arrays),)


def level(run: Run, box: Box) -> tuple[Any, ...]:
    (wire,), over = box.inputs, box["over"]
    array = run[wire]
    places = tuple(i for i, axis in enumerate(wire.axes) if axis in over)
    top = contraction.finite(jax.lax.stop_gradient(array.max(places, keepdims=True)))
    return array - top, jnp.squeeze(top, places)


def contract(run: Run, box: Box) -> tuple[Any, ...]:
    arrays = [(run[wire], wire.axes) for wire in box.inputs]
    return (contraction.log_contract(box, arrays) if box["semiring"] == "log" else contraction.contract(box, arrays),)


def scan(run: Run, box: Box) -> tuple[Any, ...]:
    """`lax.scan`: carries over their axes, then what each step gives, then running sums."""
    body, count, totals = box.regions[0], box["carries"], box.get("totals", 0)
    index, carries = body.inputs[0], body.inputs[1:1 + count]
    dtypes = [array_dtype(wire) for wire in carries]
    start = [full(run[wire], wire, carry.axes).astype(dtype) for wire, carry, dtype in zip(box.inputs, carries, dtypes)]
    outputs = body.outputs[count:]
    given, summed = outputs[:len(outputs) - totals], outputs[len(outputs) - totals:]
    sums = [jnp.zeros(tuple(axis.size for axis in wire.axes), jnp.result_type(float)) for wire in summed]
    outside = dict(run.env)
    rows = slice(1 + count, 1 + count + box.get("scanned", 0))
    xs = {inside.name: jnp.moveaxis(run[outer], outer.axes.index(box["steps"]), 0)
          for inside, outer in zip(body.inputs[rows], box.inputs[count:])}
    length = box["size"]
    steps = jnp.arange(length, dtype=jnp.int32)
    noise = sites.step_noise(run, body, steps)

    def step(carry: Any, x: Any) -> Any:
        before, so_far = carry
        t, here, noises = x
        inner = run.inner({**outside, **here, index.name: t + box["start"], **{w.name: a for w, a in zip(carries, before)}},
                    replace(run.keys, steps=(*run.keys.steps, t), scanned=noises))
        inner.graph(body)
        after = tuple(full(inner[w], w, c.axes).astype(d) for w, c, d in zip(body.outputs, carries, dtypes))
        so_far = tuple(s + inner[w] for s, w in zip(so_far, summed))
        return (after, so_far), tuple(inner[w] for w in given)
    (finals, sums), stacked = jax.lax.scan(step, (tuple(start), tuple(sums)), (steps, xs, noise), length=length)
    stacked = tuple(jnp.moveaxis(a, 0, len(w.axes)) for a, w in zip(stacked, given))
    return (*finals, *stacked, *sums)


def array_dtype(wire: Wire) -> Any:
    return {"real": jnp.result_type(float), "int": jnp.int32, "bool": jnp.bool_,
            "complex": jnp.result_type(complex)}[wire.type.kind]


MEANING: dict[str, Callable] = {
    "constant": constant, "mix": mix, "network": network, "density": density, "factor": factor, "iota": iota, "rows": rows,
    "stack_axis": stack_axis, "spread": spread, "values": values, "lands": lands, "guard": guard, "expectation": identity,
    "estimate": identity, "points": points, "marginal": inside, "expected": inside, "forward": forward, "contract": contract,
    "scan": scan, "copies": copies, "level": level, "score": score, "running": running}
