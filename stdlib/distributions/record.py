"""How a record is written: fields as the language writes parameters, everything else derived where it can be.

    make("normal", "loc: real = 0, scale: positive = 1", REAL, log_prob, noise=…, numpyro="Normal")

`real[n]` is a vector, `real[n, m]` a matrix; `simplex[n]`, `cholesky[n]` and their like name a constrained one.
A `size` is a static int that the event's shape depends on: the mapping of event shapes gives it as `(value,)`.
A draw is its noise pushed through the parameters where there is a noise, and the value's pathwise derivative is then
right in every real field.
"""
from __future__ import annotations

import re
from typing import Any, Callable, Mapping

import jax.numpy as jnp

from pullback.compiler.distribution import Distribution, Field, Finite, Noise, Support
from pullback.stdlib.distributions.laws import LAWS
from pullback.compiler.type import EVENT_RANK

_FIELD = re.compile(r"(?P<name>\w+): (?P<domain>\w+)(?:\[(?P<sizes>[\w, ]+)\])?(?: = (?P<default>-?[\d.]+))?(?:, |$)")
_INTS = {"natural", "size", "boolean", "positive_int", "int"}

REAL, POSITIVE, UNIT, NATURAL = Support("real"), Support("positive", 0), Support("unit", 0, 1), Support("natural", 0)
VECTOR = REAL
BOOLEAN, RANGE = Support("boolean", 0, 2), Support("range", 0)


def fields(text: str) -> tuple[Field, ...]:
    """The fields that a text such as "loc: real[n], scale: positive = 1" describes."""
    assert "".join(m.group(0) for m in _FIELD.finditer(text)) == text, f"not a list of fields: {text}"
    return tuple(_field(**m.groupdict()) for m in _FIELD.finditer(text))


def _field(name: str, domain: str, sizes: str | None, default: str | None) -> Field:
    kind = "int" if domain in _INTS else "real"
    rank = EVENT_RANK.get(domain, sizes.count(",") + 1 if sizes else 0)
    number = None if default is None else int(default) if kind == "int" else float(default)
    return Field(name, domain, rank, number, kind)


def floats(*arrays: Any) -> list[Any]:
    """The arrays in one floating dtype."""
    dtype = jnp.result_type(float, *arrays)
    return [jnp.asarray(array, dtype) for array in arrays]


def make(name: str, parameters: str, support: Support, log_prob: Callable[..., Any], *,
         numpyro: str | Callable[..., Any], sample: Callable[..., Any] | None = None, noise: Noise | None = None,
         kind: str = "real", rank: int = 0, event: Callable[[Mapping[str, tuple]], tuple] | None = None,
         reparameterized: Any = None, finite: Finite | None = None, **rest: Any) -> Distribution:
    """A record.  `sample`: (key, dtype, batch shape, *parameters), if there is no noise; `numpyro`: a class's name."""
    its = fields(parameters)
    event = event or (lambda shapes: ())
    if sample is None:
        sample = pushed(noise, event, its)
    if reparameterized is None:
        reparameterized = [f.name for f in its if f.kind == "real"] if noise is not None and kind == "real" else ()
    return Distribution(
        name=name, fields=its, support=support, kind=kind, log_prob=log_prob, sample=sampler(sample, its), event=event,
        numpyro=upstream(numpyro, its) if isinstance(numpyro, str) else numpyro, rank=rank, noise=noise, finite=finite,
        reparameterized=frozenset(reparameterized), **rest)


def event_shapes(its: tuple[Field, ...], parameters: tuple) -> dict[str, tuple]:
    """The event shape of each parameter; of a size, its value."""
    return {f.name: (p,) if f.domain == "size" else jnp.shape(p)[jnp.ndim(p) - f.rank:]
            for f, p in zip(its, parameters)}


def batch_shape(its: tuple[Field, ...], parameters: tuple, shape: tuple = ()) -> tuple:
    """The batch shape of the parameters together, and of `shape`."""
    return jnp.broadcast_shapes(shape, *(jnp.shape(p)[:jnp.ndim(p) - f.rank]
                                         for f, p in zip(its, parameters) if f.domain != "size"))


def sampler(draw: Callable[..., Any], its: tuple[Field, ...]) -> Callable[..., Any]:
    """(key, shape, *parameters) out of (key, dtype, shape, *parameters), where shape takes in the parameters'."""
    def sample(key: Any, shape: tuple, *parameters: Any) -> Any:
        real = [p for f, p in zip(its, parameters) if f.kind == "real"]
        return draw(key, jnp.result_type(float, *real), batch_shape(its, parameters, shape), *parameters)
    return sample


def pushed(noise: Noise, event: Callable[..., tuple], its: tuple[Field, ...]) -> Callable[..., Any]:
    def draw(key: Any, dtype: Any, shape: tuple, *parameters: Any) -> Any:
        return noise.push(noise.draw(key, shape, dtype, event(event_shapes(its, parameters))), *parameters)
    return draw


def upstream(name: str, its: tuple[Field, ...]) -> Callable[..., Any]:
    """NumPyro's distribution of this name, by keyword."""
    def build(*parameters: Any) -> Any:
        from numpyro import distributions
        return getattr(distributions, name)(**{f.name: p for f, p in zip(its, parameters)})
    return build


def plain(draw: Callable[..., Any], push: Callable[..., Any], log_density: Callable[..., Any] | None = None) -> Noise:
    """Noise of one number an element of the event: `draw(key, shape, dtype)` as jax.random has it."""
    return Noise(lambda key, shape, dtype, event: draw(key, shape + event, dtype), push, log_density, LAWS.get(draw))
