"""The ops: the table of names against JAX, meaning and type against JAX's functions, claims checked by numbers."""
import functools
import inspect
import re

import jax
import jax.numpy as jnp
import jax.scipy.linalg
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pullback.compiler import ops
from pullback.compiler.op import OPS
from pullback.compiler.ops import infer
from pullback.compiler.type import BOOL, INT, REAL, Array, Constraint, symbol

MODULES = (jnp, jax.scipy.special, jax.nn, jnp.linalg, jax.scipy.linalg)

LEFT_OUT = {
    "the language has its own form": """
        append apply_along_axis apply_over_axes array asarray astype array_split broadcast_arrays choose compress
        copy delete extract fill_diagonal from_dlpack frombuffer fromfile fromfunction fromiter frompyfunc fromstring
        insert invert ix_ load meshgrid pad piecewise place put put_along_axis resize select split take take_along_axis
        unstack vectorize gradient block""",
    "a shape that depends on values": """
        argwhere bincount flatnonzero intersect1d nonzero setdiff1d setxor1d trim_zeros union1d unique unique_all
        unique_counts unique_inverse unique_values histogram histogram2d histogramdd histogram_bin_edges roots""",
    "about dtypes, shapes and printing": """
        array_repr array_str broadcast_shapes can_cast einsum_path get_printoptions isdtype iscomplexobj isrealobj
        isscalar issubdtype iterable ndim printoptions promote_types result_type save savez set_printoptions shape size
        get_scaled_dot_general_config""",
    "another name for what is there": """
        around atleast_1d atleast_2d atleast_3d column_stack concat cumulative_prod cumulative_sum divmod dsplit dstack
        hsplit hstack matvec modf rollaxis std vecdot vecmat vsplit vstack array_equal array_equiv allclose isclose
        permute_dims multi_dot""",
    "missing values": """
        nanargmax nanargmin nancumprod nancumsum nanmax nanmean nanmedian nanmin nanpercentile nanprod nanquantile
        nanstd nansum nanvar""",
    "bits, windows, polynomials, sets and what is rarely asked for": """
        argpartition partition bartlett blackman hamming hanning kaiser bitwise_and bitwise_count bitwise_invert
        bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor left_shift right_shift packbits
        unpackbits diag_indices diag_indices_from indices mask_indices tril_indices tril_indices_from triu_indices
        triu_indices_from tri ravel_multi_index unravel_index empty empty_like full_like ones_like zeros_like
        frexp ldexp nextafter spacing signbit isneginf isposinf iscomplex isreal isin lexsort sort_complex unwrap
        geomspace logspace poly polyadd polyder polydiv polyfit polyint polymul polysub tensordot""",
    "special functions with several values, or of an order": "bernoulli bessel_jn fresnel sici sph_harm_y wofz",
    "not elementwise, and not a function of arrays alone": "dot_product_attention scaled_dot_general scaled_matmul",
    "decompositions and matrices for other ends": """
        eig eigvals lstsq tensorinv tensorsolve cho_factor cho_solve circulant companion convolution_matrix dft
        eigh_tridiagonal expm_frechet fiedler fiedler_companion funm hadamard hankel helmert hessenberg hilbert
        invhilbert invpascal leslie lu lu_factor lu_solve pascal polar qr_multiply rsf2csf schur solve_sylvester""",
}


def public(module):
    return {name for name in dir(module) if not name.startswith("_")
            and callable(getattr(module, name)) and not inspect.isclass(getattr(module, name))}


def test_every_function_of_jax_is_offered_or_left_out_for_a_reason():
    left = {name for names in LEFT_OUT.values() for name in names.split()}
    there = set().union(*map(public, MODULES))
    offered = set(ops.functions())
    assert not there - offered - left, "decide: offer it, or leave it out"


def test_what_is_offered_is_jaxs():
    own = {"stop", "stop_gradient", "where", "one_hot", "cross_entropy"}
    own |= {name for name, function in ops.functions().items() if function.host}
    assert set(ops.functions()) - own <= set().union(*map(public, MODULES))


def test_names_as_attributes():
    assert ops.log is OPS["log"] and ops.and_ is OPS["and"] and ops.not_ is OPS["not"]
    with pytest.raises(AttributeError):
        ops.lgo
    assert ops.function("max", 1) is ops.max and ops.function("max", 2) is ops.maximum
    assert ops.function("system", 1) is None


