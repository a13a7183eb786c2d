"""Functions of whole arrays, by name: JAX's reductions, sorting, shapes.

    reduction   all elements by default, or along `axis`; as `sum i in 0..n: …` along the first axis
    shaping     elements are moved and nothing is computed: a range of ints stays, and the op is linear
"""
from __future__ import annotations

from typing import Any, Callable, Mapping, Sequence

import jax
import jax.numpy as jnp

from pullback.compiler.op import Op, Smoothness, define
from pullback.compiler.ops import infer
from pullback.compiler.ops.elementwise import real, rows
from pullback.compiler.type import Array, Constraint, Type, same_shape


def narrow(x: Any) -> Any:
    """An int is int32, whatever the width of reals."""
    return x.astype(jnp.int32) if jnp.issubdtype(x.dtype, jnp.integer) and x.dtype != jnp.int32 else x


def function(name: str, call: Callable, signature: str, smooth: tuple[Smoothness, ...] = ("smooth",),
             ranges: Callable | None = None, linear: tuple = (), infers: Callable | None = None) -> Op:
    def lower(attributes: Mapping[str, Any], *xs: Any) -> Any:
        return jax.tree.map(narrow, call(*xs, **attributes))
    return define(Op(name, lower, infers or infer.by_shape(name, lower, ranges), smooth=smooth, linear=linear,
                     signature=signature, doc=(call.__doc__ or "").strip().split("\n")[0]))


def table(text: str, module: Any, **record: Any) -> None:
    for name, signature in rows(text):
        if hasattr(module, name):  # an older JAX has fewer
            function(name, getattr(module, name), signature, **record)


def _summed(types: Sequence[Type], attributes: Mapping[str, Any]) -> tuple[Type, ...]:
    """A sum of n ints from a range is in a range."""
    (out,) = infer.by_shape("sum", lambda given, x: jnp.sum(x, **given))(types, attributes)
    (array,) = types
    whole = out.kind == "int" and not out.shape
    return (Array(out.kind, out.shape, infer.bounds_of(infer.summed, (array,)) if whole else None),)


def _position(types: Sequence[Type], attributes: Mapping[str, Any]) -> tuple[Type, ...]:
    """`argmax` over an axis of n elements is in 0 … n − 1."""
    (out,) = infer.by_shape("argmax", lambda given, x: jnp.argmax(x, **given))(types, attributes)
    return (Array("int", out.shape, Constraint("range", (0, _extent(types[0], attributes.get("axis"))))),)


def _order(types: Sequence[Type], attributes: Mapping[str, Any]) -> tuple[Type, ...]:
    (out,) = infer.by_shape("argsort", lambda given, x: jnp.argsort(x, **given))(types, attributes)
    return (Array("int", out.shape, Constraint("range", (0, _extent(types[0], attributes.get("axis", -1))))),)


def _extent(array: Type, axis: int | None) -> Any:
    if axis is not None:
        return array.shape[axis]
    count: Any = 1
    for size in array.shape:
        count = count * size
    return count


function("sum", jnp.sum, "a, :axis, :keepdims", linear=("all",), infers=_summed)
table("mean(a, :axis, :keepdims)", jnp, linear=("all",))
table("prod(a, :axis, :keepdims) var(a, :axis, :ddof, :keepdims)", jnp)
table("std(a, :axis, :ddof, :keepdims) ptp(a, :axis) percentile(a, q, :axis) quantile(a, q, :axis) median(a, :axis)",
      jnp, smooth=("continuous",))
table("max(a, :axis, :keepdims) min(a, :axis, :keepdims)", jnp, smooth=("continuous",), ranges=infer.hull)
table("sort(a, :axis, :descending)", jnp, smooth=("continuous",), ranges=infer.hull)
table("any(a, :axis) all(a, :axis) count_nonzero(a, :axis) searchsorted(a, v, :side) digitize(x, bins)", jnp,
      smooth=("jump",))
