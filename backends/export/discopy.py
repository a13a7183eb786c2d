"""Diagrams to and from DisCoPy.

Circuits (all wires qubits and bits) are `discopy.quantum` circuits; all else `discopy.rigid` diagrams, or
`discopy.frobenius` ones where there are spiders or swaps (there n.l and n.r are one).  Angles are full turns in both.
"""
from __future__ import annotations

from functools import reduce
from typing import Any, Mapping, Sequence

from pullback.backends.export.circuits import Values, is_circuit, refuse
from pullback.compiler import gate as gates
from pullback.compiler import ops as op
from pullback.compiler.diagnostic import ArgumentError
from pullback.compiler.diagrams import build
from pullback.compiler.diagrams.numbers import constant
from pullback.compiler.diagrams.order import Step, steps
from pullback.compiler.ir import Box, Graph, Wire
from pullback.compiler.type import Object

PLAIN = {"H", "X", "Y", "Z", "S", "T", "CX", "CZ"}
TURNED = {"Rx", "Ry", "Rz", "U1", "CRx", "CRz", "CU1"}


def installed() -> Any:
    try:
        import discopy
    except ImportError:
        raise ArgumentError("this needs DisCoPy: pip install discopy") from None
    return discopy


def to_discopy(graph: Graph, known: Mapping[str, Any]) -> Any:
    """The diagram in DisCoPy.  known: its parameters' values."""
    installed()
    terms = build.summands(graph)
    if len(terms) == 1 and terms[0][0] == 1:
        found = steps(graph)
        writer: Any = Circuit(graph, known) if is_circuit(graph) else Rigid(graph, known, found)
        return writer.whole(found)
    if not is_circuit(graph):
        raise ArgumentError("sums of diagrams that are no circuits have no coefficients in DisCoPy")
    from discopy.quantum.gates import scalar
    return reduce(lambda a, b: a + b, [to_discopy(term, known) @ scalar(c) for c, term in terms])


class Rigid:
    """Types, words and boxes, cups and caps."""

    def __init__(self, graph: Graph, known: Mapping[str, Any], found: Sequence[Step]):
        from discopy import frobenius, rigid
        boxes = [step.box for step in found]
        plain = all(box is not None and (box.op is not op.spider or len(wires(box)) == 2) for box in boxes)
        self.graph, self.values, self.module, self.rigid = graph, Values(graph, known), rigid if plain else frobenius, plain

    def type(self, atoms: Sequence[Object]) -> Any:
        found = self.module.Ty()
        for atom in atoms:
            one = self.module.Ty(str(atom.turned(-atom.z)))
            for _ in range(abs(atom.z)):
                one = one.r if atom.z > 0 else one.l
            found = found @ one
        return found

    def whole(self, found: Sequence[Step]) -> Any:
        diagram = self.module.Id(self.type(build.domain(self.graph)))
        for step in found:
            before = step.before
            count = 2 if step.box is None else len(build.inner_inputs(step.box))
            left, right = before[:step.place], before[step.place + count:]
            middle = self.swap(before[step.place:step.place + 2]) if step.box is None else self.box(step.box)
            diagram = diagram >> self.module.Id(self.types(left)) @ middle @ self.module.Id(self.types(right))
        return diagram

    def types(self, found: Sequence[Wire]) -> Any:
        return self.type([wire.type for wire in found])

    def swap(self, pair: Sequence[Wire]) -> Any:
        return self.module.Swap(self.types(pair[:1]), self.types(pair[1:]))

    def box(self, box: Box) -> Any:
        if box.op is op.spider:
            ins, outs = box.inputs, box.outputs
            if len(ins) == 2 and not outs:
                return self.module.Cup(self.types(ins[:1]), self.types(ins[1:]))
            if len(outs) == 2 and not ins:
                return self.module.Cap(self.types(outs[:1]), self.types(outs[1:]))
            if self.rigid:
                return self.module.Id(self.types(ins))
            return self.module.Spider(len(ins), len(outs), self.type([wires(box)[0].type]))
        if box.op is not op.box or box.get("derivative") is not None:
            raise refuse(box, "DisCoPy")
        one = Graph((*box.inputs[:box["numbers"]], *build.inner_inputs(box)), (box,), box.outputs)
        back = build.flipped(one, box["dagger"], -box["turns"])
        data = [self.values.of(wire) for wire in box.inputs[:box["numbers"]]]
        made = self.module.Box(box["name"], self.type(build.domain(back)), self.type(build.codomain(back)), data=data or None)
        made = made.dagger() if box["dagger"] else made
        for _ in range(box["turns"]):
            made = made.rotate() if hasattr(made, "rotate") else made.r
        return made