# ------------------------------------------------------------------ meaning

RNG = np.random.default_rng(0)
SQUARE = RNG.normal(size=(3, 3))
POSITIVE = SQUARE @ SQUARE.T + 3 * np.eye(3)
VECTOR, OTHER = RNG.uniform(0.1, 0.9, 4), RNG.uniform(0.1, 0.9, 4)
SPECIAL = {   # name → arguments, attributes, where one vector or two will not do
    "multigammaln": ((OTHER + 3,), {"d": 2}), "polygamma": ((np.array([0, 1, 2, 3]), VECTOR), {}),
    "expn": ((np.array([1, 2, 3, 4]), VECTOR), {}), "factorial": ((np.array([1, 2, 3, 0]),), {}),
    "gcd": ((np.array([4, 6]), np.array([6, 9])), {}), "lcm": ((np.array([4, 6]), np.array([6, 9])), {}),
    "arccosh": ((VECTOR + 2,), {}), "acosh": ((VECTOR + 2,), {}), "zeta": ((VECTOR + 2, OTHER + 1), {}),
    "log1mexp": ((VECTOR,), {}), "comb": ((np.array([4., 6.]), np.array([2., 3.])), {}),
    "one_hot": ((np.array([0, 2]),), {"num_classes": 3}), "glu": ((VECTOR,), {}), "vander": ((VECTOR,), {"N": 3}),
    "interp": ((0.4, np.array([0., 0.3, 1.0]), np.array([1., 3., 2.])), {}), "cross": ((VECTOR[:3], OTHER[:3]), {}),
    "roll": ((VECTOR,), {"shift": 1}), "repeat": ((VECTOR,), {"repeats": 2}), "tile": ((VECTOR,), {"reps": 2}),
    "reshape": ((SQUARE,), {"shape": (9,)}), "broadcast_to": ((VECTOR,), {"shape": (2, 4)}), "rot90": ((SQUARE,), {}),
    "swapaxes": ((SQUARE,), {"axis1": 0, "axis2": 1}), "moveaxis": ((SQUARE,), {"source": 0, "destination": 1}),
    "expand_dims": ((VECTOR,), {"axis": 0}), "quantile": ((VECTOR, 0.3), {}), "percentile": ((VECTOR, 30.0), {}),
    "searchsorted": ((np.sort(VECTOR), 0.5), {}), "digitize": ((VECTOR, np.array([0.2, 0.5])), {}),
    "matrix_power": ((SQUARE,), {"n": 2}), "solve": ((POSITIVE, VECTOR[:3]), {}), "where": ((VECTOR > 0.5, VECTOR, OTHER), {}),
    "solve_triangular": ((np.tril(POSITIVE), VECTOR[:3]), {"lower": True}), "linspace": ((0.0, 1.0), {"num": 3}),
    "einsum": ((SQUARE, VECTOR[:3]), {"subscripts": "ij,j->i"}), "zeros": ((), {"shape": (2,)}), "ones": ((), {"shape": (2,)}),
    "full": ((2.0,), {"shape": (2,)}), "eye": ((), {"size": 3}), "arange": ((), {"size": 3}), "block_diag": ((SQUARE, SQUARE), {}),
    "concatenate": ((VECTOR, OTHER), {}), "concat": ((VECTOR, OTHER), {}), "stack": ((VECTOR, OTHER), {}), "kron": ((VECTOR, OTHER), {}),
    "toeplitz": ((VECTOR,), {}), "logical_and": ((VECTOR > 0.5, OTHER > 0.5), {}), "logical_or": ((VECTOR > 0.5, OTHER > 0.5), {}),
    "logical_not": ((VECTOR > 0.5,), {}), "logical_xor": ((VECTOR > 0.5, OTHER > 0.5), {}), "average": ((VECTOR,), {}),
    "trapezoid": ((VECTOR,), {}), "hyp1f1": ((1.5, 2.0, 0.3), {}), "hyp2f1": ((1.5, 2.0, 3.0, 0.3), {}),
}
MATRIX = set("""trace diag diagonal tril triu det slogdet eigh eigvalsh inv pinv cholesky qr svd svdvals matrix_norm cond
    matrix_rank expm sqrtm fliplr flipud matrix_transpose transpose cov corrcoef""".split())


