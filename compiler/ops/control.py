"""Plates, scans, branches, calls, junctions; and the pure ops that they lean on: `index`, `stack`, `reduce`, ….

Where a record has no `lower`, passes and backends give it its meaning: it has regions, or needs what only they know.
The contract of each (inputs, regions, attributes, outputs) is the table of `compiler/README.md`.
"""
from __future__ import annotations

from typing import Any, Mapping, Sequence

import jax.numpy as jnp

from pullback.compiler.op import OPS, Op, define
from pullback.compiler.ops import infer
from pullback.compiler.ops.arithmetic import number
from pullback.compiler.ops.arrays import function
from pullback.compiler.type import REAL, Array, Constraint, Params, Size, Type, known

# ------------------------------------------------------------------ index


def _slice(part: Any, size: Size) -> tuple[Size, Size]:
    """The ends of `lo..hi` in an axis of this size."""
    _, low, high = part
    return (0 if low is None else low), (size if high is None else high)


def _index(attributes: Mapping[str, Any], array: Any, *indices: Any) -> Any:
    """What stands at the indices: static parts first, then all dynamic ones as one gather.

    Out of bounds (also below 0, which NumPy would count from the end) a real reads NaN, an int its clipped element.
    Indices may be arrays of one shape (and scalars); their shape then stands where the first dynamic index stood.
    """
    pattern = (*attributes["pattern"], *["all"] * (array.ndim - len(attributes["pattern"])))
    static, dynamic, axis = [], [], 0
    for part, size in zip(pattern, array.shape):
        match part:
            case "i":
                dynamic.append(axis)
                static.append(slice(None))
                axis += 1
            case int():
                static.append(part)
            case _:
                low, high = (0, size) if part == "all" else _slice(part, size)
                static.append(slice(low, high))
                axis += 1
    array = array[tuple(static)]
    if not dynamic:
        return array
    array = jnp.moveaxis(array, dynamic, range(len(dynamic)))
    sizes = array.shape[:len(dynamic)]
    if jnp.issubdtype(array.dtype, jnp.inexact):
        inside = [jnp.where(i < 0, n, i) for i, n in zip(indices, sizes)]
        found = array.at[tuple(inside)].get(mode="fill", fill_value=jnp.nan)
    else:
        found = array.at[tuple(jnp.clip(i, 0, n - 1) for i, n in zip(indices, sizes))].get(mode="clip")
    rank = max(jnp.ndim(i) for i in indices)
    return jnp.moveaxis(found, range(rank), range(dynamic[0], dynamic[0] + rank))


def _index_type(types: Sequence[Type], attributes: Mapping[str, Any]) -> tuple[Type, ...]:
    (array,), indices = infer.items("[…]", types[:1]), infer.arrays("[…]", types[1:])
    pattern = tuple(attributes["pattern"])
    if len(pattern) > array.rank:
        raise TypeError(f"a `{array}` has {array.rank or 'no'} ind{'ex' if array.rank == 1 else 'ices'}, "
                        f"and {len(pattern)} are given")
    for index in indices:
        if index.kind not in ("int", "bool"):
            raise TypeError(f"an index is an int, and this is a `{index}`")
    found = infer.meet("[…]", indices)
    shape: list[Size] = []
    rest, placed = list(indices), False
    for part, size in zip((*pattern, *["all"] * (array.rank - len(pattern))), array.shape):
        match part:
            case "i":
                _inside(rest.pop(0), size)
                shape += [] if placed else found
                placed = True
            case int():
                if part < 0 or known(size) and part >= size:
                    raise TypeError(f"index {part} is outside of 0..{size}")
            case "all":
                shape.append(size)
            case _:
                low, high = _slice(part, size)
                for end in (low, high):
                    if known(end) and (end < 0 or known(size) and end > size):
                        raise TypeError(f"the slice {low}..{high} is outside of 0..{size}")
                if known(low) and known(high) and low > high:
                    raise TypeError(f"the slice {low}..{high} ends before it starts")
                shape.append(infer.plain_size(high - low))
    return (Array(array.kind, tuple(shape), array.constraint if array.kind == "int" and array.bounds else None),)


def _inside(index: Array, size: Size) -> None:
    """Raise if the index is outside for certain."""
    if index.bounds is not None and index.kind == "int":
        low, high = index.bounds
        if infer.at_most(high, 0) or infer.at_most(size, low):
            raise TypeError(f"an index in {low}..{high} is outside of 0..{size}")


define(Op("index", _index, _index_type, smooth=("smooth", "jump"), linear=((0,),), doc="An element or a slice."))

# ------------------------------------------------------------------ stack, concat


def _items(title: str, types: Sequence[Type]) -> tuple[tuple[Array, ...], str, Constraint | None]:
    items = infer.items(title, types)
    if items and items[0].kind == "text":
        return items, "text", None
    kind = infer.kind(jnp.result_type(*(infer.DTYPES[item.kind] for item in items))) if items else "real"
    return items, kind, infer.bounds_of(infer.hull, items) if kind == "int" else None


def _stack_type(types: Sequence[Type], attributes: Mapping[str, Any]) -> tuple[Type, ...]:
    items, kind, constraint = _items("[…]", types)
    for item in items[1:]:
        if item.rank != items[0].rank:
            raise TypeError("the elements of an array have one shape: "
                            f"`{items[0].plain()}` stands beside `{item.plain()}`")
    return (Array(kind, (len(items), *infer.meet("[…]", items)), constraint),)


