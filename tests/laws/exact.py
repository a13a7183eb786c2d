"""The meaning of a program, slowly: every combination of every choice, in plain Python.

    exact(text, {"p": 0.3})  ⇒  Σ over all paths of Π probabilities · value, and its gradient

It walks the syntax tree and shares nothing with the compiler but the parser.  A choice on a path is a branching of the whole
run: the run is repeated with the next combination until all are done.  A `normal` is replaced by the nodes of Gauss-Hermite
quadrature, which is exact for polynomials of degree 2·NODES − 1 in it.  The call of an objective is the number that it denotes,
the sum over all its own paths, and so is a marginal; a loop by `subsample` is the whole loop.  The gradient is a central difference of order 4 in
float64: every number is an array over the shifted parameters, so that one run serves all of them.
"""
from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any, Mapping

import numpy as np

from pullback.compiler.source import Source
from pullback.dsl import syntax as tree
from pullback.dsl.parse import parse

NODES = 12
STEP = 1e-3


class TooMany(Exception):
    """More paths than were allowed."""


def exact(text: str, params: Mapping[str, Any], name: str = "f", most: int = 100_000, **data: Any) -> tuple[float, np.ndarray]:
    """The value of an objective and its gradient, flat, the parameters in the order of their names."""
    params = {key: np.asarray(value, float) for key, value in sorted(params.items())}
    size = sum(value.size for value in params.values())
    flat = np.concatenate([value.ravel() for value in params.values()])
    shifts = [flat] + [flat + k * STEP * row for row in np.eye(size) for k in (-2, -1, 1, 2)]
    columns, start, given = np.array(shifts).T, 0, {}
    for key, value in params.items():
        part = columns[start:start + value.size]
        given[key] = nested(part, value.shape)
        start += value.size
    given |= {key: nested_data(np.asarray(value)) for key, value in data.items()}
    declared = {d.name: d for d in parse(Source("program", text)).declarations}
    total = expected(declared, lambda run: run.call(declared[name], given), most) + np.zeros(len(shifts))
    stencil = total[1:].reshape(size, 4) @ np.array([1, -8, 8, -1]) / (12 * STEP)
    return float(total[0]), stencil


def expected(declared: Mapping[str, Any], value: Any, most: int = 100_000) -> Any:
    """Σ over all paths of what `value` gives on a run, times the path's probability."""
    total: Any = 0.0
    paths, path = 0, []
    while path is not None:
        run = Run(declared, path)
        found = value(run)
        total = total + run.weight * found
        path, paths = run.next(), paths + 1
        if paths > most:
            raise TooMany(f"more than {most} paths")
    return total


def nested(columns: np.ndarray, shape: tuple[int, ...]) -> Any:
    """Lists of shape `shape`, whose elements are arrays over the shifts."""
    if not shape:
        return columns[0]
    return [nested(part, shape[1:]) for part in np.split(columns, shape[0])]


def nested_data(array: np.ndarray) -> Any:
    return [nested_data(row) for row in array] if array.ndim else array.item()


@dataclass
class Scope:
    """The names of one call; as a model it scores a trace (all choices but those `over` which it is summed), or fills one."""

    names: dict[str, Any]
    scored: Mapping[str, Any] | None = None
    trace: dict[str, Any] = field(default_factory=dict)
    density: Any = 0.0
    loops: list[int] = field(default_factory=list)
    over: frozenset[str] = frozenset()