SLOW = {"hyp2f1", "expn"}   # seconds to compile: only their types are tried


def sample(name):
    """Arguments and attributes at which an op is tried."""
    if name in SPECIAL:
        return SPECIAL[name]
    if name in MATRIX:
        return (POSITIVE,), {}
    op = ops.functions()[name]
    count = len([p for p in op.parameters if not p.static and not p.optional and not p.variadic]) or 2
    return (VECTOR, OTHER, VECTOR / 2, OTHER / 2)[:count], {}


def jax_function(name):
    if name in ("stop", "stop_gradient"):
        return jax.lax.stop_gradient
    if name == "cross_entropy":
        return optax.softmax_cross_entropy
    if name == "identity":  # jax.numpy's is a matrix, and `eye` here
        return jax.nn.identity
    return next(getattr(module, name) for module in MODULES if hasattr(module, name))


def expected(name, arrays, attributes):
    """What JAX's own function says, called as JAX has it."""
    function = jax_function(name)
    match name:
        case "concatenate" | "concat" | "stack":
            return function(arrays)
        case "einsum":
            return function(attributes["subscripts"], *arrays)
        case "zeros" | "ones":
            return function(attributes["shape"])
        case "full":
            return function(attributes["shape"], *arrays)
        case "eye" | "arange":
            return function(attributes["size"])
        case "reshape" | "tile" | "broadcast_to" | "linspace":
            return function(*arrays, *attributes.values())
    return function(*arrays, **attributes)


@pytest.mark.parametrize("name", sorted(name for name, function in ops.functions().items() if not function.host))
def test_meaning_and_type_are_jaxs(name):
    arrays, attributes = sample(name)
    arrays = [jnp.asarray(a, jnp.float32 if np.asarray(a).dtype.kind == "f" else None) for a in arrays]
    op = ops.functions()[name]
    if op.elementwise:
        arrays = [jnp.stack([a, a]) for a in arrays]
    lower = functools.partial(op.lower, attributes)
    found = jax.tree.leaves(jax.eval_shape(lower, *arrays) if name in SLOW else lower(*arrays))
    for ours, theirs in zip(found, [] if name in SLOW else jax.tree.leaves(
            expected(name, arrays, attributes)), strict=name not in SLOW):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6, err_msg=name)
    types = [Array(infer.kind(a.dtype), a.shape) for a in arrays]
    told = op.infer(types, attributes)
    assert [(t.kind, t.shape) for t in told] == [(infer.kind(a.dtype), a.shape) for a in found]


def test_ints_are_int32_whatever_the_width_of_reals(x64):
    for name in ("sum", "argmax", "argsort", "cumsum", "count_nonzero", "prod"):
        assert ops.functions()[name].lower({}, jnp.arange(3, dtype=jnp.int32)).dtype == jnp.int32, name
    assert ops.constant.lower({"value": 2}).dtype == jnp.int32
    assert ops.constant.lower({"value": 2.0}).dtype == jnp.float64
    assert ops.arange.lower({"size": 3}).dtype == jnp.int32
    assert ops.add.lower({}, jnp.asarray(True), jnp.asarray(True)) == 2


# ------------------------------------------------------------------ claims


def biggest_step(function, low, high):
    """The largest gap |f(b) − f(a)| that is left when the neighborhood of the largest is looked at closer and closer:
    0 where f is continuous."""
    for _ in range(4):
        grid = np.linspace(low, high, 301) + 1e-4 * (high - low)
        values = np.asarray(function(grid), float)
        with np.errstate(all="ignore"):
            gaps = np.abs(np.diff(values))
        if not np.isfinite(gaps).any():
            return 0.0
        at = int(np.argmax(np.where(np.isfinite(gaps), gaps, -1)))
        low, high = grid[at], grid[at + 1]
    return gaps[at] if max(abs(values[at]), abs(values[at + 1])) < 100 else 0.0   # else a pole


UNARY = sorted(name for name, op in ops.functions().items() if op.elementwise and name not in SPECIAL
               and len([p for p in op.parameters if not p.optional and not p.static]) == 1 and not op.name.startswith("is")
               and (name not in public(jax.scipy.special) or name in ("erf", "gammaln", "gammasgn", "log_ndtr", "ndtr")))


