"""Linear algebra: `@` and JAX's functions of vectors and matrices, by name."""
from __future__ import annotations

from typing import Any, Mapping, Sequence

import jax
import jax.numpy as jnp

from pullback.compiler.op import Op, define
from pullback.compiler.ops import infer
from pullback.compiler.ops.arithmetic import number
from pullback.compiler.ops.arrays import function, table
from pullback.compiler.type import Type, same


def _matmul(attributes: Mapping[str, Any], a: Any, b: Any) -> Any:
    return jnp.matmul(number(a), number(b))


def _matmul_type(types: Sequence[Type], attributes: Mapping[str, Any]) -> tuple[Type, ...]:
    a, b = infer.arrays("@", types)
    for side in (a, b):
        if not side.shape:
            raise TypeError(f"`@` takes a vector or a matrix, and this is a `{side.plain()}`: `*` scales")
    inner = b.shape[-2] if b.rank > 1 else b.shape[0]
    if not same(a.shape[-1], inner):
        raise TypeError(f"`{a.plain()} @ {b.plain()}`: the last size of the first is {a.shape[-1]}, "
                        f"the {'first' if b.rank < 3 else 'last but one'} of the second {inner}")
    return infer.by_shape("@", _matmul)(types, attributes)


define(Op("matmul", _matmul, _matmul_type, linear=((0,), (1,)), signature="a, b", symbol="@",
          doc="The product of vectors and matrices."))
table("dot(a, b) outer(a, b) inner(a, b) vdot(a, b) kron(a, b) cross(a, b)", jnp, linear=((0,), (1,)))
table("trace(a, :offset) diag(v, :k) diagflat(v) tril(m, :k) triu(m, :k)", jnp, linear=("all",))
function("einsum", lambda *operands, subscripts: jnp.einsum(subscripts, *operands), ":subscripts, *operands")
table("""det(a) slogdet(a) eigh(a) eigvalsh(a) inv(a) pinv(a) cholesky(a) qr(a) svd(a, :full_matrices) svdvals(x)
         matrix_power(a, :n)""", jnp.linalg)
table("norm(x, :ord, :axis) vector_norm(x, :axis) matrix_norm(x)", jnp.linalg, smooth=("continuous",))
table("cond(x)", jnp.linalg, smooth=("continuous",))
table("matrix_rank(M)", jnp.linalg, smooth=("jump",))
table("solve(a, b)", jnp.linalg, linear=((1,),))
table("solve_triangular(a, b, :trans, :lower, :unit_diagonal)", jax.scipy.linalg, linear=((1,),))
table("expm(A) block_diag(*arrs) toeplitz(c, r?) sqrtm(A)", jax.scipy.linalg)