table("argmax(a, :axis) argmin(a, :axis)", jnp, smooth=("jump",), infers=_position)
table("argsort(a, :axis, :descending)", jnp, smooth=("jump",), infers=_order)
table("cumsum(a, :axis)", jnp, linear=("all",))
table("cumprod(a, :axis) average(a, :axis) trapezoid(y, x?, :dx, :axis) cov(m) corrcoef(x) vander(x, :N)", jnp)
table("diff(a, :n, :axis) ediff1d(ary) gradient(f)", jnp, linear=("all",))
table("interp(x, xp, fp)", jnp, smooth=("continuous", "continuous", "smooth"))
table("convolve(a, v, :mode) correlate(a, v, :mode) polyval(p, x)", jnp, linear=((0,),))

for _name, _signature in (
        ("softmax", "x, :axis"), ("log_softmax", "x, :axis"), ("logsumexp", "a, :axis, :keepdims"),
        ("logmeanexp", "x, :axis, :keepdims"), ("standardize", "x, :axis"), ("glu", "x, :axis")):
    if hasattr(jax.nn, _name):
        function(_name, (lambda f: lambda x, **given: f(real(x), **given))(getattr(jax.nn, _name)), _signature)


def cross_entropy(logits: Any, labels: Any) -> Any:
    """−log of the probability that softmax(logits) gives to a label; in the mean of the labels, where they are a distribution."""
    logits = jax.nn.log_softmax(real(logits))
    if jnp.issubdtype(labels.dtype, jnp.integer) and labels.ndim == logits.ndim - 1:
        labels = jnp.where(labels < 0, logits.shape[-1], labels)[..., None]  # out of bounds reads NaN
        return -jnp.take_along_axis(logits, labels, -1, mode="fill", fill_value=jnp.nan)[..., 0]
    return -jnp.where(labels == 0, 0.0, labels * logits).sum(-1)


def _classes(types: Sequence[Type], attributes: Mapping[str, Any]) -> tuple[Type, ...]:
    """Logits [*batch, classes], and an int label [*batch] or a distribution [*batch, classes]."""
    logits, labels = infer.arrays("cross_entropy", types)
    if not logits.shape:
        raise TypeError(f"`cross_entropy` takes logits, one for each class, and this is a `{logits}`")
    if same_shape(labels.shape, logits.shape) is True and logits.shape and labels.kind == "real":
        return (Array("real", logits.shape[:-1]),)
    if labels.kind == "real":
        raise TypeError(f"`cross_entropy` takes a label, an int, or the probabilities of all classes: `{logits.plain()}` and "
                        f"`{labels.plain()}` are given")
    if same_shape(labels.shape, logits.shape[:-1]) is not True:
        raise TypeError(f"`cross_entropy` takes one label for each row of logits: `{logits.plain()}` and `{labels.plain()}` are given")
    return (Array("real", logits.shape[:-1]),)


function("cross_entropy", cross_entropy, "logits, labels", infers=_classes, linear=((1,),))
function("one_hot", jax.nn.one_hot, "x, :num_classes, :axis", ("jump",))

table("""ravel(a) transpose(a) matrix_transpose(x) swapaxes(a, :axis1, :axis2) moveaxis(a, :source, :destination)
         flip(m, :axis) fliplr(m) flipud(m) roll(a, :shift, :axis) repeat(a, :repeats, :axis) squeeze(a, :axis)
         expand_dims(a, :axis) diagonal(a, :offset) rot90(m, :k)""", jnp, linear=("all",), ranges=infer.hull)
function("reshape", lambda a, shape: jnp.reshape(a, shape), "a, :shape", linear=("all",), ranges=infer.hull)
function("broadcast_to", lambda array, shape: jnp.broadcast_to(array, shape), "array, :shape", linear=("all",),
         ranges=infer.hull)
function("tile", lambda A, reps: jnp.tile(A, reps), "A, :reps", linear=("all",), ranges=infer.hull)