def test_smoothness_of_functions_of_one_number(x64):
    wrong = []
    for name in UNARY:
        op = ops.functions()[name]
        step = biggest_step(jax.jit(lambda x: jnp.real(op.lower({}, x))), -3.0, 3.0)
        if (step > 0.05) != (op.smoothness(0) == "jump"):
            wrong.append((name, step, op.smoothness(0)))
    assert not wrong


LINEAR = sorted(name for name, op in ops.functions().items() if op.linear)


@pytest.mark.parametrize("name", LINEAR)
def test_linear_groups_are_linear(name):
    arrays, attributes = sample(name)
    op = ops.functions()[name]
    arrays = [jnp.asarray(a) for a in arrays]
    others = [jnp.asarray(RNG.normal(size=a.shape)) if a.dtype != bool else a for a in arrays]
    for group in op.linear:
        group = range(len(arrays)) if group == "all" else group
        def at(a, b):
            return [a * x + b * y if i in group else x for i, (x, y) in enumerate(zip(arrays, others))]
        whole = op.lower(attributes, *at(2.0, -3.0))
        parts = 2.0 * op.lower(attributes, *at(1.0, 0.0)) - 3.0 * op.lower(attributes, *at(0.0, 1.0))
        np.testing.assert_allclose(whole, parts, rtol=1e-3, atol=1e-4)
        assert op.linear_in(group)


RANGED = ["add", "sub", "mul", "neg", "floordiv", "mod", "abs", "maximum", "minimum", "where", "stack"]


@given(st.sampled_from(RANGED), st.data())
@settings(max_examples=150, deadline=None)
def test_ranges_of_ints_hold_the_result(name, data):
    op = OPS[name]
    count = {"where": 3, "neg": 1, "abs": 1}.get(name, 2)
    types, values = [], []
    for place in range(count):
        low = data.draw(st.integers(1 if name in ("floordiv", "mod") and place == 1 else -4, 4))
        high = data.draw(st.integers(low + 1, low + 4))
        if name == "where" and place == 0:
            low, high = 0, 2
        types.append(Array("int", (), Constraint("range", (low, high))))
        values.append(jnp.asarray(data.draw(st.integers(low, high - 1)), jnp.int32))
    (told,) = op.infer(types, {})
    found = np.asarray(op.lower({}, *values))
    if told.bounds is not None:
        assert told.bounds[0] <= found.min() and found.max() < told.bounds[1]


# ------------------------------------------------------------------ types


def told(op, *types, **attributes):
    return " ".join(map(str, op.infer(types, attributes)))


def test_types_with_symbolic_sizes():
    n, m = symbol("n"), symbol("m")

    def real(*shape):
        return Array("real", shape)

    def finite(low, high, *shape):
        return Array("int", shape, Constraint("range", (low, high)))
    assert told(ops.matmul, real(n, m), real(m)) == "real[n]"
    assert told(ops.add, finite(0, 2), finite(0, n)) == "int(0..n + 1)"
    assert told(ops.concat, real(n), real(3)) == "real[n + 3]"
    assert told(ops.index, real(n, 3), INT, pattern=("i", ("slice", 1, None))) == "real[2]"
    assert told(ops.index, real(n), pattern=(("slice", 1, n - 1),)) == "real[n - 2]"
    assert told(ops.reduce, finite(0, 2, n), function="sum") == "int(0..n + 1)"
    assert told(ops.reduce, real(n, 3), function="logsumexp") == "real[3]"
    assert told(ops.argmax, real(n, 3), axis=1) == "int(0..3)[n]"
    assert told(ops.div, INT, INT) == "real" and told(ops.mul, BOOL, BOOL) == "int(0..2)"
    assert told(ops.lt, INT, real(n)) == "bool[n]"
    assert told(ops.constant, value=((1, 2), (3, 4))) == "int(1..5)[2, 2]"