class Run:
    """One path."""

    def __init__(self, declared: Mapping[str, Any], path: list[int]):
        self.declared, self.path, self.sizes, self.weight = declared, path, [], 1.0

    def choose(self, probabilities: list[Any]) -> int:
        place = len(self.sizes)
        self.sizes.append(len(probabilities))
        if place == len(self.path):
            self.path.append(0)
        self.weight = self.weight * probabilities[self.path[place]]
        return self.path[place]

    def next(self) -> list[int] | None:
        """The path after this one, as on an odometer."""
        path = self.path[:len(self.sizes)]
        while path and path[-1] + 1 == self.sizes[len(path) - 1]:
            path.pop()
        return [*path[:-1], path[-1] + 1] if path else None

    # ------------------------------------------------------------ statements

    def call(self, declaration: Any, arguments: Mapping[str, Any]) -> Any:
        return self.block(declaration.body, Scope(dict(arguments)))

    def block(self, body: tuple, scope: Scope) -> Any:
        for statement in body:
            match statement:
                case tree.Assign(target=target, value=value):
                    self.assign(target, self.value(value, scope), scope)
                case tree.Draw():
                    self.draw(statement, scope)
                case tree.For(binders=binders, body=inner):
                    for values in itertools.product(*(self.range(b.domain, scope) for b in binders)):
                        scope.names.update({b.names[0]: v for b, v in zip(binders, values)})
                        scope.loops.append(values[-1])
                        self.block(inner, scope)
                        scope.loops.pop()
                case tree.If(arms=arms, otherwise=otherwise):
                    taken = next((arm.body for arm in arms if self.value(arm.condition, scope)), otherwise)
                    self.block(taken, scope)
                case tree.Return(value=value):
                    return self.value(value, scope)
                case _:
                    raise NotImplementedError(type(statement).__name__)

    def range(self, domain: Any, scope: Scope) -> range:
        return range(self.value(domain.start, scope), self.value(domain.stop, scope))

    def assign(self, target: Any, value: Any, scope: Scope) -> None:
        if isinstance(target, tree.Name):
            scope.names[target.name] = value
        else:
            array = scope.names.setdefault(target.value.name, [])
            place = self.value(target.indices[0], scope)
            if place == len(array):
                array.append(value)
            else:
                array[place:place + 1] = [value]

    def draw(self, statement: tree.Draw, scope: Scope) -> None:
        call = statement.value
        name = statement.target.name if isinstance(statement.target, tree.Name) else statement.target.value.name
        declaration = self.declared.get(call.function.name)
        if declaration is not None:
            inner = Scope(self.arguments(declaration, call, scope))
            self.block(declaration.body, inner)
            value = inner.trace
        elif scope.scored is not None and name not in scope.over:
            value = scope.scored[name]
            for place in scope.loops:
                value = value[place]
            scope.density = scope.density + self.log_probability(call, value, scope)
        else:
            values, probabilities = self.support(call, scope)
            value = values[self.choose(probabilities)]
            if scope.loops:
                scope.trace.setdefault(name, []).append(value)
            else:
                scope.trace[name] = value
        self.assign(statement.target, value, scope)

    # ------------------------------------------------------------ distributions

    def support(self, call: tree.Call, scope: Scope) -> tuple[list[Any], list[Any]]:
        given = {a.name or place: self.value(a.value, scope) for place, a in enumerate(call.arguments)}
        match call.function.name:
            case "bernoulli":
                p = sigmoid(given["logits"]) if "logits" in given else given.get("probs", given.get(0))
                return [0, 1], [1 - p, p]
            case "categorical":
                p = given.get("probs", given.get(0))
                if "logits" in given:
                    top = np.log(sum(np.exp(v) for v in given["logits"]))
                    p = [np.exp(v - top) for v in given["logits"]]
                return list(range(len(p))), p
            case "normal":
                nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
                mean, deviation = (given.get(key, given.get(place)) for place, key in enumerate(("loc", "scale")))
                return [mean + deviation * n for n in nodes], list(weights / weights.sum())
        raise NotImplementedError(call.function.name)

    def log_probability(self, call: tree.Call, value: Any, scope: Scope) -> Any:
        if call.function.name == "normal":
            mean, deviation = (self.value(a.value, scope) for a in call.arguments)
            return -0.5 * ((value - mean) / deviation) ** 2 - np.log(deviation) - 0.5 * np.log(2 * np.pi)
        values, probabilities = self.support(call, scope)
        return np.log(probabilities[values.index(value)])

    # ------------------------------------------------------------ expressions

    def value(self, e: Any, scope: Scope) -> Any:
        match e:
            case tree.Number(value=value) | tree.Boolean(value=value):
                return value
            case tree.Name(name=name):
                return scope.names[name]
            case tree.Negative(value=inner):
                return lifted(lambda a: -a, self.value(inner, scope))
            case tree.Not(value=inner):
                return not self.value(inner, scope)
            case tree.Chain(operands=operands, operators=operators):
                return self.chain([self.value(o, scope) for o in operands], operators)
            case tree.Compare(operands=operands, operators=operators):
                values = [self.value(o, scope) for o in operands]
                return all(COMPARE[o](a, b) for o, a, b in zip(operators, values, values[1:]))
            case tree.Conditional(value=value, condition=condition, otherwise=otherwise):
                return self.value(value if self.value(condition, scope) else otherwise, scope)
            case tree.Dot(value=inner, field=name):
                return self.value(inner, scope)[name]
            case tree.Index(value=inner, indices=(index,)):
                return self.value(inner, scope)[self.value(index, scope)]
            case tree.List(items=items):
                return [self.value(item, scope) for item in items]
            case tree.Record(entries=entries):
                return self.record(entries, scope)
            case tree.Comprehension(body=body, binders=binders):
                return self.each(body, binders, scope)
            case tree.Reduction(function=function, binders=binders, body=body):
                return FUNCTIONS[function](self.each(body, binders, scope))
            case tree.Call():
                return self.called(e, scope)
        raise NotImplementedError(type(e).__name__)

    @staticmethod
    def chain(values: list[Any], operators: tuple[str, ...]) -> Any:
        if operators[0] == "^":
            result = values[-1]
            for value in reversed(values[:-1]):
                result = lifted(lambda a, b: a ** b, value, result)
            return result
        result = values[0]
        for operator, value in zip(operators, values[1:]):
            result = lifted(CHAIN[operator], result, value)
        return result

    def each(self, body: Any, binders: tuple, scope: Scope) -> list[Any]:
        found = []
        for values in itertools.product(*(self.range(b.domain, scope) for b in binders)):
            inner = Scope({**scope.names, **{b.names[0]: v for b, v in zip(binders, values)}})
            found.append(self.value(body, inner))
        return found

    def record(self, entries: tuple, scope: Scope) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for entry in entries:
            value = self.value(entry.value, scope)
            if entry.name is None and isinstance(value, dict):
                found |= value
            else:
                found[entry.name or entry.value.name] = value
        return found

    def arguments(self, declaration: Any, call: tree.Call, scope: Scope) -> dict[str, Any]:
        names = [p.name for p in declaration.parameters]
        return {a.name or names[place]: self.value(a.value, scope) for place, a in enumerate(call.arguments)}

    def called(self, e: tree.Call, scope: Scope) -> Any:
        name = e.function.name
        if name == "logp":
            model, trace = (a.value for a in e.arguments)
            return self.scored(model, self.value(trace, scope), scope, frozenset())
        if name in self.declared:
            declaration, given = self.declared[name], self.arguments(self.declared[name], e, scope)
            if isinstance(declaration, tree.Objective):
                return expected(self.declared, lambda run: run.call(declaration, given))
            return self.call(declaration, given)
        return FUNCTIONS[name](*(self.value(a.value, scope) for a in e.arguments))


    def scored(self, model: tree.Call, trace: Any, scope: Scope, over: frozenset[str]) -> Any:
        """The log density of a model at a trace, summed over its choices `over`."""
        declaration = self.declared[model.function.name]
        given = self.arguments(declaration, model, scope)
        if isinstance(declaration.value, tree.Marginalize):
            outer = declaration.value
            return self.scored(outer.model, trace, Scope(given), over | set(outer.names))

        def density(run: Run) -> Any:
            inner = Scope(dict(given), scored=trace, over=over)
            run.block(declaration.body, inner)
            return np.exp(inner.density) if over else inner.density
        return np.log(expected(self.declared, density)) if over else density(self)


