"""A random choice as a points rule sees it: batched, in JAX.

The parameters have shape [*own, *batch, *event], with 1 along the batch axes that they lack; `own` is there where the choice's
own axis reached its parameters (a scan that carries k trajectories).  Noise is fresh along a batch axis unless that axis is
shared (points of a finite support or of a perturbation answer for the same noise).
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp

from pullback.compiler.constraint import bijection
from pullback.compiler.distribution import Distribution
from pullback.compiler.type import EVENT_RANK


@dataclass(frozen=True, eq=False)
class Choice:
    """batch: the size of each batch axis; shared: whether noise is shared along it; size: of a finite support."""

    distribution: Distribution
    parameters: tuple[Any, ...]
    batch: tuple[int, ...] = ()
    shared: tuple[bool, ...] = ()
    event: tuple[int, ...] = ()
    size: int | None = None
    onto: Any = None
    dtype: Any = None
    drawn: list[Any] = field(default_factory=list)  # the noise of each call of `sample`
    scanned: Any = None     # the site's key and the noise of this step under it, drawn before the loop
    box: Any = None         # where the choice stands, for what is said of it

    def sample(self, key: Any, shape: tuple[int, ...] = ()) -> Any:
        """Draws [*shape, *batch, *event] with their pathwise derivative."""
        values = self._base_sample(key, tuple(shape))
        return values if self.onto is None else bijection(self.onto)(values)

    def push(self, noise: Any) -> Any:
        """Values [n, *batch, *event] of noise [n, *batch, *event] (1 along shared axes), with their pathwise derivative."""
        values = self.distribution.noise.push(noise, *self.parameters)
        event = values.shape[values.ndim - len(self.event):]
        values = jnp.broadcast_to(values, (noise.shape[0], *self.batch, *event))
        return values if self.onto is None else bijection(self.onto)(values)

    def noise(self, key: Any, shape: tuple[int, ...] = ()) -> Any:
        """The noise of `sample`, where the distribution splits its draws."""
        batch = tuple(1 if s else n for n, s in zip(self.batch, self.shared))
        return self.distribution.noise.draw(key, (*shape, *batch), self.real, self.before)

    @property
    def carries(self) -> tuple[str, ...]:
        """The parameters that may carry a derivative."""
        found = self.box.get("carries") if self.box is not None else None
        return tuple(f.name for f in self.distribution.fields) if found is None else found

    def logit(self) -> Any:
        """The logit of a coin, [*batch] or 1 along the axes that no parameter has."""
        (p,) = self.parameters
        p = jnp.asarray(p, self.real)
        return p if self.distribution.fields[0].name == "logits" else jnp.log(p) - jnp.log1p(-p)

    def place(self, name: str) -> int:
        return [f.name for f in self.distribution.fields].index(name)

    def perturbed(self, name: str, x: Any, u: Any, v: Any) -> tuple[Any, Any]:
        """The measure-valued derivative in a parameter, at the draw x: values and slopes [e, *batch]."""
        measure, parameters = self.distribution.measures[name], tuple(map(jax.lax.stop_gradient, self.parameters))
        if self.onto is None:
            return measure(u, v, x, *parameters)
        transform = bijection(self.onto)
        values, slopes = measure(u, v, transform.inv(x), *parameters)
        return transform(values), slopes

    @property
    def before(self) -> tuple[int, ...]:
        """The event shape of what is pushed through the bijection."""
        vector = self.onto is not None and EVENT_RANK.get(self.onto.name)
        return tuple(bijection(self.onto).inverse_shape(self.event)) if vector else self.event

    @property
    def real(self) -> Any:
        return self.dtype or jnp.result_type(float)

    def _base_sample(self, key: Any, shape: tuple[int, ...]) -> Any:
        d = self.distribution
        full = (*shape, *self.batch)
        if d.noise is not None:
            before = self.scanned is not None and key is self.scanned[0] and self.scanned[1].shape[:len(shape)] == shape
            noise = self.scanned[1] if before else self.noise(key, shape)
            self.drawn.append(noise)
            values = d.noise.push(noise, *self.parameters)
        else:
            values = self._rejection(key, shape)
        return jnp.broadcast_to(values, (*full, *values.shape[values.ndim - len(self.event):]))

    def _rejection(self, key: Any, shape: tuple[int, ...]) -> Any:
        """A sampler without noise of a fixed shape: one key for all points of a shared axis."""
        d, lead = self.distribution, len(shape)
        parts = [jnp.asarray(p) for p in self.parameters]
        shared = [i for i, s in enumerate(self.shared) if s and any(
            self._batch_size(p, f.rank, i) > 1 for p, f in zip(parts, d.fields))]
        fresh = tuple(n for i, n in enumerate(self.batch) if not self.shared[i])
        if not any(self.shared):
            return d.sample(key, (*shape, *fresh), *parts)
        moved = []
        for p, f in zip(parts, d.fields):
            own = p.ndim - f.rank - len(self.batch)
            drop = [own + i for i, s in enumerate(self.shared) if s and i not in shared]
            front = [own + i for i in shared]
            p = jnp.moveaxis(p, front, range(len(front)))
            drop = [d_ + sum(1 for q in front if q > d_) for d_ in drop]
            p = jnp.squeeze(p, tuple(drop))
            moved.append(p)
        draw = lambda *p: d.sample(key, (*shape, *fresh), *p)
        for i in reversed(shared):
            draw = jax.vmap(draw)
        sizes = tuple(self.batch[i] for i in shared)
        moved = [jnp.broadcast_to(p, (*sizes, *p.shape[len(sizes):])) for p in moved]
        values = draw(*moved)
        values = jnp.moveaxis(values, range(len(shared)), [lead + sum(
            1 for j in range(i) if not self.shared[j] or j in shared) for i in shared])
        for i, s in enumerate(self.shared):
            if s and i not in shared:
                values = jnp.expand_dims(values, lead + i)
        return values

    def _batch_size(self, parameter: Any, rank: int, axis: int) -> int:
        return parameter.shape[parameter.ndim - rank - len(self.batch) + axis]

    def log_prob(self, values: Any) -> Any:
        """Log density [*shape, *batch] of values [*shape, *batch, *event]."""
        return log_density(self.distribution, self.onto, values, self.parameters)

    def support(self) -> Any:
        """The values [K, *event] of a finite support."""
        return self.distribution.finite.values(self.size)

    def probabilities(self) -> Any:
        """Their probabilities [K, *batch], 1 along the axes that no parameter has."""
        return self.distribution.finite.probabilities(self.size, *self.parameters)

    def log_probabilities(self) -> Any:
        """The logarithm of `probabilities`, from the density."""
        values = self.support()
        ones = (1,) * len(self.batch)
        return self.log_prob(values.reshape(values.shape[0], *ones, *values.shape[1:]))


def log_density(distribution: Distribution, onto: Any, value: Any, parameters: tuple) -> Any:
    """log p of a value; of one pushed through a bijection T: log p(T⁻¹ v) − log |det T′|."""
    if onto is None:
        return distribution.log_prob(value, *parameters)
    transform = bijection(onto)
    before = transform.inv(value)
    jacobian = transform.log_abs_det_jacobian(before, value)
    density = distribution.log_prob(before, *parameters)
    while jacobian.ndim > density.ndim:
        jacobian = jacobian.sum(-1)
    return density - jacobian
