"""The compiler on one page: the passes by name and in order.

    ir ─ inline ─ checked ─ loops ─ terms ─ ancestors ─ points ─ lift ─ hoist ─ sink ─ estimator      with texts: ─ segments ─ criticize

`stages(graph, …)` gives the graph after each; `f.graph(name)` and `draw` read them there.
"""
from __future__ import annotations

from math import prod
from typing import Callable, Collection

from pullback.compiler import ops as op
from pullback.compiler.analyses.align import aligned
from pullback.compiler.analyses.bias import check
from pullback.compiler.analyses.host import hosted
from pullback.compiler.analyses.host import loops as asking
from pullback.compiler.analyses.support import mass
from pullback.compiler.analyses.thresholds import thresholds
from pullback.compiler.diagnostic import Diagnostic, NotEnumerable, ProgramError, Reported
from pullback.compiler.ir import Graph
from pullback.compiler.passes.ancestors import ancestors
from pullback.compiler.passes.baselines import baselines
from pullback.compiler.passes.choose import choose
from pullback.compiler.passes.contract import contract
from pullback.compiler.passes.criticize import criticize
from pullback.compiler.passes.hoist import hoist
from pullback.compiler.passes.inline import inline
from pullback.compiler.passes.junctions import junction
from pullback.compiler.passes.lift import lift
from pullback.compiler.passes.loops import loops
from pullback.compiler.passes.natural import natural
from pullback.compiler.passes.nest import nest
from pullback.compiler.passes.own_density import own_density
from pullback.compiler.passes.points import points
from pullback.compiler.passes.segments import segments
from pullback.compiler.passes.simplify import simplify
from pullback.compiler.passes.sink import sink
from pullback.compiler.passes.tabulate import tabulate
from pullback.compiler.passes.takes import takes
from pullback.compiler.passes.terms import terms
from pullback.compiler.passes.unguard import unguard
from pullback.compiler.passes.unroll import original, short, unroll
from pullback.compiler.type import known

POINTS = 2 ** 24  # of enumerated choices at once
STEPS = 64        # of a loop that asks a language model
NAMES = ("ir", "inline", "checked", "loops", "terms", "ancestors", "points", "lift", "hoist", "sink", "estimator")


def checked(graph: Graph, particles: int, refused: dict[str, str], allow_biased: bool, over: Collection[str]) -> Graph:
    """Every choice with its rule, if all that is asked of it holds."""
    graph = choose(graph, particles, refused)
    found = mass(graph) + thresholds(graph, [wire for wire in graph.inputs if wire.name.partition(".")[0] in over])
    if found:
        raise Reported(*found)
    return check(graph, allow_biased)


def joined(graph: Graph, over: Collection[str]) -> Graph:
    """Every ruled junction with copies of the parameters, inner ones first."""
    while (opened := junction(graph, over)) is not None:
        graph = lift(opened)
    return graph


def together(graph: Graph) -> Graph:
    """The graph, if no value is there for more points of enumerated choices than a machine holds."""
    for box in graph.walk():
        for wire in box.outputs:
            finite = [axis for axis in wire.axes if axis.kind == "finite" and known(axis.size)]
            if prod(axis.size for axis in finite) > POINTS and len(finite) > 1:
                raise Reported(Diagnostic(
                    "cost", f"what reads {len(finite)} enumerated choices together would be evaluated "
                    f"{prod(axis.size for axis in finite):,} times", box.span, f"the choices are "
                    f"{', '.join(f'`{axis.name}`' for axis in finite[:4])}{', …' if len(finite) > 4 else ''}",
                    help="`by reinforce` on some of them, or a sum in which each stands alone"))
    return graph


def passes(particles: int, refused: dict[str, str], unrolled: set[str], allow_biased: bool, over: Collection[str]) -> list[tuple[str, Callable[[Graph], Graph]]]:
    """Every pass with its name, closed over the options."""
    return [
        ("inline", lambda g: simplify(unroll(inline(g), unrolled))),
        ("checked", lambda g: checked(g, particles, refused, allow_biased, over)),
        ("loops", lambda g: simplify(unguard(simplify(baselines(joined(loops(nest(g)), over)))))),
        ("terms", lambda g: simplify(terms(g))),
        ("ancestors", ancestors),
        ("points", points),
        ("lift", lambda g: lift(g, particles)),
        ("hoist", lambda g: takes(hoist(g))),
        ("sink", lambda g: takes(tabulate(sink(own_density(g))))),
        ("estimator", lambda g: together(simplify(contract(natural(g))))),
    ]


def texts(found: dict[str, Graph], over: Collection[str], sign: float, biased: bool) -> None:
    """Add the stages of a graph that asks language models: cut at what the host does, and the way back written."""
    if any(box.op is op.scan and not known(box["size"]) and hosted(box.regions[0]) for box in found["estimator"].walk()):
        return  # it is unrolled when its length is known
    found["segments"] = segments(found["estimator"])
    same = aligned(found["checked"])
    gathers = {same.get(box["name"], box["name"]): box["gather"] for box in found["checked"].walk() if box.get("gather")}
    wires = [wire for wire in found["segments"].inputs if wire.name.partition(".")[0] in over]
    if wires:
        found["criticize"] = criticize(found["segments"], wires, gathers, sign, biased)


def stages(graph: Graph, *, particles: int = 1, allow_biased: bool = False, over: Collection[str] = (),
           sign: float = 1.0) -> dict[str, Graph]:
    """The graph after every pass; `ProgramError` with all that is wrong.  `over`: the inputs that are differentiated;
    `sign`: −1 where what is said of texts is to lower the objective.

    An automatic `enum` that a later pass finds impossible (the loop carries more than its values) is chosen anew; a short
    loop is unrolled first, and one that asks a language model always: its calls cost more than its steps.
    """
    refused: dict[str, str] = {}
    unrolled: set[str] = {name for name in asking(graph) if longest(graph, name)}
    for _ in range(1000):
        found = {"ir": graph}
        now = graph
        try:
            for name, change in passes(particles, refused, unrolled, allow_biased, over):
                now = found[name] = change(now)
            if hosted(now):
                texts(found, over, sign, allow_biased)
            return found
        except NotEnumerable as problem:
            loop = original(problem.loop)
            if loop not in unrolled and short(graph, loop):
                unrolled.add(loop)
            elif automatic(now, problem.site) and problem.site not in refused:
                refused[problem.site] = problem.reason
            else:
                raise ProgramError(problem.diagnostics) from None
        except Reported as problem:
            raise ProgramError(problem.diagnostics) from None
    raise AssertionError("the choice of rules does not settle")


def longest(graph: Graph, loop: str) -> bool:
    """Is the length of a loop known, and not too long to be written out?"""
    box = next(box for box in graph.walk() if box.op is op.scan and box["name"] == loop)
    if known(box["size"]) and box["size"] > STEPS:
        raise ProgramError([Diagnostic("cost", f"this loop asks a language model {box['size']:,} times in a row", box.span,
                                       f"at most {STEPS} steps are allowed", help="a shorter loop, or `until` a condition")])
    return known(box["size"])


def automatic(graph: Graph, site: str | None) -> bool:
    """Was the rule of the site chosen by the compiler?"""
    return any(box.get("address") == site and box.get("auto") for box in graph.walk())
