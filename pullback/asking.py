"""What `compile` gives for an objective that asks language models: a function on the host, called as any other.

    g = program["solve"].compile(engine = engine)
    value, feedback = g.value_and_grad(key, {"system": text}, question = …, answer = …)

The derivative in a text is an ordered tuple of criticisms that say how to raise the objective; numbers get theirs in the same sweep.
"""
from __future__ import annotations

from dataclasses import replace
from typing import Any, Mapping

import jax
import numpy as np

from pullback.backends.draw import draw
from pullback.backends.text.account import Account
from pullback.backends.text.plan import Plan, plan
from pullback.backends.text.roles import Roles
from pullback.backends.text.sweep import Program, Run
from pullback.backends.xla.compiled import Argument, Compiled, Specialized, environment, put
from pullback.compiler import ops as op
from pullback.compiler import pipeline
from pullback.compiler.diagnostic import ArgumentError, Diagnostic, EngineError
from pullback.compiler.engine import Budget, Capabilities
from pullback.compiler.ir import Box, Graph
from pullback.compiler.ops.text import WORDS
from pullback.compiler.passes.criticize import real
from pullback.compiler.type import is_text
from pullback.function import Function, Make


class Absent:
    """In the place of an engine where none was given: verifiers alone need none."""

    limit = 1

    def __init__(self, name: str):
        self.asked_by = name

    def __getattr__(self, name: str) -> Any:
        raise ArgumentError(Diagnostic("argument", f"`{self.asked_by}` asks a language model, and no engine was given",
                                       help="`engine = pb.engines.local()`, or another of `pb.engines`"))


