"""When two diagrams are equal: their connected forms are isomorphic, the boundary fixed.

Wires joined by plain spiders are one node, so that snakes, interchange and fusion hold by construction; a box is a node with
its name, its numbers as linear forms, and its ports in order.  A sum is the multiset of its terms.
"""
from __future__ import annotations

from typing import Any

from pullback.compiler import ops as op
from pullback.compiler.diagrams import build
from pullback.compiler.diagrams.connect import Union
from pullback.compiler.diagrams.numbers import Numbers
from pullback.compiler.ir import Box, Graph


def numbers_of(graph: Graph, box: Box) -> tuple:
    """The numbers of a box, as what is equal for equal numbers."""
    known = Numbers(graph.boxes)
    return tuple(map(known.key, box.inputs[:box.get("numbers", 0)]))


def label(graph: Graph, box: Box) -> str:
    match box.op:
        case op.box:
            record = box.get("gate")
            wires = (*build.inner_inputs(box), *box.outputs)
            turns = box["turns"] % 2 if all(w.type.selfdual for w in wires) else box["turns"]
            return str((box["name"], record.static if record else (), box["dagger"], turns, box.get("derivative"), box.get("word"),
                        box["legs"], numbers_of(graph, box)))
        case op.formal_sum:
            one = Graph((*box.inputs[:box["numbers"]], *build.inner_inputs(box)), (box,), box.outputs)
            return str(key(one.__class__(one.inputs, (*pure(graph), box), one.outputs)))
        case op.bubble:
            return str((box["function"].name, box["order"], key(build.opened(pure(graph), box.regions[0]))))
    return ""


def pure(graph: Graph) -> tuple[Box, ...]:
    return tuple(box for box in graph.boxes if box.op.kind != "diagram")


def network(graph: Graph) -> Any:
    """The connected form as a graph with labelled nodes."""
    import networkx
    union = Union()
    for wire in graph.wires():
        if build.is_object(wire):
            union.find(wire.name)
    for box in graph.boxes:
        if box.op is op.spider:
            union.join(wire.name for wire in (*box.inputs, *box.outputs))
    found = networkx.Graph()
    for wire in graph.wires():
        if build.is_object(wire):
            at = ("class", union.find(wire.name))
            found.add_node(at, label=found.nodes[at]["label"] if at in found else f"class {wire.type.name} {wire.type.size}")

    def port(owner: Any, name: str, wire: Any) -> None:
        node = (owner, name)
        found.add_node(node, label=f"port {name}")
        found.add_edge(owner, node)
        found.add_edge(node, ("class", union.find(wire.name)))
    for at, box in enumerate(graph.boxes):
        if box.op.kind == "diagram" and box.op is not op.spider:
            found.add_node(at, label=f"box {label(graph, box)}")
            for i, wire in enumerate(build.inner_inputs(box)):
                port(at, f"in {i}", wire)
            for i, wire in enumerate(box.outputs):
                port(at, f"out {i}", wire)
    for side, wires in (("domain", build.entering(graph)), ("codomain", graph.outputs)):
        found.add_node(side, label=side)
        for i, wire in enumerate(wires):
            port(side, f"{i}", wire)
    return found


def term_key(graph: Graph) -> str:
    import networkx
    return networkx.weisfeiler_lehman_graph_hash(network(graph), node_attr="label", iterations=6)


def key(graph: Graph) -> Any:
    """What equal diagrams have in common; different diagrams differ in it but for rare cases, which `equal` tells apart."""
    found: dict[str, float] = {}
    for c, term in build.summands(graph):
        at = term_key(term)
        found[at] = found.get(at, 0.0) + c
    return tuple(sorted((at, round(float(c), 10)) for at, c in found.items() if abs(c) > 1e-12))


def same_term(a: Graph, b: Graph) -> bool:
    import networkx
    if build.domain(a) != build.domain(b) or build.codomain(a) != build.codomain(b):
        return False
    left, right = network(a), network(b)
    return networkx.is_isomorphic(left, right, node_match=lambda x, y: x["label"] == y["label"])


def equal(a: Graph, b: Graph) -> bool:
    """Are two diagrams the same?"""
    if (build.domain(a), build.codomain(a)) != (build.domain(b), build.codomain(b)) or key(a) != key(b):
        return False
    left, right = collected(build.summands(a)), collected(build.summands(b))
    for c, term in left:
        at = next((i for i, (d, other) in enumerate(right) if abs(c - d) < 1e-10 and same_term(term, other)), None)
        if at is None:
            return False
        del right[at]
    return not right


def collected(terms: list[tuple[float, Graph]]) -> list[tuple[float, Graph]]:
    """Like terms added; those that cancel are gone."""
    groups: dict[str, list[list[Any]]] = {}
    order: list[list[Any]] = []
    for c, term in terms:
        group = groups.setdefault(term_key(term), [])
        for found in group:
            if same_term(found[1], term):
                found[0] += c
                break
        else:
            group.append([c, term])
            order.append(group[-1])
    return [(c, term) for c, term in order if abs(c) > 1e-12]
