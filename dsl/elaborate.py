"""Syntax trees to graphs: models, objectives, records and static ints are evaluated away.

    loaded = load(source, library=…, folder=…, externs={…})     reads, resolves, checks what holds for every size
    objective_graph(loaded, "elbo", …)                          the graph of an objective
    model_graph(loaded, "cone", "sample" | "density")           the graph of a model's draw or log density
    fit_plan(loaded, "noisy_cone")                              all that a fit says  (`fits.py`)
    with_rules(graph, {"q.x": "enum"})                          rules by address     (`settings.py`)

At load each declaration whose arguments have types is gone through once, with symbols for its sizes.  The graphs of a
call are made anew for each set of shapes, with `sizes` bound to numbers.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any, Callable, Mapping

from pullback.compiler.diagnostic import Diagnostic, ProgramError, Reported
from pullback.compiler.ir import Graph
from pullback.compiler.source import Source
from pullback.dsl import arithmetic, arrays, calls, choices, conditional, loaded_diagrams, records, texts  # noqa: F401  (they fill the table)
from pullback.dsl.check import check_names
from pullback.dsl.context import Work
from pullback.dsl.fits import FitPlan, fit_plan_of
from pullback.dsl.graphs import density_graph, objective_graph_of, sample_graph
from pullback.dsl.names import Loader, Module, headed
from pullback.dsl.settings import with_rules  # noqa: F401
from pullback.dsl.values import Declared, Poisoned, Undetermined


@dataclass(frozen=True)
class Loaded:
    """A program that was read: its declarations by name, what it imports, what is not told until shapes are known."""

    module: Module
    loader: Loader
    declarations: Mapping[str, Declared]
    pending: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[Diagnostic, ...] = ()

    def of(self, *kinds: str) -> dict[str, Declared]:
        """The declarations of some kinds, in the order of the program."""
        return {name: found for name, found in self.declarations.items() if found.kind in kinds}

    def find(self, name: str) -> Declared | None:
        """A declaration of the program, or one that it imports."""
        found = self.module.find(name)
        return found if isinstance(found, Declared) else None


def load(source: Source, *, library: Path, folder: Path | None = None, externs: Mapping[str, Callable] | None = None) -> Loaded:
    """Read a program and check it; a `ProgramError` holds everything that is wrong with it."""
    loader = Loader(Path(library), folder, dict(externs or {}))
    module = loader.module(source)
    found = list(loader.found)
    undetermined: dict[str, str] = {}
    for name, declared in module.declared.items():
        wrong = checked(loader, declared, undetermined)
        if any(diagnostic.code == "cost" for diagnostic in wrong):
            module.costly.add(declared)
        found += wrong
    for name in module.constants:
        try:
            module.constant(name)
        except Reported as reported:
            found += reported.diagnostics
        except Poisoned:
            pass
    errors = once(found)
    if errors:
        raise ProgramError(sorted(errors, key=place))
    warnings = tuple(absent(declared) for declared in module.declared.values()
                     if declared.kind == "extern" and declared.name not in loader.externs)
    return Loaded(module, loader, dict(module.declared), undetermined, warnings)


def place(diagnostic: Diagnostic) -> tuple:
    return (diagnostic.span.source.name, diagnostic.span.start) if diagnostic.span is not None else ("", 0)


def once(found: list[Diagnostic]) -> list[Diagnostic]:
    """Each finding once, however many declarations led to it."""
    seen: dict[tuple, Diagnostic] = {}
    for diagnostic in found:
        span = diagnostic.span
        message = "" if diagnostic.code == "name" else diagnostic.message
        key = (diagnostic.code, message, span and (span.source.name, span.start, span.end))
        seen.setdefault(key, diagnostic)
    return list(seen.values())


def absent(declared: Declared) -> Diagnostic:
    return Diagnostic("pending", f"nothing was passed for the extern `{declared.name}`", headed(declared.node.span),
                      help=f"pass it by keyword, `{declared.name} = …`, or say `--extern {declared.name}=module:function`",
                      severity="warning")


def checked(loader: Loader, declared: Declared, undetermined: dict[str, str]) -> list[Diagnostic]:
    """What is wrong with a declaration for every size."""
    found = check_names(declared)
    if found:
        return found
    work = Work(loader.is_library)
    try:
        match declared.kind:
            case "objective":
                objective_graph_of(declared, work)
            case "model":
                density_graph(declared, work)  # goes through it as a draw, too
            case "function":
                from pullback.dsl.graphs import function_checked
                function_checked(declared, work)
            case "network":
                declared.module.network(declared)
            case "fit":
                fit_plan_of(declared, work)
            case "type" | "box" | "diagram" | "functor" | "lexicon":
                return loaded_diagrams.checked(declared, work)
    except Undetermined as reason:
        undetermined[declared.name] = str(reason)
    except Poisoned:
        pass
    except Reported as reported:
        work.report(*reported.diagnostics)
    except ProgramError as problem:
        return problem.diagnostics
    except RecursionError:
        return [Diagnostic("cost", f"`{declared.name}` is nested too deeply", headed(declared.node.span))]
    return work.found


# ---------------------------------------------------------------- graphs


def told(make: Callable) -> Callable:
    """What a piece reports is a `ProgramError` of the whole."""
    @wraps(make)
    def made(*given: Any, **named: Any) -> Any:
        try:
            return make(*given, **named)
        except Reported as reported:
            raise ProgramError(reported.diagnostics) from None
    return made


@told
def objective_graph(loaded: Loaded, name: str, arguments: Mapping[str, Any] | None = None,
                    sizes: Mapping[str, int] | None = None, shapes: Mapping[str, Any] | None = None) -> Graph:
    """The graph of an objective.

    arguments: what is known before the run, by argument: static ints, numbers, and for a `model` the name of one in the
    program (or a pair of a name and its arguments).  sizes: numbers for size names.  shapes: for an argument that is a
    `params` the pytree of `Array`s that it will be (also for one that is left without a type, and for a `trace`).
    """
    declared = wanted(loaded, name, "objective")
    return objective_graph_of(declared, Work(loaded.loader.is_library), arguments or {}, sizes or {}, shapes or {}, loaded)


@told
def model_graph(loaded: Loaded, name: str, mode: str = "sample", arguments: Mapping[str, Any] | None = None,
                sizes: Mapping[str, int] | None = None, shapes: Mapping[str, Any] | None = None) -> tuple[Graph, list[str]]:
    """The graph of a model's draw (outputs: the leaves of the trace, then of the returned value) or of its log density
    (inputs: the arguments, then the leaves of the trace); and the addresses of those leaves, dotted."""
    declared = wanted(loaded, name, "model")
    make = {"sample": sample_graph, "density": density_graph}[mode]
    return make(declared, Work(loaded.loader.is_library), arguments or {}, sizes or {}, shapes or {}, loaded)


@told
def fit_plan(loaded: Loaded, name: str, sizes: Mapping[str, int] | None = None,
             shapes: Mapping[str, Any] | None = None) -> FitPlan:
    """All that a fit says, its goal as a graph."""
    declared = wanted(loaded, name, "fit")
    return fit_plan_of(declared, Work(loaded.loader.is_library), sizes or {}, shapes or {}, loaded)


@told
def diagram_graph(loaded: Loaded, name: str, sizes: Mapping[str, int] | None = None) -> Graph:
    """A diagram, or a box as a diagram: inputs are its numbers, then its domain; outputs its codomain."""
    found = loaded.find(name)
    return loaded_diagrams.diagram_graph(found, Work(loaded.loader.is_library), sizes or {})


@told
def functor_graph(loaded: Loaded | None, name: str, diagram: Graph, reading: str = "array", sizes: Mapping[str, int] | None = None,
                  shapes: Mapping[str, Any] | None = None, shots: int | None = None) -> Graph:
    """The image of a diagram under a functor as a graph; reading: `array`, `double` and `shots` (arrays too), or `image` (a
    diagram).

    Inputs: the diagram's numbers, then the functor's parameters.  Without a program the diagram is its own image."""
    declared = wanted(loaded, name, "functor") if loaded is not None else None
    work = Work(loaded.loader.is_library) if loaded is not None else Work()
    return loaded_diagrams.functor_graph(declared, work, diagram, reading, sizes or {}, shapes or {}, shots)


@told
def sentence_graph(loaded: Loaded, name: str, text: str) -> Graph:
    """The diagram of a sentence; its inputs are the lexicon's arrays."""
    declared = wanted(loaded, name, "lexicon")
    return loaded_diagrams.sentence_graph(declared, Work(loaded.loader.is_library), text)


def wanted(loaded: Loaded, name: str, kind: str) -> Declared:
    found = loaded.find(name)
    if found is None or found.kind != kind:
        raise KeyError(f"there is no {kind} `{name}` in this program")
    return found
