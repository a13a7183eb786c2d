"""How a fit over texts is put together: the program's fit as the plan that the text backend runs."""
from __future__ import annotations

from dataclasses import replace
from typing import Any, Mapping, Sequence

import numpy as np

from pullback.asking import Absent, Asking
from pullback.backends.text import plan as counting
from pullback.backends.text import revise
from pullback.backends.text.roles import Roles
from pullback.compiler import ops as op
from pullback.compiler.diagnostic import ArgumentError, Diagnostic
from pullback.compiler.engine import Budget
from pullback.compiler.ir import Box, Graph
from pullback.compiler.type import is_text
from pullback.dsl import elaborate


def planned(fit: Any, goal: Asking, data: Mapping[str, Any], sizes: Mapping[str, int], steps: int | None, engine: Any,
            budget: Budget | None, on_error: str, settings: Mapping[str, Any]) -> revise.Plan:
    """The fit as it is run: of these data's sizes, on this engine."""
    plan = fit.plan(sizes)
    steps = steps or plan.steps
    if steps is None:
        raise ArgumentError(Diagnostic("argument", f"`{fit.name}` does not say how many steps it takes", fit.declared.node.span,
                                       help="`steps 6` in the program, or `steps=6` here"))
    if engine is None and (asks := asking(plan)) is not None:
        raise ArgumentError(Diagnostic("argument", f"`{fit.name}` asks a language model, and no engine was given", asks,
                                       help="`run(…, engine = pb.engines.local())`, or `--engine local`"))
    roles = Roles(engine if engine is not None else Absent(fit.name), budget, on_error)
    goal = goal.with_roles(roles)
    every = whole(fit, goal, roles)
    validate = validation(fit, goal, roles) if plan.validate is not None else None
    name = rows_of(fit.plan({}).goal)
    cut = [parameter for parameter, type in fit.plan({}).given.items() if name and str(getattr(type, "shape", (None,))[:1]) == f"({name},)"]

    def part(data: Mapping[str, Any], rows: Sequence[int]) -> Mapping[str, Any]:
        return {key: np.asarray(value)[list(rows)] if key in cut else value for key, value in data.items()}
    from pullback.fit import variables
    numbers = replace(plan, over={key: one for key, one in plan.over.items() if not is_text(one.type)})
    return revise.Plan(
        fit.name, steps, plan.maximize, plan.improve, {key: one.start for key, one in plan.over.items() if is_text(one.type)},
        variables(numbers), fit._optimizers(plan),
        lambda key, params, data: goal.value_and_grad(key, params, **data), lambda key, params, data: goal(key, params, **data),
        lambda key, params, data: every.value_and_grad(key, params, **data), lambda key, params, data: every(key, params, **data),
        validate and (lambda key, params, data: validate(key, params, **data)),
        lambda data: len(data[cut[0]]) if cut else 0, part, roles, fit._digest(goal, settings), fit.declared.node.span, goal)


def asking(plan: Any) -> Any:
    """Where a fit asks a language model, its own or its optimizers' way; None if nowhere."""
    graphs = [graph for graph in (plan.goal, plan.validate) if graph is not None]
    found = next((box.span for graph in graphs for box in graph.walk() if box.op.kind == "engine"), None)
    return found or next((use.span for use in plan.optimizers if getattr(use.optimizer, "texts", False)), None)


def whole(fit: Any, goal: Asking, roles: Roles) -> Asking:
    """The objective over all rows that it is given."""
    def make(sizes: Mapping[str, int], shapes: Mapping[str, Any]) -> Graph:
        return goal.make(sizes, shapes).map(undrawn)
    return Asking(goal.name, make, goal.arguments, roles=roles, sign=goal.sign, statics=goal.statics, fixed=goal.fixed,
                  source=goal.source, particles=goal.particles, allow_biased=goal.allow_biased, parameters=goal.parameters)


def undrawn(box: Box) -> Box:
    return box.but(rule=None) if box.op is op.plate and box.rule is not None else box


def validation(fit: Any, goal: Asking, roles: Roles) -> Asking:
    """What the clause `validate` says, as a function of the same arguments."""
    def make(sizes: Mapping[str, int], shapes: Mapping[str, Any]) -> Graph:
        return elaborate.fit_plan(fit.loaded, fit.name, sizes, shapes).validate
    return Asking(goal.name, make, goal.arguments, roles=roles, statics=goal.statics, fixed=goal.fixed,
                  source=goal.source, particles=goal.particles, allow_biased=goal.allow_biased, parameters=())


def rows_of(graph: Graph) -> str:
    """The size of the loop that the objective is a sum or mean over; nothing if it is none."""
    made = graph.producers()
    box = made.get(graph.outputs[0])
    while box is not None and box.op in (op.reduce, op.neg, op.expectation, op.call):
        if box.op is op.call:
            return rows_of(box.regions[0])
        box = made.get(box.inputs[0])
    return str(box["size"]) if box is not None and box.op is op.plate else ""


EDIT = 1024  # tokens of a rewrite


def calls(fit: Any, goal: Asking, steps: int | None, sizes: Mapping[str, int]) -> counting.Plan:
    """What a whole fit asks: for each step a sweep, the optimizers' rewrites and evaluations, and the validations."""
    plan = fit.plan({})
    steps = steps or plan.steps or 1
    found = goal.plan(**sizes).times(steps, steps)
    every = whole(fit, goal, goal.roles)
    checked = validation(fit, goal, goal.roles).plan(over=(), **sizes) if plan.validate is not None else counting.Plan(())
    known = plan.validate is not None
    for optimizer, names in fit._optimizers(plan):
        if getattr(optimizer, "texts", False):
            found += optimizing(optimizer, len(names), steps, every.plan(over=(), **sizes), every.plan(**sizes), checked)
    return found + checked.times(0 if known and not steps else 1 if known else 0, steps + 1 if known else 0)


def optimizing(optimizer: Any, texts: int, steps: int, value: counting.Plan, sweep: counting.Plan, checked: counting.Plan) -> counting.Plan:
    """The calls of an optimizer of texts at most: rewrites, each perhaps asked for again or repaired, and evaluations of all rows."""
    tries = texts * (2 if any(not isinstance(one, str) for one in optimizer.constraints) else 1)

    def edits(number: int) -> counting.Plan:
        return counting.Plan((counting.Count("optimize", 0, number * steps, number * steps * EDIT),))
    match optimizer.name:
        case "choose":  # at a restart k − 1 rewrites, at each step the candidates, or those drawn
            return edits((optimizer.k - 1) * tries) + value.times(0, steps * (
                optimizer.k if optimizer.rule == "enum" else min(optimizer.k, optimizer.draws)))
        case "pareto":  # a mutation and a crossing: each on a minibatch, then on all rows, then validated
            return edits(2 * tries) + sweep.times(0, steps) + value.times(0, 4 * steps + 1) + checked.times(0, 2 * steps + 1)
    return edits(2 * tries)
