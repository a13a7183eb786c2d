"""`pb.diagrams`: the class of diagrams, and their forms in other libraries.

    pb.diagrams.to_discopy(s(theta=…))        a DisCoPy diagram; `from_discopy(d)` the way back   (pip install discopy)
    pb.diagrams.to_qasm(s)                    a circuit as OpenQASM 3
    pb.diagrams.to_pyzx(s), from_pyzx(g)      ZX diagrams                                         (pip install pyzx)
"""
from __future__ import annotations

from typing import Any

from pullback.diagram import Diagram, Functor, Lexicon

__all__ = ["Diagram", "Functor", "Lexicon", "from_discopy", "from_pyzx", "to_discopy", "to_pyzx", "to_qasm"]


def to_discopy(diagram: Diagram) -> Any:
    """The diagram in DisCoPy: a circuit where all wires are qubits and bits, else a rigid (or Frobenius) diagram."""
    from pullback.backends.export.discopy import to_discopy as made
    return made(diagram.graph, diagram.bound)


def from_discopy(diagram: Any) -> Diagram:
    """A circuit or a rigid diagram of DisCoPy."""
    from pullback.backends.export.discopy import from_discopy as made
    return Diagram(made(diagram))


def to_qasm(diagram: Diagram) -> str:
    """A circuit as an OpenQASM 3 program, angles in radians; parameters that are not bound are inputs."""
    from pullback.backends.export.qasm import to_qasm as made
    return made(diagram.graph, diagram.bound)


def to_pyzx(diagram: Diagram) -> Any:
    """A diagram of spiders and Clifford+phase gates as a PyZX graph, its scalar kept."""
    from pullback.backends.export.pyzx import to_pyzx as made
    return made(diagram.graph, diagram.bound)


def from_pyzx(graph: Any) -> Diagram:
    """A PyZX graph of Z and X spiders."""
    from pullback.backends.export.pyzx import from_pyzx as made
    return Diagram(made(graph))