class Circuit(Rigid):
    """Gates, measurements, cups and caps of qubits."""

    def __init__(self, graph: Graph, known: Mapping[str, Any]):
        from discopy import quantum
        self.graph, self.values, self.module, self.rigid = graph, Values(graph, known), quantum, True

    def type(self, atoms: Sequence[Object]) -> Any:
        from discopy.quantum import bit, qubit
        return reduce(lambda a, b: a @ b, [qubit if atom.name == "qubit" else bit for atom in atoms], qubit ** 0)

    def swap(self, pair: Sequence[Wire]) -> Any:
        from discopy.quantum.circuit import Swap
        return Swap(self.types(pair[:1]), self.types(pair[1:]))

    def box(self, box: Box) -> Any:
        from discopy import quantum
        from discopy.quantum import gates as theirs
        if box.op is op.spider:
            ins, outs = box.inputs, box.outputs
            if len(ins) == 2 and not outs:
                return quantum.Circuit.cups(self.types(ins[:1]), self.types(ins[1:]))
            if len(outs) == 2 and not ins:
                return quantum.Circuit.caps(self.types(outs[:1]), self.types(outs[1:]))
            if len(ins) == 1 == len(outs):
                return self.module.Id(self.types(ins))
            raise refuse(box, "a circuit of DisCoPy")
        name, record = box["name"], box.get("gate")
        made: Any
        if record is None:
            raise refuse(box, "a circuit of DisCoPy")
        if name == "ket":
            made = quantum.Ket(*record.static) if record.static else self.module.Id(self.type(()))
        elif name == "bra":
            made = quantum.Bra(*record.static) if record.static else self.module.Id(self.type(()))
        elif name in PLAIN:
            made = getattr(theirs, name)
        elif name in TURNED:
            made = getattr(theirs, name)(*self.values.turns(box))
        elif name == "CRy":
            made = theirs.Controlled(theirs.Ry(*self.values.turns(box)))
        elif name in ("scale", "weight"):
            made = theirs.scalar(float(self.values.of(box.inputs[0])), is_mixed=name == "weight")
        elif name == "phase":
            made = theirs.scalar(complex(record.array(*self.values.turns(box))))
        elif name in ("measure", "prepare", "discard"):
            made = {"measure": quantum.Measure, "prepare": quantum.Encode, "discard": quantum.Discard}[name]()
            made = reduce(lambda a, b: a @ b, [made] * (len(record.static) if name == "discard" else 1))
        else:
            raise refuse(box, "DisCoPy")
        made = made.dagger() if box["dagger"] else made
        return made.transpose() if box["turns"] % 2 else made


def wires(box: Box) -> tuple[Wire, ...]:
    return (*box.inputs, *box.outputs)


# ---------------------------------------------------------------- from


def from_discopy(diagram: Any) -> Graph:
    """A circuit, or a rigid diagram, of DisCoPy as a diagram.  Boxes of one name are boxes without numbers."""
    installed()
    graph = build.identity(atoms(diagram.dom))
    for box, offset in zip(diagram.boxes, diagram.offsets):
        now = build.codomain(graph)
        middle = one(box)
        rest = now[offset + len(build.domain(middle)):]
        graph = build.then(graph, build.beside(build.beside(build.identity(now[:offset]), middle), build.identity(rest)))
    return build.settled(graph)


def atoms(type: Any) -> tuple[Object, ...]:
    found = []
    for ob in type.inside:
        name = type.__class__.__module__
        if "quantum" in name:
            found.append(gates.QUBIT if "Qudit" in ob.__class__.__name__ else gates.BIT)
        else:
            found.append(Object(ob.name, getattr(ob, "z", 0)))
    return tuple(found)


def one(box: Any) -> Graph:
    kind = box.__class__.__name__
    dom, cod = atoms(box.dom), atoms(box.cod)
    if kind == "Swap":
        return build.swap(dom[:1], dom[1:])
    if kind == "Cup":
        return build.cup(dom[:1], dom[1:])
    if kind == "Cap":
        return build.cap(cod[:1], cod[1:])
    if kind == "Spider":
        return build.spider(dom, cod)
    if "quantum" not in box.__class__.__module__ and "tensor" not in box.__class__.__module__:
        plain = box.dagger() if box.is_dagger else box
        found = build.named(box.name, (), atoms(plain.dom), atoms(plain.cod))
        return build.dagger(found) if box.is_dagger else found
    return circuit_box(box, kind, dom, cod)


def circuit_box(box: Any, kind: str, dom: tuple, cod: tuple) -> Graph:
    if kind in ("Ket", "Bra"):
        return build.gate(gates.find(kind.lower()).make(*map(int, box.bitstring)))
    if kind in ("Measure", "Encode", "Discard"):
        name = {"Measure": "measure", "Encode": "prepare", "Discard": "discard"}[kind]
        found = gates.find(name).make(*(dom if name == "discard" else ()))
        return build.gate(found)
    if kind in ("Scalar", "MixedScalar", "Sqrt"):
        value = complex(box.array.item() if hasattr(box.array, "item") else box.array)
        return scaled(value, "weight" if box.is_mixed else "scale")
    name = {"Controlled": f"C{getattr(getattr(box, 'controlled', None), 'name', '').partition('(')[0]}"}.get(kind, box.name.partition("(")[0])
    maker = gates.find(name)
    if maker is None:
        raise ArgumentError(f"`{box.name}` of DisCoPy is no gate of `pullback.gates`")
    turns = [box.phase] if maker.turns and hasattr(box, "phase") else [box.controlled.phase] if maker.turns else []
    boxes = [constant(float(turn)) for turn in turns]
    found = build.gate(maker.make(), [made.output for made in boxes])
    found = Graph(build.entering(found), (*boxes, *found.boxes), found.outputs)
    return build.dagger(found) if getattr(box, "is_dagger", False) and not turns else found


def scaled(value: complex, name: str) -> Graph:
    """A scalar; a complex one with its phase apart."""
    import cmath
    size, angle = constant(abs(value)), constant(cmath.phase(value) / (2 * cmath.pi))
    found = build.gate(gates.find(name).make(), (size.output,))
    found = Graph((), (size, *found.boxes), ())
    if name == "scale" and abs(cmath.phase(value)) > 1e-15:
        turned = build.gate(gates.find("phase").make(), (angle.output,))
        found = build.beside(found, Graph((), (angle, *turned.boxes), ()))
    return found
