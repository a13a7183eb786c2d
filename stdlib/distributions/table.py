"""NumPyro's own distributions, where its density and its sampler are right as they are.

A row: name, fields, support, how the event's shape is read from the fields', rank, what the draws may be differentiated
in, formula.  Values off a manifold by a rounding are not refused (`validate_args` is off).
"""
from __future__ import annotations

from typing import Any, Callable

from jax import numpy as jnp

from pullback.compiler.distribution import Distribution, Field, Support
from pullback.stdlib.distributions.record import VECTOR, event_shapes, fields, make

MATRIX, CORRELATION = Support("positive_definite"), "dimension: size, concentration: positive = 1"
SCALES = {"scale_matrix": "positive_definite", "rate_matrix": "positive_definite", "scale_tril": "cholesky"}
IMPLICIT = {"lkj", "lkj_cholesky", "wishart", "wishart_cholesky", "inverse_wishart", "inverse_wishart_cholesky",
            "multivariate_student_t"}


def camel(name: str) -> str:
    """NumPyro's name of a distribution."""
    special = {"lkj": "LKJ", "lkj_cholesky": "LKJCholesky", "car": "CAR"}
    return special.get(name) or "".join(part.capitalize() for part in name.split("_"))


def builder(name: str, its: tuple[Field, ...]) -> Callable[..., Any]:
    def build(*parameters: Any, **options: Any) -> Any:
        from numpyro import distributions
        given = {f.name: p for f, p in zip(its, parameters)}
        return getattr(distributions, camel(name))(**given, **options)
    return build


def _row(name: str, text: str, support: Support, event: Callable[..., tuple], rank: int, reparameterized: str, doc: str,
         ) -> Distribution:
    its = fields(text)
    build = builder(name, its)

    def full(parameters: tuple) -> tuple:
        """Vectors given as one number, which NumPyro would take for a batch of them, in their length."""
        shape = event(event_shapes(its, parameters))
        return tuple(jnp.broadcast_to(p, shape) if f.rank == 1 and f.name == "loc" and jnp.ndim(p) == 0 else p
                     for f, p in zip(its, parameters))

    def log_prob(value: Any, *parameters: Any) -> Any:
        dtype = jnp.result_type(float, value, *(p for f, p in zip(its, parameters) if f.kind == "real"))
        return build(*full(parameters), validate_args=False).log_prob(value).astype(dtype)

    def sample(key: Any, dtype: Any, shape: tuple, *parameters: Any) -> Any:
        return build(*full(parameters), validate_args=False).expand(shape).sample(key).astype(dtype)

    return make(name, text, support, log_prob, sample=sample, numpyro=build, rank=rank, event=event,
                reparameterized=reparameterized.split(), implicit=name in IMPLICIT, doc=doc)


def like(name: str, axes: slice = slice(None)) -> Callable[..., tuple]:
    """The event's shape is that of a field."""
    return lambda shapes: tuple(shapes[name][axes])


def square(shapes: Any) -> tuple:
    return shapes["dimension"] * 2


def _wishart(name: str, support: Support, doc: str) -> tuple[Distribution, ...]:
    return tuple(_row(name, f"concentration: positive, {scale}: {domain}[n, n]", support, like(scale), 2,
                      f"concentration {scale}", doc) for scale, domain in SCALES.items())


RECORDS = (
    _row("low_rank_multivariate_normal", "loc: real[n], cov_factor: real[n, k], cov_diag: positive[n]", VECTOR,
         like("cov_diag"), 1, "loc cov_factor cov_diag",
         "multivariate_normal with covariance W·Wᵀ + diag(cov_diag), W = cov_factor"),
    _row("multivariate_student_t", "df: positive, loc: real[n] = 0, scale_tril: cholesky[n, n]", VECTOR,
         like("scale_tril", slice(-1, None)), 1, "df loc scale_tril",
         "∝ (1 + |L⁻¹(x − loc)|²/df)^(−(df + n)/2)/det L, L = scale_tril"),
    _row("matrix_normal", "loc: real[n, m], scale_tril_row: cholesky[n, n], scale_tril_column: cholesky[m, m]", VECTOR,
         like("loc"), 2, "loc scale_tril_row scale_tril_column",
         "the law of loc + L·Z·Mᵀ, L = scale_tril_row, M = scale_tril_column, Z of independent standard normals"),
    _row("gaussian_random_walk", "scale: positive = 1, num_steps: size = 1", VECTOR, lambda shapes: shapes["num_steps"],
         1, "scale", "Π normal(xₜ − xₜ₋₁; 0, scale), x₋₁ = 0"),
    _row("circulant_normal", "loc: real[n], covariance_row: real[n]", VECTOR, like("covariance_row"), 1,
         "loc covariance_row",
         "multivariate_normal whose covariance is circulant with this first row"),
    _row("car", "loc: real[n], correlation: real, conditional_precision: positive, adj_matrix: real[n, n]", VECTOR,
         like("adj_matrix", slice(-1, None)), 1, "loc correlation conditional_precision",
         "multivariate_normal of precision conditional_precision·(D − correlation·W), W = adj_matrix, D its row sums"),
    _row("lkj", CORRELATION, Support("corr_matrix"), square, 2, "concentration",
         "∝ det(x)^(concentration − 1), x a correlation matrix"),
    _row("lkj_cholesky", CORRELATION, Support("corr_cholesky"), square, 2, "concentration",
         "∝ Π Lᵢᵢ^(n − i + 2·(concentration − 1)), i = 1, …, n: the Cholesky factor L of an lkj"),
    *_wishart("wishart", MATRIX, "∝ det(x)^((c − n − 1)/2)·exp(−tr(S⁻¹x)/2), c = concentration, S the scale"),
    *_wishart("wishart_cholesky", Support("cholesky"), "the Cholesky factor of a wishart"),
    *_wishart("inverse_wishart", MATRIX, "∝ det(x)^(−(c + n + 1)/2)·exp(−tr(S·x⁻¹)/2), c = concentration, S the scale"),
    *_wishart("inverse_wishart_cholesky", Support("cholesky"), "the Cholesky factor of an inverse_wishart"),
)