class Asking(Function):
    """`g(key, params, **data)`: the objective's value; for a text objective its judgments, in the order of the data.

    engine: one, or one for each role; none is needed to check, count or draw.  sign: −1 where the objective is to be lowered.
    budget, on_error: of all calls of this function.
    """

    def __init__(self, name: str, make: Make, arguments: tuple[Argument, ...], *, engine: Any = None, budget: Budget | None = None,
                 on_error: str = "stop", sign: float = 1.0, roles: Roles | None = None, **more: Any):
        self.engine, self.sign = engine, sign
        self.roles = roles or Roles(engine if engine is not None else Absent(name), budget, on_error)
        self.sweeps: list[dict[str, int]] = []
        self.last: Run | None = None
        super().__init__(name, make, arguments, **more)

    def _again(self, fixed: Mapping[str, int]) -> Asking:
        return type(self)(self.name, self.make, self.arguments, engine=self.engine, sign=self.sign, roles=self.roles, statics=self.statics,
                          fixed=fixed, source=self.source, particles=self.particles, allow_biased=self.allow_biased,
                          parameters=self.parameters)

    def with_roles(self, roles: Roles) -> Asking:
        """The same with other engines; what was compiled is shared."""
        made = self._again(self.fixed)
        made.roles, made.engine, made._made, made._with = roles, roles.engines, self._made, {}
        return made

    @property
    def account(self) -> Account:
        """What its calls have spent, by role."""
        return self.roles.account

    def plan(self, over: tuple[str, ...] | None = None, **sizes: int) -> Plan:
        """Calls and tokens of one sweep, by role: at least, at most, and by the sweeps so far, before any call is made.

        over: the names that are differentiated: by default those of the fit or of the last call, else every single text; `()` counts the
        value alone.
        sizes: of the data, `n = 50`.
        """
        if over is None:
            over = self._parameters() or tuple(a.name for a in self.arguments if is_text(a.type) and not a.type.shape)
        graph = self.make({**sizes, **self.fixed}, {})
        stages = self._stages(graph, tuple(over))
        last = stages.get("criticize") or stages.get("segments")
        if last is None or any(not isinstance(axis.size, int) for box in last.boxes for axis in box.axes):
            names = sorted({str(axis.size) for box in (last or stages["estimator"]).boxes for axis in box.axes if not isinstance(axis.size, int)})
            raise ArgumentError(Diagnostic("argument", f"`plan` of `{self.name}` needs {' and '.join(f'`{n}`' for n in names) or 'its sizes'}",
                                           help=f"`plan({', '.join(f'{n} = 50' for n in names)})`"))
        means = {role: sum(one.get(role, 0) for one in self.sweeps) / len(self.sweeps) for role in
                 {role for one in self.sweeps for role in one}} if self.sweeps else {}
        return plan(last).seen(means)

    def exact(self, params: Mapping[str, Any], **data: Any) -> Any:
        raise ArgumentError(Diagnostic("argument", f"`{self.name}` asks a language model: there is no exact value of it"))

    def stages(self, params: Mapping[str, Any] | None = None, **data: Any) -> Mapping[str, Graph]:
        """The graph after every pass; `segments` and `criticize` after the estimator."""
        f, data = self.known(data)
        if params is not None or f._last is not None:
            return Compiled.stages(f, params, **data)
        if f._general is None:
            over = f.parameters
            graph = f.make(dict(f.fixed), {})
            f._general = f._stages(graph, over if over is not None else ())
        return f._general

    def graph(self, stage: str = "ir", params: Mapping[str, Any] | None = None, **data: Any) -> Any:
        """The drawing of a stage; `criticize` shows the program with what is said on the way back: the rules before a sweep, and after
        it the words of the last one.  Its text is the graph of the whole sweep."""
        if params is not None:
            self.specialize(params, **data)
        stages = self.stages()
        if stage != "criticize" or stage not in stages:
            return super().graph(stage)
        from pullback.remarks import remarks
        written = super().graph(stage)
        found = remarks(stages[stage], self.last.values if self.last is not None else None)
        shown = {one for box in stages["checked"].walk() for one in (box.get("address", ""), box.get("name", ""), box.op.name)} | {
            wire.name for wire in stages["checked"].inputs}
        names = {str(one).rpartition(".")[2] for one in shown}
        try:
            made = draw(stages, "checked", parameters=self._parameters(), source=self.source, name=self.name,
                        criticisms=[one for one in found if one.source in names and one.target in names])
        except ValueError:  # a box of the way back stands in the label of another
            return written
        made.scene.stage = stage
        return replace(made, text=written.text)

    @property
    def named_stages(self) -> tuple[str, ...]:
        return tuple(name for name in ("source", "ir", "checked", "estimator", "segments", "criticize") if name == "source" or name in self.stages())

    def locate(self, key: Any, params: Mapping[str, Any], data: Mapping[str, Any]) -> None:
        return None

    def admitted(self, graph: Graph) -> Asking:
        """The same, if its engines can do what the program asks of them; else an `EngineError`, before any call."""
        for box in graph.walk() if not isinstance(self.roles.engine("forward"), Absent) else ():
            if box.op.kind == "engine":
                engine = self.roles.engine(box.get("engine_role") or box.op.engine)
                wanted, help = lacking(box, engine.capabilities)
                if wanted:
                    raise EngineError(Diagnostic("engine-capability", f"`{engine.name}` can't {wanted}", box.span, help=help))
        return self

    # ------------------------------------------------------------ inside

    def _stages(self, graph: Graph, over: tuple[str, ...]) -> Mapping[str, Graph]:
        return pipeline.stages(graph, particles=self.particles, allow_biased=self.allow_biased, over=over, sign=self.sign)

    def _given(self, params: Mapping[str, Any], data: Mapping[str, Any]) -> tuple[dict, dict]:
        if isinstance(params, Mapping) and any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves((dict(params), data))):
            raise no_jax(self.name)
        return Compiled._given(self, params, data)

    def __call__(self, key: Any, params: Mapping[str, Any], **data: Any) -> Any:
        if isinstance(key, jax.core.Tracer):
            raise no_jax(self.name)
        f, data = self.known(data)
        params, data = f._given(params, data)
        return f._specialized(params, data).value(f, key, params, data)

    def value_and_grad(self, key: Any, params: Mapping[str, Any], **data: Any) -> tuple[Any, Any]:
        """The value, and the derivative in each parameter: an array, or for a text a tuple of criticisms, in one sweep."""
        if isinstance(key, jax.core.Tracer):
            raise no_jax(self.name)
        f, data = self.known(data)
        params, data = f._given(params, data)
        return f._specialized(params, data).gradient(f, key, params, data)

    def _specialized(self, params: dict, data: dict) -> Specialized:
        found = Compiled._specialized(self, params, data)
        self._seen = (params, data)
        return found

    def _parameters(self) -> tuple[str, ...] | None:
        if self._seen is None:
            return self.parameters
        return tuple(a.name for a in self.arguments if a.name.partition(".")[0] in self._seen[0])

    def _jaxpr(self) -> Any:
        raise ArgumentError(Diagnostic("argument", f"`{self.name}` asks a language model: it is no one JAX program",
                                       help='`graph("segments")` shows its jitted parts'))

    def _make(self, graph: Graph, over: tuple[str, ...] = ()) -> Specialized:
        stages = self._stages(graph, over)
        self.admitted(graph)
        for box in graph.walk():
            missing = box["name"] if box.op is op.extern and box["function"] is None else getattr(box.rule, "f", None) \
                if "explain" in box.attributes and box["explain"] is None else None
            if missing:
                raise ArgumentError(Diagnostic("argument", f"nothing was passed for the extern `{missing}`", box.span,
                                               help=f"give it to `load` by keyword: `{missing} = …`"))
        forward = Program(stages["segments"])
        back = Program(stages["criticize"]) if "criticize" in stages else None

        def value(f: Asking, key: Any, params: dict, data: dict) -> Any:
            run = f._run(forward, key, environment(forward.graph, params, data))
            return said(forward.graph, run)

        def gradient(f: Asking, key: Any, params: dict, data: dict) -> tuple[Any, dict]:
            if back is None:
                return value(f, key, params, data), {}
            run = f.last = f._run(back, key, environment(back.graph, params, data))
            found: dict[str, Any] = {}
            wires = [wire for wire in back.graph.inputs if wire.name.partition(".")[0] in params]
            outputs = iter(back.graph.outputs[1:])
            for wire in wires:
                if is_text(wire.type):
                    array = run.values[next(outputs).name]
                    put(found, wire.name, array if wire.type.shape else array.reshape(-1)[0])
                elif real(wire):
                    slope = run.values[next(outputs).name]
                    put(found, wire.name, jax.tree.map(lambda leaf: f.sign * leaf, slope))
            return said(back.graph, run), found
        return Specialized(stages, stages.get("criticize", stages["segments"]), value, gradient)

    def _run(self, program: Program, key: Any, values: Mapping[str, Any]) -> Run:
        asks = next((box for box in program.graph.boxes if box.op.kind == "engine"), None)
        if asks is not None and isinstance(self.roles.engine("forward"), Absent):
            raise ArgumentError(Diagnostic("argument", f"`{self.name}` asks a language model, and no engine was given", asks.span,
                                           help="`compile(engine = pb.engines.local())`, or another of `pb.engines`"))
        before = {role: spent.calls for role, spent in self.roles.account.roles.items()}
        run = program.run(jax.random.key(key) if isinstance(key, int) else key, values, self.roles)
        self.sweeps.append({role: spent.calls - before.get(role, 0) for role, spent in self.roles.account.roles.items()})
        return run