def _concat_type(types: Sequence[Type], attributes: Mapping[str, Any]) -> tuple[Type, ...]:
    items, kind, constraint = _items("concat", types)
    axis = attributes.get("axis", 0)
    length: Size = 0
    for item in items:
        if item.rank != items[0].rank or not item.rank:
            raise TypeError(f"`{items[0].plain()}` and `{item.plain()}` can't be joined")
        length = length + item.shape[axis]
    rest = infer.meet("concat", [Array(item.kind, (*item.shape[:axis], *item.shape[axis:][1:])) for item in items])
    return (Array(kind, (*rest[:axis], infer.plain_size(length), *rest[axis:]), constraint),)


def _stack(attributes: Mapping[str, Any], *items: Any) -> Any:
    return jnp.stack([jnp.asarray(item) for item in items]) if items else jnp.zeros((0,))


define(Op("stack", _stack, _stack_type, linear=("all",), signature="*items", doc="`[a, b, …]`"))
define(Op("concat", lambda attributes, *items: jnp.concatenate(items, axis=attributes.get("axis", 0)), _concat_type,
          linear=("all",), signature="*arrays, :axis", doc="Arrays joined along their first axis, or along `axis`."))

# ------------------------------------------------------------------ arrays of a known shape


def _shape(attributes: Mapping[str, Any]) -> tuple[Size, ...]:
    shape = attributes["shape"]
    return tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)


def _filled(name: str, value: float) -> None:
    define(Op(name, lambda attributes: jnp.full(_shape(attributes), value, jnp.result_type(float)),
              lambda types, attributes: (Array("real", _shape(attributes)),), signature=":shape",
              doc=f"An array of {name}."))


_filled("zeros", 0.0)
_filled("ones", 1.0)
define(Op("full", lambda attributes, value: jnp.full(_shape(attributes), value),
          lambda types, attributes: (Array(types[0].kind, _shape(attributes), types[0].constraint),),
          linear=("all",), signature=":shape, fill_value", doc="An array with one value everywhere."))
define(Op("eye", lambda attributes: jnp.eye(attributes["size"]),
          lambda types, attributes: (Array("real", (attributes["size"],) * 2),), signature=":size",
          doc="The identity matrix."))
define(Op("arange", lambda attributes: attributes.get("start", 0) + jnp.arange(attributes["size"], dtype=jnp.int32),
          lambda types, attributes: (Array("int", (attributes["size"],), Constraint("range", (
              attributes.get("start", 0), attributes.get("start", 0) + attributes["size"]))),),
          signature=":size", doc="0, 1, …, size − 1 (from `start`, if given)."))
function("linspace", lambda start, stop, num: jnp.linspace(start, stop, num), "start, stop, :num", linear=("all",))

# ------------------------------------------------------------------ reduce


def along_first(name: str) -> dict[str, Any]:
    """The attributes with which the function called `name` reduces the first axis."""
    return {"axis": 0} if any(p.static and p.name == "axis" for p in OPS[name].parameters) else {}


def _reduce(attributes: Mapping[str, Any], array: Any) -> Any:
    return OPS[attributes["function"]].lower(along_first(attributes["function"]), number(array))


def _reduce_type(types: Sequence[Type], attributes: Mapping[str, Any]) -> tuple[Type, ...]:
    (array,) = infer.arrays(attributes["function"], types)
    if not array.shape:
        raise TypeError(f"`{attributes['function']}` ranges over an array, and this is a `{array}`")
    function = OPS[attributes["function"]]
    return function.infer((array,), {} if array.rank == 1 else along_first(function.name))


define(Op("reduce", _reduce, _reduce_type, doc="`sum i in 0..n: …`: a function along the first axis."))

# ------------------------------------------------------------------ boxes with regions, networks, externs

for _name, _doc in {
        "plate": "`for i in 0..n:` where no iteration reads another's result: outputs are stacked.",
        "scan": "`for t in 0..n:` with carried values: final carries, then stacked outputs.",
        "branch": "`if c: … else: …`: the outputs of the side taken.",
        "call": "A call of a declaration.",
        "marginal": "`marginalize … over …`: log E[exp(·)] over the draws inside.",
        "expected": "E[·] over the draws inside, all `by enum`: a number that anything may read."}.items():
    define(Op(_name, kind="control", smooth=("jump", "smooth") if _name == "branch" else ("smooth",), doc=_doc))


def _field_type(types: Sequence[Type], attributes: Mapping[str, Any]) -> tuple[Type, ...]:
    (params,) = types
    if not isinstance(params, Params):
        raise TypeError(f"a `{params}` has no fields")
    if params.tree is None:
        return (Params(),)
    if attributes["name"] not in params.tree:
        raise TypeError(f"there is no `{attributes['name']}` among {', '.join(map(str, params.tree))}")
    leaf = params.tree[attributes["name"]]
    return (leaf if isinstance(leaf, Array) else Params(leaf),)


def _combine_type(types: Sequence[Type], attributes: Mapping[str, Any]) -> tuple[Type, ...]:
    for type, name in zip(infer.arrays("combine", types), attributes["terms"]):
        if type.shape:
            raise TypeError(f"the term `{name}` is a `{type}`: a term is one number")
    return (REAL,)


define(Op("field", lambda attributes, params: params[attributes["name"]], _field_type, linear=("all",),
          doc="A leaf or a subtree of `params`."))
define(Op("combine", lambda attributes, *terms: sum(terms), _combine_type, linear=("all",),
          doc="Named terms, added unless a rule says otherwise."))
define(Op("network", lambda attributes, params, x: attributes["network"].apply(params, x), doc="A network's value."))
define(Op("extern", lambda attributes, *arguments: attributes["function"](*arguments), doc="A JAX function from Python."))
