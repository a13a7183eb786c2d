"""A line is colored exactly if a `stop` on it changes the gradient."""
from dataclasses import replace

import jax
import jax.numpy as jnp
import pytest

import pullback as pb
from pullback.backends.draw.strands import Flow
from pullback.backends.xla.lower import evaluate
from pullback.compiler.ir import Box, Wire
from pullback.compiler.op import Op
from pullback.compiler.type import REAL, Array

PROGRAMS = '''
objective smooth(m: real, s: real, c: real):
    x ~ normal(m, exp(s)) by reparam
    y = sin(x) * c
    return y + x^2 - stop(c * x) + floor(m * 3) + (1.0 if m > 0 else 2.0)

objective mixed(theta: real[4]):
    v ~ normal(sin(theta[0]), 1) by reparam
    k ~ poisson(exp(theta[1])) by reinforce(k = 4, baseline = loo)
    b ~ bernoulli(sigmoid(theta[2])) by enum
    u ~ normal(b * theta[3], 1) by reinforce
    if b == 1:
        f = k * v + theta[3]
    else:
        f = v^2
    return f + u^2 * theta[0]

objective walk(p: real[3], q: real):
    s = 0
    total = 0.0
    for t in 0..5:
        a ~ bernoulli(sigmoid(p[s])) by reinforce
        n ~ normal(q, 1) by reparam
        total = total + s * q - (a + 1) * n
        s = (s + a) % 3
    return total

objective chain(p: real[3, 3], c: real[3]):
    z = 0
    total = 0.0
    for t in 0..4:
        z ~ categorical(logits = p[z]) by enum
        total = total + c[z]^2
    return total

objective bound(m: real, w: real):
    for i in 0..3:
        z ~ normal(m, 1) by reparam
        l[i] = z * w - z^2
    return logsumexp(l)
'''
PARAMETERS = {"smooth": {"m": 0.3, "s": 0.2, "c": 0.7}, "mixed": {"theta": [0.3, 0.4, -0.2, 0.5]},
              "walk": {"p": [0.2, -0.4, 0.6], "q": 0.3},
              "chain": {"p": [[0.2, -0.4, 0.6], [0.1, 0.5, -0.3], [0.0, 0.3, 0.2]], "c": [0.3, -0.6, 1.1]},
              "bound": {"m": 0.3, "w": 0.5}}


def through(attributes, x, on):
    return on * x + (1 - on) * jax.lax.stop_gradient(x)


SWITCH = Op("switch", through, elementwise=True)  # x, with its derivative while `on` is 1


class Switched:
    """A graph with a switch on every line along which a derivative could pass; `lines`: what each is on."""

    def __init__(self, graph, flow):
        self.lines, self.flow, self.names = [], flow, graph.names()
        self.graph = self.write(graph)

    def write(self, graph):
        boxes = []
        for box in graph.boxes:
            inputs = list(box.inputs)
            if box.regions:
                box = box.but(regions=tuple(map(self.write, box.regions)))
            else:
                for place, wire in enumerate(box.inputs):
                    if isinstance(wire.type, Array) and wire.type.kind == "real":
                        on = Wire(f"on_{len(self.lines)}", REAL)
                        inputs[place] = replace(wire, name=self.names.fresh("switched"))
                        boxes.append(Box(SWITCH, (wire, on), (inputs[place],)))
                        self.lines.append((box, place))
            boxes.append(replace(box, inputs=tuple(inputs)))
        return replace(graph, boxes=tuple(boxes))


@pytest.fixture(scope="module")
def program():
    return pb.loads(PROGRAMS)


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_line_has_a_strand_exactly_if_a_stop_on_it_changes_the_gradient(name, program, unoptimized):
    params = jax.tree.map(jnp.asarray, PARAMETERS[name], is_leaf=lambda x: isinstance(x, list))
    graph = program[name].compile().stages(params)["estimator"]
    flow = Flow(graph, [wire for wire in graph.inputs if wire.name in params])
    switched = Switched(graph, flow)

    def gradient(on):
        def value(params):
            given = {f"on_{place}": on[place] for place in range(len(switched.lines))}
            return evaluate(switched.graph, {**params, **given}, jax.random.key(5))[0]
        return jax.grad(value)(params)
    count = len(switched.lines)
    found = jax.jit(jax.vmap(gradient))(jnp.concatenate([jnp.ones((1, count)), 1 - jnp.eye(count)]))
    for place, (box, input) in enumerate(switched.lines):
        changed = max(float(jnp.abs(leaf[0] - leaf[1 + place]).max()) for leaf in jax.tree.leaves(found)) > 1e-5
        assert changed == bool(flow.into(box, input)), f"{box.op.name} {[str(w) for w in box.inputs]}, input {input}"


def test_a_value_and_a_probability_are_told_apart(program):
    graph = program["mixed"].compile().stages({"theta": jnp.zeros(4)})["lift"]
    flow = Flow(graph, graph.inputs)
    into = {box["address"]: {strand for place in range(len(box.inputs)) for strand in flow.into(box, place)}
            for box in graph.boxes if box.op.name == "points"}
    assert into == {"v": {"value"}, "k": {"weight"}, "b": {"weight"}, "u": {"weight"}}