def lacking(box: Box, can: Capabilities) -> tuple[str, str]:
    """What an engine can't do that a box asks of it, and how it may be had."""
    other = "give this role another engine: `engine = {\"forward\": …, \"critic\": …}`"
    if box.op in (op.likelihood, op.options):
        return ("give log-probabilities", other) if not (can.logprobs and can.choices) else ("", "")
    type = box["reply"]
    if is_text(type) or can.schema or getattr(type, "words", ()) and can.choices:
        return "", ""
    number = "`number(reply)` of a reply in free words is a number too, or " if box.op is op.llm else ""
    return f"keep {'its reply' if box.op is op.llm else 'a judgment'} to a type", number + other


def said(graph: Graph, run: Run) -> Any:
    """The value of an objective: a number, or the judgments of one that is a text."""
    output = graph.outputs[0]
    if output.type != WORDS:
        return run.values[output.name]
    found = [text for box in graph.boxes if box.op is op.words for text in np.asarray(run.values[box.inputs[0].name], object).flat]
    single = len(found) == 1 and all(not box.axes for box in graph.boxes if box.op is op.words)
    return found[0] if single else tuple(found)


def no_jax(name: str) -> ArgumentError:
    return ArgumentError(Diagnostic("argument", f"`{name}` asks a language model and runs on the host: it is no function that JAX can "
                                    "transform", help=f"`{name}.value_and_grad(key, params, …)` gives value and derivatives, words and numbers"))
