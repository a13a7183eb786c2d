"""What is known of a graph: each analysis computed at most once, and read by rules, `auto`, the ledger and the drawings."""
from __future__ import annotations

from functools import cached_property
from typing import Any

from pullback.compiler import ops as op
from pullback.compiler.analyses import smoothness, support
from pullback.compiler.analyses.degree import degree
from pullback.compiler.diagnostic import Diagnostic
from pullback.compiler.ir import Box, Graph
from pullback.compiler.analyses.ranges import support_size


CONDITIONS = ("where", "branch", "and", "or", "not", "logical_xor")


def by(box: Box, otherwise: str = "reparam") -> str:
    """The rule that a choice is drawn by, in a message."""
    return getattr(box.rule, "name", otherwise)


class Facts:
    """The facts of one graph, run with so many particles; a rule's `admits` is given these."""

    def __init__(self, graph: Graph, particles: int = 1, marginal: frozenset[str] = frozenset()):
        self.graph, self.particles = graph, particles

    @cached_property
    def jumps(self) -> Any:
        return smoothness.jumps(self.graph)

    def jump(self, box: Box) -> Diagnostic | None:
        """The error of `by reparam` where something downstream jumps in the choice's value."""
        return smoothness.jump(box, self.jumps, self.admissible(box))

    def assumed(self, box: Box) -> str:
        """What had to be assumed for the choice to be smooth downstream ("" for nothing)."""
        return smoothness.assumed(box, self.jumps)

    def no_path(self, box: Box) -> Diagnostic | None:
        """The error of `by reparam` where a draw has no pathwise derivative."""
        distribution = box["distribution"]
        if distribution.kind == "int":
            return Diagnostic("smoothness", f"`{box.output.name}` is drawn `by {by(box)}`, but `{distribution.name}` is discrete",
                              box.span, "its value moves in jumps", help=f"{self.admissible(box)}")
        if not distribution.reparameterized and distribution.fields:
            return Diagnostic("smoothness", f"a draw of `{distribution.name}` has no pathwise derivative", box.span,
                              f"drawn `by {by(box)}`", help="`by reinforce` is unbiased here")
        return None

    def infinite(self, box: Box) -> Diagnostic | None:
        """The error of `by enum` where the support is not finite."""
        if box["distribution"].finite is None:
            return Diagnostic("support", f"`{box.output.name}` is drawn `by {by(box, 'enum')}`, but the support of "
                              f"`{box['distribution'].name}` is not finite", box.span, "there is no end to its values",
                              help=self.admissible(box))
        if support_size(box) is None:
            return Diagnostic("support", f"`{box.output.name}` is drawn `by {by(box, 'enum')}`, but how many values it has is not known "
                              "before the run", box.span, "give its size as a constant", help=self.admissible(box))
        return None

    def degree(self, box: Box) -> int | None:
        """The degree of the objective in a choice's value; None if it is no polynomial in it."""
        return degree(self.graph, box.output)

    def carries(self, box: Box) -> tuple[str, ...]:
        """The parameters of a choice that may carry a derivative."""
        found = support.carriers(self.graph)
        return tuple(f.name for f, wire in zip(box["distribution"].fields, box.inputs) if wire in found)

    def no_law(self, box: Box, needs: str, rank: bool = True) -> Diagnostic | None:
        """The error of a rule that needs to know the noise of a draw: its `mirror`, `quantile` or `nodes`."""
        distribution = box["distribution"]
        law = distribution.noise.law if distribution.noise is not None else None
        if law is not None and getattr(law, needs) is not None and (rank or not distribution.rank):
            return None
        return Diagnostic("rule", f"`{by(box)}` is not known for `{distribution.name}`", box.span, f"drawn `by {by(box)}`",
                          help=self.admissible(box))

    def relaxed(self, box: Box, densities: bool) -> Diagnostic | None:
        """The error of following an int as if it were a real, where something asks which int it is."""
        ints = {box.output}
        for reader in self.graph.walk():
            for place, wire in smoothness.own_inputs(reader):
                if wire not in ints:
                    continue
                if reader.op in (op.index, op.identity) and place == 0 or reader.op is op.stack:
                    ints.add(reader.output)
                elif reader.op is op.index or reader.op.name in CONDITIONS or densities and reader.op is op.density:
                    return Diagnostic("smoothness", f"`{box.output.name}` is drawn `by {by(box)}`, and its value is asked for "
                                      "as a whole number", box.span, notes=((reader.span, "here"),) if reader.span else (),
                                      help=self.admissible(box))
            for region in reader.regions:
                ints.update(outer for outer, inner in zip(reader.outputs, region.outputs) if inner in ints)
        return self.jump(box)

    def moves(self, box: Box) -> Diagnostic | None:
        """The error of a score where the support itself depends on a parameter."""
        return support.moves(self.graph, box)

    def refuse(self, box: Box, code: str, message: str, help: str = "") -> Diagnostic:
        return Diagnostic(code, message, box.span, help=help)

    def admissible(self, box: Box) -> str:
        """The rules that are sound for a choice, as a sentence: `by reinforce` is unbiased here."""
        found = []
        if box["distribution"].finite is not None and support_size(box) is not None:
            found.append("`by enum`")
        if not box["distribution"].support.moves:
            found.append("`by reinforce`")
        if not found:
            return ""
        return f"{' and '.join(found)} {'is' if len(found) == 1 else 'are'} unbiased here"
