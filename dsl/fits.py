"""Fits: what each clause says, and the goal as a graph.

A fit is an objective whose parameters are those under `over`, which are optimized, and those under `given`, which are
data.  A start is a graph without inputs, or a network that draws its own.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Mapping

from pullback.compiler.analyses.bounds import against
from pullback.compiler.analyses.host import hosted
from pullback.compiler.diagnostic import Reported, an, near
from pullback.compiler.ir import Graph, Wire
from pullback.compiler.network import Network
from pullback.compiler.source import Span
from pullback.compiler.ops.text import WORDS
from pullback.compiler.type import TEXT, Array, Params, Type, is_text, same_shape
from pullback.dsl import guides
from pullback.dsl import syntax as s
from pullback.dsl.calls import number
from pullback.dsl.check import static_names
from pullback.dsl.context import Binding, Context, Work, error
from pullback.dsl.graphs import finished, inputs_of, top
from pullback.dsl.join import lifted
from pullback.dsl.lexicons import start
from pullback.dsl.matching import declared as type_of
from pullback.dsl.matching import listed, type_of as type_of_number
from pullback.dsl.names import headed
from pullback.dsl.refused import CONSTRUCTS, pending
from pullback.dsl.rules import optimizer_of
from pullback.dsl.values import WRONG, Declared, Poisoned, Record, describe, leaves

COUNTS = ("particles", "steps")
SCORING = ("choose", "pareto")  # optimizers of texts that compare values of the objective


@dataclass(frozen=True)
class NetworkStart:
    """`decoder.init`, and that of a lexicon."""

    declared: Declared

    @property
    def record(self) -> Any:
        return start(self.declared, Work()) if self.declared.kind == "lexicon" else self.declared.module.network(self.declared)


@dataclass(frozen=True)
class Parameter:
    """One name under `over`.  `start`: a graph without inputs (one output a leaf, in the order of the type's tree), a
    network, a text, or None: 0 of the unconstrained space."""

    name: str
    type: Type
    start: Graph | Network | str | None
    span: Span | None = None


@dataclass(frozen=True)
class Use:
    """An optimizer and the names that it is for; none: all that no other names."""

    optimizer: Any
    names: tuple[str, ...] = ()
    span: Span | None = None


@dataclass(frozen=True)
class FitPlan:
    """A fit.  `goal`: its inputs are the leaves of `over`, then those of `given`; so are those of `validate`, a number that is
    looked at and never differentiated.  `improve`: the goal is a text, which has no order."""

    name: str
    goal: Graph
    maximize: bool
    over: Mapping[str, Parameter]
    given: Mapping[str, Type]
    optimizers: tuple[Use, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    allow_biased: bool = False
    doc: str = ""
    validate: Graph | None = None
    improve: bool = False

    @property
    def particles(self) -> int:
        return self.counts.get("particles", 1)

    @property
    def steps(self) -> int | None:
        return self.counts.get("steps")


def fit_plan_of(declared: Declared, work: Work, sizes: Mapping[str, int] = {}, shapes: Mapping[str, Any] = {},
                loaded: Any = None) -> FitPlan:
    node: s.Fit = declared.node
    goal, validate = the_goal(node), the_validation(node)
    graph, parameters, types, uses, counts = stated(declared, work, sizes, shapes, loaded, goal)
    looked = stated(declared, Work(work.library), sizes, shapes, loaded, validate)[0] if validate is not None else None
    texts = hosted(graph) or looked is not None and hosted(looked)
    if looked is not None and not texts:
        raise pending("validate", validate.span)
    return FitPlan(node.name, graph, goal.verb != "minimize", parameters, types, uses, counts, node.allow_biased, node.doc, looked,
                   goal.verb == "improve")


def stated(declared: Declared, work: Work, sizes: Mapping[str, int], shapes: Mapping[str, Any], loaded: Any, goal: s.Goal) -> tuple:
    """What a fit says, with one of its goals as the graph: that, the parameters, the data's types, optimizers, counts."""
    node: s.Fit = declared.node
    ctx = top(declared, work, "fit")
    for clause in node.clauses:
        told(ctx, refuse, clause)
    given = [p for clause in node.clauses if isinstance(clause, s.Given) for p in clause.parameters]
    over = [p for clause in node.clauses if isinstance(clause, s.Over) for p in clause.parameters]
    distinct([*given, *over])
    wires: list[Wire] = []
    inputs_of(ctx, declared, tuple(given), static_names(declared), {}, sizes, shapes, loaded, wires)
    parameters, own = {}, []
    for parameter in over:
        parameters[parameter.name] = told(ctx, the_parameter, ctx, parameter, declared, sizes, shapes, own)
        if parameters[parameter.name] is None:
            ctx.scope.names[parameter.name] = Binding(WRONG, "parameter", parameter.span)
    output = told(ctx, the_value, ctx, goal, node)
    if output is not None and goal.verb != "validate":
        told(ctx, unused, ctx, over, output)
    uses = tuple(Use(told(ctx, optimizer_of, ctx, use.optimizer), tuple(name.name for name in use.names), use.span)
                 for clause in node.clauses if isinstance(clause, s.Using) for use in clause.optimizers)
    told(ctx, check_uses, node, parameters)
    told(ctx, check_kinds, node, parameters, uses)
    counts = told(ctx, the_counts, ctx, node)
    graph = finished(ctx, [*own, *wires], [output], node.name)
    types = {p.name: given_type(ctx, p.name) for p in given}
    if goal.verb in ("maximize", "minimize") and not node.allow_biased and not work.found:
        wrong = against(graph, goal.verb == "maximize", goal.value.span)
        if wrong is not None:
            work.report(wrong)
    return graph, parameters, types, uses, counts


def told(ctx: Context, part: Callable[..., Any], *arguments: Any) -> Any:
    """What a part of the fit is worth; None where it is wrong, which is reported, and the others are gone on with."""
    try:
        return part(*arguments)
    except Reported as reported:
        ctx.work.report(*reported.diagnostics)
    except Poisoned:
        pass
    return None


def the_value(ctx: Context, goal: s.Goal, node: s.Fit) -> Wire:
    value = ctx.value(s.Ruled(goal.value, goal.rules, span=goal.value.span) if goal.rules else goal.value)
    if value is WRONG:
        raise Poisoned
    found = number(ctx, value, goal.value.span, node.name)
    words = found.type == WORDS
    if words and goal.verb != "improve":
        raise error("type", f"what is judged in words has no order, and `{goal.verb}` asks for one", goal.value.span, help=(
            f"`improve {goal.value.span.text}`" if goal.verb != "validate" else "a verifier gives a number: `extern right(…) -> unit`"))
    if not words and goal.verb == "improve":
        raise error("type", "`improve` is of a judgment in words, and this is a number", goal.value.span,
                    help=f"`maximize {goal.value.span.text}`, or `minimize`")
    return found


def refuse(clause: Any) -> None:
    match clause:
        case s.With():
            raise pending("with", clause.span)
        case s.DrawClause():
            raise pending("draw", clause.span)
        case s.Counts(counts):
            for count in counts:
                if count.word in CONSTRUCTS:
                    raise pending(count.word, count.span)
                if count.word not in COUNTS:
                    raise error("name", f"a fit counts no `{count.word}`", count.span,
                                help=near(count.word, COUNTS) or "`particles 64`, `steps 5000`")


def the_goal(node: s.Fit) -> s.Goal:
    goals = [clause for clause in node.clauses if isinstance(clause, s.Goal) and clause.verb != "validate"]
    if not goals:
        raise error("syntax", f"the fit `{node.name}` has no goal", headed(node.span), help="`maximize …` or `minimize …`")
    if len(goals) > 1:
        raise error("pending", "several goals in one fit can't be compiled yet", goals[1].span,
                    help="write their sum as one goal, `combine:`, or two fits")
    return goals[0]


def the_validation(node: s.Fit) -> s.Goal | None:
    goals = [clause for clause in node.clauses if isinstance(clause, s.Goal) and clause.verb == "validate"]
    if len(goals) > 1:
        raise error("argument", "`validate` is said twice", goals[1].span, help="write one number, such as their sum")
    return goals[0] if goals else None


def distinct(parameters: list[s.Parameter]) -> None:
    seen: dict[str, s.Parameter] = {}
    for parameter in parameters:
        if parameter.name in seen:
            raise error("name", f"`{parameter.name}` stands twice in this fit", parameter.span,
                        notes=((seen[parameter.name].span, "first here"),))
        seen[parameter.name] = parameter


# ---------------------------------------------------------------- over


def the_parameter(ctx: Context, parameter: s.Parameter, declared: Declared, sizes: Mapping[str, int], shapes: Mapping[str, Any],
                  own: list[Wire]) -> Parameter:
    """One name under `over`: bound as an input of the goal, with its type and its start."""
    name, span = parameter.name, parameter.span
    if isinstance(parameter.type, s.NamedType) and parameter.type.name == "model":
        wire, tree, graph = guides.bound(ctx, parameter, declared, finished)
        if graph_reads(graph):
            raise error("static", f"the start of `{name}` reads `{graph_reads(graph)}`, which is not there yet", parameter.default.span)
        own.append(wire)
        return Parameter(name, tree, graph, span)
    type = type_of(ctx, parameter.type, sizes) if parameter.type is not None else None
    start, found = None, None
    if parameter.default is not None:
        start, found = the_start(ctx, parameter, declared)
    elif type is None:
        raise error("type", f"`{name}` has neither a type nor a start", span, help=f"`over {name}: real[3]` or `over {name} = zeros(3)`")
    elif isinstance(type, Params) and name in shapes:
        type = Params(shapes[name])
    elif isinstance(type, Params):
        raise error("argument", f"`{name}` is a `params` and needs a start", span, help=f"`over {name}: params = net.init`")
    if type is None:
        type = found
    elif found is not None:
        type = agreed(name, type, found, parameter)
    if not isinstance(type, (Array, Params)):
        raise error("type", f"`{name}` can't be optimized: it is no array of reals", span)
    if is_text(type):
        if not isinstance(start, str):
            raise error("argument", f"`{name}` is a text and needs a start that is known", parameter.default.span if parameter.default else span,
                        help=f'`over {name}: text = "Answer the question."`') if not type.shape else pending("texts under over", span)
    elif isinstance(type, Array) and type.kind not in ("real", "complex"):
        raise error("type", f"`{name}` is {an(f'`{type}`')}, and only reals can be optimized", span)
    wire = ctx.writer.wire(name, type, span)
    ctx.scope.names[name] = Binding(wire, "parameter", span)
    own.append(wire)
    return Parameter(name, type, start, span)


def the_start(ctx: Context, parameter: s.Parameter, declared: Declared) -> tuple[Any, Type]:
    """What stands after `=`: a network, or a graph of its own; and its type."""
    inner = top(declared, Work(ctx.work.library), "fit")
    inner.scope = ctx.inner().scope
    before = len(inner.work.found)
    value = inner.value(parameter.default)
    if isinstance(value, NetworkStart):
        return value.record, Params(value.record.leaves)
    if isinstance(value, str):
        return value, TEXT
    if isinstance(value, (bool, int)) and not isinstance(value, Wire):
        value = float(value)
    value = lifted(inner, value, parameter.default.span, f"the start of `{parameter.name}`")
    wires = leaves(value)
    if any(not isinstance(wire.type, Array) for wire in wires):
        raise error("kind", f"`{parameter.name}` starts at {describe(value)}", parameter.default.span)
    graph = finished(inner, [], wires, parameter.name)
    if graph_reads(graph):
        raise error("static", f"the start of `{parameter.name}` reads `{graph_reads(graph)}`, which is not there yet",
                    parameter.default.span, help="numbers, `zeros(n)`, `ones(n)`, `net.init`")
    if len(inner.work.found) > before:
        raise Poisoned
    return graph, Params(tree(value)) if isinstance(value, Record) else real(wires[0].type)


def graph_reads(graph: Graph) -> str:
    made = {wire for box in graph.boxes for wire in box.outputs}
    reads = [*(wire for box in graph.boxes for wire in box.inputs), *graph.outputs]
    return next((wire.name for wire in reads if wire not in made), "")


def tree(value: Any) -> Any:
    return {name: tree(item) for name, item in value.fields.items()} if isinstance(value, Record) else real(value.type)


def real(type: Array) -> Array:
    return Array("real", type.shape) if type.kind in ("int", "bool") else type


def agreed(name: str, type: Any, found: Type, parameter: s.Parameter) -> Any:
    """The declared type, if the start has it."""
    if isinstance(type, Params):
        return found if isinstance(found, Params) else Params(found)
    if not isinstance(found, Array):
        raise error("type", f"`{name}` is a `{type}`, and its start is `params`", parameter.default.span)
    if same_shape(type.shape, found.shape) is not True:
        if found.shape:
            raise error("size", f"`{name}` is a `{type}`, and its start is a `{found}`", parameter.default.span)
        raise error("size", f"`{name}` is a `{type}`, and its start is one number", parameter.default.span,
                    help=f"`full({', '.join(map(str, type.shape))}, …)` or `zeros({', '.join(map(str, type.shape))})`")
    return type


def unused(ctx: Context, over: list[s.Parameter], output: Wire) -> None:
    graph = ctx.writer.close(ctx.writer.block, [output])
    reads = {output, *(wire for box in graph.boxes for wire in box.inputs)}
    for parameter in over:
        value = ctx.scope.names[parameter.name].value
        wires = [value] if isinstance(value, Wire) else leaves(value)
        if wires and not any(wire in reads for wire in wires):
            raise error("unused", f"`{parameter.name}` stands under `over`, and the goal does not read it", parameter.span,
                        help="take it out, or pass it to what should read it")


# ---------------------------------------------------------------- the other clauses


def given_type(ctx: Context, name: str) -> Any:
    value = ctx.scope.names[name].value
    return {key: wire.type for key, wire in value.fields.items()} if isinstance(value, Record) else type_of_number(value)


def check_kinds(node: s.Fit, parameters: Mapping[str, Any], uses: tuple[Use, ...]) -> None:
    """An optimizer of texts is for texts, one of arrays for arrays; what reads `validate` has it."""
    named = {name for use in uses for name in use.names}
    validates = the_validation(node) is not None
    for use in uses:
        if use.optimizer is None:
            continue
        texts = getattr(use.optimizer, "texts", False)
        said = use.optimizer.name if hasattr(use.optimizer, "name") else "this optimizer"
        for name in use.names or [name for name in parameters if name not in named]:
            parameter = parameters.get(name)
            if parameter is not None and is_text(parameter.type) != texts:
                what, other = ("a text", "tgd(momentum = 3)") if not texts else ("no text", "adam(0.01)")
                raise error("type", f"`{name}` is {what}, and `{said}` is an optimizer of {'texts' if texts else 'arrays'}", use.span,
                            notes=((parameter.span, "declared here"),), help=f"`using {other} for {name}`")
        if texts and the_goal(node).verb == "improve" and use.optimizer.name in SCORING:
            raise error("type", f"`{said}` compares scores, and a judgment in words has none", use.span,
                        help="`tgd()` needs none; or maximize a number, such as `s: interval(0, 10) = judge(…)`")
        if texts and getattr(use.optimizer, "needs_validate", False) and not validates:
            raise error("argument", f"`{said}` keeps a text only if it does better, and the fit does not say on what", use.span,
                        help="`validate mean i in 0..m: …`, on data of its own")


def check_uses(node: s.Fit, parameters: Mapping[str, Any]) -> None:
    seen: dict[str, Span] = {}
    rest = 0
    for clause in node.clauses:
        for use in clause.optimizers if isinstance(clause, s.Using) else ():
            rest += not use.names
            for name in use.names:
                if name.name not in parameters:
                    raise error("name", f"`{name.name}` does not stand under `over`", name.span,
                                help=near(name.name, parameters) or f"under `over` are {listed(parameters)}")
                if name.name in seen:
                    raise error("argument", f"`{name.name}` has two optimizers", name.span, notes=((seen[name.name], "first here"),))
                seen[name.name] = name.span
    left = [name for name in parameters if name not in seen]
    if rest > 1:
        raise error("argument", "two optimizers are for all names", headed(node.span), help="say `for w` after one of them")
    if seen and not rest and left:
        raise error("argument", f"{listed(left)} {'has' if len(left) == 1 else 'have'} no optimizer", parameters[left[0]].span,
                    help=f"`for {left[0]}` after one of them, or one without names, for all that is left")


def the_counts(ctx: Context, node: s.Fit) -> dict[str, int]:
    found: dict[str, int] = {}
    for clause in node.clauses:
        for count in clause.counts if isinstance(clause, s.Counts) else ():
            value = ctx.size(count.value, f"`{count.word}`")
            if not isinstance(value, int) or value < 1:
                raise error("argument", f"`{count.word}` is a positive number, and this is {value}", count.span)
            if count.word in found:
                raise error("argument", f"`{count.word}` is said twice", count.span)
            found[count.word] = value
    return found