def lifted(f: Any, *values: Any) -> Any:
    """f on numbers, element by element on lists."""
    if any(isinstance(v, list) for v in values):
        n = next(len(v) for v in values if isinstance(v, list))
        return [lifted(f, *(v[i] if isinstance(v, list) else v for v in values)) for i in range(n)]
    return f(*values)


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-np.asarray(x, float)))


def reduce(f: Any) -> Any:
    return lambda *values: f(values[0] if isinstance(values[0], list) else values)


def elementwise(f: Any) -> Any:
    return lambda x: lifted(lambda a: f(np.asarray(a, float)), x)


def largest(values: Any) -> Any:
    result = values[0]
    for value in values[1:]:
        result = np.maximum(result, value)
    return result


CHAIN = {"+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "/": lambda a, b: a / b,
         "//": lambda a, b: a // b, "%": lambda a, b: a % b, "and": lambda a, b: a and b, "or": lambda a, b: a or b}
COMPARE = {"==": lambda a, b: a == b, "!=": lambda a, b: a != b, "<": lambda a, b: a < b, "<=": lambda a, b: a <= b,
           ">": lambda a, b: a > b, ">=": lambda a, b: a >= b}
FUNCTIONS = {
    "sigmoid": elementwise(sigmoid), "exp": elementwise(np.exp), "sin": elementwise(np.sin), "cos": elementwise(np.cos),
    "tanh": elementwise(np.tanh), "sqrt": elementwise(np.sqrt), "log": elementwise(np.log), "sum": reduce(sum), "max": reduce(largest),
    "mean": reduce(lambda v: sum(v) / len(v)), "prod": reduce(lambda v: np.prod(np.array(v, float), axis=0)),
    "logsumexp": reduce(lambda v: np.log(sum(np.exp(a) for a in v)))}
