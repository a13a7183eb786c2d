"""`pb.diagrams`: the class of diagrams."""
from pullback.diagram import Diagram, Functor, Lexicon

__all__ = ["Diagram", "Functor", "Lexicon"]
