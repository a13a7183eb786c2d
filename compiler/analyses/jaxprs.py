"""Is a JAX function continuous in its arguments?  Its jaxpr is walked, calls opened.

Each value has two facts: the arguments that it follows continuously, and those in which it may jump, with the reason.

    exp, +, @, sort, …          follow what their operands follow
    <, floor, argmax, to int    jump in what their operands follow
    a if p < q else b           no jump where both branches are the same at p = q (`boundary.py`)
    tests for NaN and infinity  count as false
    jit of a function offered   asks the op, if the jaxpr inside is the op's own (`softplus`, `ndtr` hold a choice)
    all else                    a jump
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Hashable, Mapping, Sequence

import jax
import numpy as np

from pullback.compiler import ops
from pullback.compiler.analyses.boundary import Step, agree
from pullback.compiler.ops.infer import DTYPES
from pullback.compiler.type import Array, Params, Type

ELEMENTWISE = set("""
    neg add sub mul div exp exp2 log log1p expm1 sin cos tan tanh sinh cosh asin acos atan asinh acosh atanh logistic sqrt
    rsqrt cbrt pow integer_pow square erf erfc erf_inv lgamma digamma polygamma igamma igammac regularized_incomplete_beta
    bessel_i0e bessel_i1e zeta real imag complex conj copy add_any max min abs clamp igamma_grad_a random_gamma_grad
    select_n""".split())
CONTINUOUS = ELEMENTWISE | set("""
    dot_general conv_general_dilated reduce_sum reduce_prod reduce_max reduce_min cumsum cumprod cummax cummin cumlogsumexp
    broadcast_in_dim reshape transpose squeeze expand_dims concatenate slice pad rev triangular_solve cholesky lu eigh svd qr
    fft reduce_window_sum reduce_window_max reduce_window_min reduce_precision split scatter scatter_add scatter-add
    scatter_mul scatter_max scatter_min gather dynamic_slice dynamic_update_slice select_and_scatter_add iota atan2_""".split())
INDEXED = {"gather": 1, "scatter": 1, "scatter_add": 1, "scatter-add": 1, "scatter_mul": 1, "scatter_max": 1,
           "scatter_min": 1, "dynamic_slice": 1, "dynamic_update_slice": 2}  # from which operand on (indices are ints)
COMPARISONS = {"lt", "le", "gt", "ge", "eq", "ne", "lt_to", "le_to"}
CALLS = {"jit", "pjit", "closed_call", "core_call", "custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr",
         "checkpoint", "remat", "remat2", "custom_lin"}
REASONS = {"argmax": "an `argmax`", "argmin": "an `argmin`", "floor": "a `floor`", "ceil": "a `ceil`", "sign": "a `sign`",
           "round": "a `round`", "rem": "a remainder", "convert_element_type": "a conversion to int",
           "while": "a loop whose end depends on it", "cond": "a branch that depends on it", "atan2": "an `arctan2`"}


@dataclass(frozen=True, slots=True)
class Fact:
    """follows: arguments that the value follows continuously; jumps: argument → why it may jump in it."""

    follows: frozenset[int] = frozenset()
    jumps: Mapping[int, str] = field(default_factory=dict)


NOTHING = Fact()


def joined(facts: Sequence[Fact]) -> Fact:
    jumps: dict[int, str] = {}
    for fact in facts:
        jumps = {**fact.jumps, **jumps}
    return Fact(frozenset().union(*(fact.follows for fact in facts)), jumps)


def broken(fact: Fact, reason: str) -> Fact:
    """What followed continuously may now jump."""
    return Fact(frozenset(), {**{argument: reason for argument in fact.follows}, **fact.jumps})


def continuity(function: Callable, types: Sequence[Type]) -> tuple[str | None, ...] | None:
    """For each argument why the function may jump in it (None: it does not); None if JAX can't trace the function."""
    try:
        trees = [abstract(type) for type in types]
        closed = jax.make_jaxpr(function)(*trees)
    except Exception:  # whatever the function raises, it can't be looked into
        return None
    places = [place for place, tree in enumerate(trees) for _ in jax.tree.leaves(tree)]
    outputs = walk(closed, [Fact(frozenset({place})) for place in places])
    jumps = joined(outputs).jumps if outputs else {}
    return tuple(jumps.get(place) for place in range(len(types)))