@pytest.mark.parametrize("op, types, attributes, sentence", [
    (ops.add, (Array("real", (3,)), Array("real", (4,))), {}, "`real[3]` meets `real[4]` in `+`"),
    (ops.add, (Array("real", (symbol("n"),)), Array("real", (symbol("m"),))), {}, "nothing says that the sizes are equal"),
    (ops.matmul, (Array("real", (2, 3)), Array("real", (4,))), {}, "the last size of the first is 3"),
    (ops.matmul, (REAL, REAL), {}, "`*` scales"),
    (ops.index, (Array("real", (3,)),), {"pattern": (3,)}, "index 3 is outside of 0..3"),
    (ops.index, (Array("real", (3,)),), {"pattern": (-1,)}, "index -1 is outside of 0..3"),
    (ops.index, (Array("real", (3,)), REAL), {"pattern": ("i",)}, "an index is an int"),
    (ops.index, (REAL, INT), {"pattern": ("i",)}, "has no indices"),
    (ops.where, (REAL, REAL, REAL), {}, "takes a condition, a bool"),
    (ops.pow, (INT, INT), {}, "write a real"),
    (ops.constant, (), {"value": ((1.0,), (1.0, 2.0))}, "one length"),
    (ops.constant, (), {"value": 2**31}, "write a real"),
    (ops.cholesky, (Array("real", (3,)),), {}, "`cholesky` can't be applied to `real[3]`"),
])
def test_type_errors(op, types, attributes, sentence):
    with pytest.raises(TypeError, match=re.escape(sentence)):
        op.infer(types, attributes)


@pytest.mark.parametrize("name, given, named, sentence", [
    ("log", [1, 2], {}, "is given 2 values: `log(x)`"), ("log", [], {}, "takes `x` too"),
    ("sum", [1], {"axs": 0}, "did you mean `axis`?"), ("clip", [1], {"max": 2}, "without `min`"),
    ("log", [1], {"x": 1}, "is given"),
])
def test_calls_that_do_not_fit(name, given, named, sentence):
    with pytest.raises(TypeError, match=re.escape(sentence)):
        ops.functions()[name].bind(given, named)


def test_calls():
    assert ops.clip.bind([1, 2, 3], {}) == ([1, 2, 3], {})
    assert ops.einsum.bind(["ij,j->i", 1, 2], {}) == ([1, 2], {"subscripts": "ij,j->i"})
    assert ops.sum.bind([1], {"axis": 0}) == ([1], {"axis": 0})
    assert ops.roll.bind([1, 2], {}) == ([1], {"shift": 2})


# ------------------------------------------------------------------ index


def test_out_of_bounds_is_nan_and_never_a_neighbor():
    x = jnp.arange(3.0)
    for i in (-1, 3):
        assert jnp.isnan(ops.index.lower({"pattern": ("i",)}, x, jnp.asarray(i)))
    assert ops.index.lower({"pattern": ("i",)}, jnp.arange(3), jnp.asarray(7)) == 2
    gradient = jax.grad(lambda x: jnp.nan_to_num(ops.index.lower({"pattern": ("i",)}, x, jnp.asarray(-1))))(x)
    np.testing.assert_array_equal(gradient, np.zeros(3))


@given(st.lists(st.sampled_from(["i", "all", 0, 1, ("slice", 1, None), ("slice", None, 1), ("slice", 0, 2)]), max_size=3))
@settings(max_examples=40, deadline=None)
def test_index_as_numpy_has_it(pattern):
    x = np.arange(24.0).reshape(2, 3, 4)
    dynamic = [jnp.asarray(k % 2) for k, part in enumerate(pattern) if part == "i"]
    key = tuple(k % 2 if part == "i" else slice(None) if part == "all" else slice(*part[1:]) if isinstance(part, tuple) else part
                for k, part in enumerate(pattern))
    found = ops.index.lower({"pattern": tuple(pattern)}, jnp.asarray(x), *dynamic)
    np.testing.assert_array_equal(found, x[key])
    (told,) = ops.index.infer((Array("real", x.shape), *[INT] * len(dynamic)), {"pattern": tuple(pattern)})
    assert told.shape == found.shape


def test_an_array_of_indices_gathers():
    x, rows = jnp.arange(12.0).reshape(3, 4), jnp.asarray([2, 0])
    np.testing.assert_array_equal(ops.index.lower({"pattern": ("i",)}, x, rows), x[rows])
    np.testing.assert_array_equal(ops.index.lower({"pattern": ("all", "i")}, x, rows), x[:, rows])
    np.testing.assert_array_equal(ops.index.lower({"pattern": ("i", "i")}, x, rows, jnp.asarray(1)), x[rows, 1])
