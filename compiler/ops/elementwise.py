"""JAX's elementwise functions, by name: a table, never a look-up of what a program says.

Each row is: how the value depends on its arguments, whether ints are made real first, and `name(signature)`s.  A
test compares the names with what JAX has.

    smooth      a derivative everywhere that the function is finite
    continuous  kinks (`abs`, `relu`)
    jump        steps (`floor`, `sign`)
"""
from __future__ import annotations

import re
from types import ModuleType
from typing import Any, Callable, Mapping

import jax
import jax.numpy as jnp

from pullback.compiler.op import Op, define
from pullback.compiler.ops import infer
from pullback.compiler.ops.arithmetic import number

TABLE = (
    (jnp, "smooth", True, """
        exp(x) exp2(x) expm1(x) log(x) log2(x) log10(x) log1p(x) sqrt(x) cbrt(x) reciprocal(x) sin(x) cos(x) tan(x)
        arcsin(x) arccos(x) arctan(x) sinh(x) cosh(x) tanh(x) arcsinh(x) arccosh(x) arctanh(x) asin(x) acos(x) atan(x)
        asinh(x) acosh(x) atanh(x) sinc(x) logaddexp(x1, x2) logaddexp2(x1, x2) deg2rad(x) rad2deg(x) degrees(x)
        radians(x) float_power(x, y)"""),
    (jnp, "smooth", False, "square(x) real(x) imag(x) conj(x) positive(x) isnan(x) isinf(x) isfinite(x)"),
    (jnp, "continuous", False, "fabs(x) fmax(x1, x2) fmin(x1, x2) clip(x, min?, max?) hypot(x1, x2) nan_to_num(x)"),
    (jnp, "jump", False, """
        sign(x) floor(x) ceil(x) round(x, :decimals) rint(x) trunc(x) heaviside(x1, x2) copysign(x1, x2) fmod(x1, x2)
        arctan2(x1, x2) atan2(x1, x2) angle(x) gcd(x1, x2) lcm(x1, x2)"""),
    (jax.scipy.special, "smooth", True, """
        beta(a, b) betaln(a, b) betainc(a, b, x) digamma(x) entr(x) erf(x) erfc(x) erfcx(x) erfinv(y) exp1(x) expi(x)
        expit(x) expn(n, x) factorial(n) gamma(x) gammainc(a, x) gammaincc(a, x) gammaln(x) loggamma(x) i0(x) i0e(x)
        i1(x) i1e(x) kl_div(x, y) rel_entr(x, y) log_ndtr(x) logit(x) multigammaln(a, :d) ndtr(x) ndtri(p) poch(z, m)
        spence(x) xlog1py(x, y) xlogy(x, y) zeta(x, q) hyp1f1(a, b, x) hyp2f1(a, b, c, x) owens_t(h, a) boxcox(x, lmbda)
        boxcox1p(x, lmbda) comb(N, k) dawsn(x)"""),
    (jax.scipy.special, "jump", True, "gammasgn(x)"),
    (jax.nn, "smooth", True, """
        sigmoid(x) softplus(x) silu(x) swish(x) gelu(x, :approximate) log_sigmoid(x) mish(x) squareplus(x, b?)
        log1mexp(x)"""),
    (jax.nn, "continuous", True, """
        celu(x, alpha?) elu(x, alpha?) selu(x) leaky_relu(x, negative_slope?) hard_sigmoid(x) hard_silu(x) hard_swish(x)
        hard_tanh(x) relu6(x) soft_sign(x) sparse_plus(x) sparse_sigmoid(x)"""),
    (jax.nn, "continuous", False, "relu(x)"),
    (jax.nn, "smooth", False, "identity(x)"),
)

def _clipped(x: Any, *ends: Any) -> Any:
    """clip(x, min, max) of ints is at least min, and at most max."""
    if len(ends) != 2:
        return None
    low = infer.higher_of(x, ends[0])
    return None if low is None else infer.lower_of(infer.ranged(*low), ends[1])


RANGES = {"clip": _clipped}
LINEAR = {"real", "imag", "positive", "identity", "deg2rad", "rad2deg", "degrees", "radians"}


def real(x: Any) -> Any:
    """An int or a bool as a real of the width that JAX is set to."""
    return x if jnp.issubdtype(jnp.result_type(x), jnp.inexact) else jnp.asarray(x, jnp.result_type(float))


def calling(function: Callable, convert: bool) -> Callable:
    def lower(attributes: Mapping[str, Any], *xs: Any) -> Any:
        return function(*map(real if convert else number, xs), **attributes)
    return lower


def rows(text: str) -> list[tuple[str, str]]:
    """(name, signature) of each `name(signature)` in a text."""
    return re.findall(r"(\w+)\(([^)]*)\)", text)


def _define(module: ModuleType, smooth: str, convert: bool, text: str) -> None:
    for name, signature in rows(text):
        if not hasattr(module, name):  # an older JAX has fewer
            continue
        function = getattr(module, name)
        lower = calling(function, convert)
        order = ("jump", "smooth") if name in ("expn", "poch") else (smooth,)
        define(Op(name, lower, infer.elementwise(name, lower, RANGES.get(name)), smooth=order, elementwise=True, signature=signature,
                  linear=("all",) if name in LINEAR else (), doc=(function.__doc__ or "").strip().split("\n")[0]))


for _row in TABLE:
    _define(*_row)



def _polygamma(attributes: Mapping[str, Any], n: Any, x: Any) -> Any:
    return jax.scipy.special.polygamma(n, real(x))


define(Op("polygamma", _polygamma, infer.elementwise("polygamma", _polygamma), smooth=("jump", "smooth"),
          elementwise=True, signature="n, x", doc="The n-th derivative of digamma."))