def abstract(type: Type) -> Any:
    if isinstance(type, Array):
        return jax.ShapeDtypeStruct(type.shape, DTYPES[type.kind])
    if isinstance(type, Params) and type.tree is not None:
        return jax.tree.map(abstract, type.tree, is_leaf=lambda leaf: isinstance(leaf, Array))
    raise TypeError(f"the shapes of `{type}` are not known")


def walk(closed: Any, facts: Sequence[Fact]) -> list[Fact]:
    """The facts of a jaxpr's outputs, from those of its inputs."""
    walker = Walker()
    return [walker.fact(node) for node in walker.run(closed.jaxpr, [walker.new(fact) for fact in facts], closed.consts)]


class Walker:
    """Nodes are numbers, one for each value however often its jaxpr is called; a literal is a tuple ("literal", value)."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.made: dict[Hashable, tuple[Any, tuple]] = {}   # node → (equation or name, operands)
        self.shapes: dict[Hashable, tuple] = {}
        self.truth: dict[Hashable, bool] = {}               # conditions that count as known
        self.compared: dict[Hashable, tuple] = {}           # a condition → the two sides that it compares

    def new(self, fact: Fact) -> int:
        self.facts.append(fact)
        return len(self.facts) - 1

    def fact(self, node: Hashable) -> Fact:
        return self.facts[node] if isinstance(node, int) else NOTHING

    def run(self, jaxpr: Any, inputs: Sequence[Hashable], consts: Sequence[Any]) -> list[Hashable]:
        env: dict[Any, Hashable] = dict(zip(jaxpr.invars, inputs))
        for var, const in zip(jaxpr.constvars, consts):
            env[var] = ("literal", float(const)) if np.ndim(const) == 0 and np.isreal(const) else self.new(NOTHING)

        def read(var: Any) -> Hashable:
            if hasattr(var, "val"):
                return ("literal", float(var.val)) if np.ndim(var.val) == 0 and np.isreal(var.val) else self.new(NOTHING)
            return env[var]
        for equation in jaxpr.eqns:
            operands = tuple(map(read, equation.invars))
            outputs = self.equation(equation, operands)
            for var, node in zip(equation.outvars, outputs):
                env[var] = node
                self.shapes[node] = getattr(var.aval, "shape", ())
        return [read(var) for var in jaxpr.outvars]

    def equation(self, equation: Any, operands: tuple) -> list[Hashable]:
        name, params, count = equation.primitive.name, equation.params, len(equation.outvars)
        facts = [self.fact(operand) for operand in operands]
        together = joined(facts)
        if name in CALLS:
            return self.call(equation, operands)
        if name in ("scan", "while", "cond"):
            return [self.new(fact) for fact in getattr(self, f"{name}_")(params, facts, count)]
        if name == "stop_gradient":
            return self.make(equation, operands, [NOTHING])
        if name in COMPARISONS or name in ("is_finite", "and", "or", "not"):
            return self.condition(equation, operands, together)
        if name == "select_n":
            return self.select(equation, operands)
        if name in ("sort", "top_k"):
            found = [together, *[broken(together, "the order of a `sort`")] * (count - 1)]
        elif name in INDEXED:
            first = INDEXED[name]
            found = [joined([*facts[:1], *facts[2:], broken(facts[1], "an index")]) if first == 1
                     else joined([*facts[:2], broken(joined(facts[2:]), "an index")])] * count
        elif name == "convert_element_type" and np.issubdtype(params["new_dtype"], np.inexact) or name in CONTINUOUS:
            found = [together] * count
        elif not together.follows and not together.jumps:
            found = [NOTHING] * count
        else:
            found = [broken(together, REASONS.get(name, f"`{name}`, of which nothing is known"))] * count
        nodes = self.make(equation, operands, found)
        if name in ("broadcast_in_dim", "reshape", "squeeze", "convert_element_type", "copy"):
            for known in (self.truth, self.compared):
                if operands[0] in known:
                    known[nodes[0]] = known[operands[0]]
        return nodes

    def make(self, equation: Any, operands: tuple, facts: Sequence[Fact]) -> list[Hashable]:
        nodes = []
        for place, (var, fact) in enumerate(zip(equation.outvars, facts)):
            if not np.issubdtype(getattr(var.aval, "dtype", np.float32), np.inexact):
                fact = broken(fact, REASONS["convert_element_type"])
            node = self.new(fact)
            self.made[node] = (equation, (place, *operands))
            nodes.append(node)
        return nodes

    def call(self, equation: Any, operands: tuple) -> list[Hashable]:
        """A call is opened; one of a function that is offered is believed to be what its op says."""
        jaxpr, consts = inside(equation)
        op = own(called(equation), jaxpr, equation.invars)
        if op is None:
            return self.run(jaxpr, operands, consts)
        found = joined([self.fact(operand) for operand in operands])
        return self.make(equation, operands, [found] * len(equation.outvars))

    def condition(self, equation: Any, operands: tuple, together: Fact) -> list[Hashable]:
        (node,) = self.make(equation, operands, [broken(together, "a comparison")])
        name, known = equation.primitive.name, [self.truth.get(operand) for operand in operands]
        if name == "is_finite":
            self.truth[node] = True
        elif name == "ne" and operands[0] == operands[1] or name == "eq" and any(map(infinite, operands)):
            self.truth[node] = False
        elif name == "not" and known[0] is not None:
            self.truth[node] = not known[0]
        elif name in ("and", "or") and None not in known:
            self.truth[node] = all(known) if name == "and" else any(known)
        elif name in ("and", "or") and (name == "or") in known:
            self.truth[node] = name == "or"
        elif name in ("and", "or") and (name == "and") in known:
            other = operands[1 - known.index(name == "and")]
            self.facts[node] = self.fact(other)
            if other in self.compared:
                self.compared[node] = self.compared[other]
        elif name == "not" and operands[0] in self.compared:
            self.compared[node] = self.compared[operands[0]]
        elif name in COMPARISONS:
            self.compared[node] = operands
        if node in self.truth:
            self.facts[node] = NOTHING
        return [node]

    def select(self, equation: Any, operands: tuple) -> list[Hashable]:
        which, *cases = operands
        if which in self.truth and len(cases) == 2:
            chosen = cases[self.truth[which]]
            return self.make(equation, operands, [self.fact(chosen)])
        condition = self.fact(which)
        if which in self.compared and len(cases) == 2 and agree(self.view, *self.compared[which], *cases):
            condition = Fact(frozenset(), joined([self.fact(side) for side in self.compared[which]]).jumps)
        return self.make(equation, operands, [joined([*map(self.fact, cases), condition])])

    def view(self, node: Hashable) -> Step | float | None:
        """What stands behind a node, for `agree`."""
        if isinstance(node, tuple):
            return node[1]
        if node not in self.made:
            return None
        equation, (place, *operands) = self.made[node]
        name, params = equation.primitive.name, equation.params
        if name in ("copy", "stop_gradient") or name == "convert_element_type" and np.issubdtype(
                params["new_dtype"], np.inexact):
            return Step("same", tuple(operands))
        if name in ("broadcast_in_dim", "reshape", "squeeze", "expand_dims") and (
                isinstance(operands[0], tuple) or int(np.prod(self.shapes.get(operands[0], (0,)) or (1,))) == 1):
            return Step("same", tuple(operands))
        if name == "select_n" and len(operands) == 3:
            which, no, yes = operands
            if which in self.truth:
                return Step("same", (yes if self.truth[which] else no,))
            return Step("select", (which, yes, no))
        if name == "integer_pow":
            return Step("pow", (operands[0], ("literal", float(params["y"]))))
        if name == "square":
            return Step("mul", (operands[0], operands[0]))
        reach = name in ELEMENTWISE or name in COMPARISONS or name in CALLS and offered(called(equation)).elementwise
        return Step({"add_any": "add"}.get(name, name), tuple(operands), (place, str(params)), reach,
                    folding(equation) if reach and name not in CALLS else None)

    def scan_(self, params: Mapping[str, Any], facts: list[Fact], count: int) -> list[Fact]:
        consts, carries = params["num_consts"], params["num_carry"]
        carry = facts[consts:consts + carries]
        while True:
            outputs = walk(params["jaxpr"], [*facts[:consts], *carry, *facts[consts + carries:]])
            now = [joined(pair) for pair in zip(carry, outputs[:carries])]
            if all(a.follows == b.follows and set(a.jumps) == set(b.jumps) for a, b in zip(now, carry)):
                return [*now, *outputs[carries:]]
            carry = now

    def while_(self, params: Mapping[str, Any], facts: list[Fact], count: int) -> list[Fact]:
        conditions, bodies = params["cond_nconsts"], params["body_nconsts"]
        carry = facts[conditions + bodies:]
        while True:
            (goes_on,) = walk(params["cond_jaxpr"], [*facts[:conditions], *carry])
            ends = broken(goes_on, REASONS["while"])
            outputs = walk(params["body_jaxpr"], [*facts[conditions:conditions + bodies], *carry])
            now = [joined([a, b, Fact(frozenset(), {k: REASONS["while"] for k in ends.jumps})])
                   for a, b in zip(carry, outputs)]
            if all(a.follows == b.follows and set(a.jumps) == set(b.jumps) for a, b in zip(now, carry)):
                return now
            carry = now

    def cond_(self, params: Mapping[str, Any], facts: list[Fact], count: int) -> list[Fact]:
        index = Fact(frozenset(), {k: REASONS["cond"] for k in broken(facts[0], "").jumps})
        sides = [walk(branch, facts[1:]) for branch in params["branches"]]
        return [joined([index, *outputs]) for outputs in zip(*sides)]


def infinite(node: Hashable) -> bool:
    return isinstance(node, tuple) and np.isinf(node[1])


def folding(equation: Any) -> Callable[..., float]:
    """The value of an elementwise primitive at numbers."""
    return lambda *numbers: float(equation.primitive.bind(*(np.float32(number) for number in numbers), **equation.params))


def inside(equation: Any) -> tuple[Any, Sequence[Any]]:
    """The jaxpr that an equation calls, and its constants."""
    inner = next(p for p in equation.params.values() if hasattr(p, "eqns") or hasattr(p, "jaxpr"))
    return (inner.jaxpr, inner.consts) if hasattr(inner, "jaxpr") else (inner, ())


def called(equation: Any) -> str | None:
    """The name of the function that an equation calls."""
    known = getattr(inside(equation)[0], "debug_info", None)
    return equation.params.get("name") or getattr(known, "func_name", None)


def offered(name: str | None) -> Any:
    """The op of the function that JAX jits under this name (some with an underscore before it)."""
    return ops.functions().get(name.lstrip("_")) if name else None


def own(name: str | None, jaxpr: Any, operands: Sequence[Any]) -> Any:
    """The op of a call, if the jaxpr inside is what the op itself gives for such operands."""
    op = offered(name)
    if op is None or op.lower is None or "jump" in op.smooth:
        return None
    given = [jax.ShapeDtypeStruct(var.aval.shape, var.aval.dtype, weak_type=var.aval.weak_type) for var in operands]
    for attributes in ({}, *({"axis": axis} for p in op.parameters if p.name == "axis" for axis in range(-1, 3))):
        try:
            equations = jax.make_jaxpr(lambda *xs: op.lower(attributes, *xs))(*given).eqns
        except Exception:  # the op is not for such operands
            continue
        if any(e.primitive.name in CALLS and called(e) == name and str(inside(e)[0]) == str(jaxpr) for e in equations):
            return op
    return None
