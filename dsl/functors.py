"""Functors: a pattern a line, images of types and of boxes; a functor applied to a diagram is a diagram of its target.

    n => 2            an axis of this size (1: none)             n => qubit^2    a type
    Alice => w.alice  an array: inputs, then outputs             verb(a) => …    a diagram, or an array, of the box's numbers
"""
from __future__ import annotations

from dataclasses import replace
from typing import Any

from pullback.compiler import gate as gates
from pullback.compiler import ops as op
from pullback.compiler.diagnostic import Diagnostic, near
from pullback.compiler.diagrams import build, functor
from pullback.compiler.diagrams.build import Boundary
from pullback.compiler.ir import Box, Graph, Wire
from pullback.compiler.source import Span
from pullback.compiler.type import Array, Object, same_shape
from pullback.dsl import syntax as s
from pullback.dsl.context import Activation, Binding, Context, Scope, error
from pullback.dsl.diagrams import as_diagram, as_ty, boundary, concerns
from pullback.dsl.values import WRONG, Declared, Diagram, Poisoned, Sentences, Ty, describe, is_size


def applied(ctx: Context, declared: Declared, arguments: tuple[s.Argument, ...], span: Span) -> Any:
    """`meaning(D, w)`: the diagram first, then the functor's own parameters."""
    from pullback.dsl.models import parameters
    if not arguments or arguments[0].name is not None:
        raise error("argument", f"the functor `{declared.name}` takes a diagram first", span)
    value = ctx.value(arguments[0].value)
    if isinstance(value, Sentences):
        scope = parameters(ctx, declared, arguments[1:], span)
        return replace(value, changes=(*value.changes, lambda graph: image(ctx, declared, scope, graph, span)))
    graph = as_diagram(ctx, value, arguments[0].span, f"what `{declared.name}` takes")
    return Diagram(image(ctx, declared, parameters(ctx, declared, arguments[1:], span), graph, span), span, image=True)


def image(ctx: Context, declared: Declared, scope: Scope, graph: Graph, span: Span | None) -> Graph:
    """The image of a diagram under a functor whose parameters stand in a scope."""
    return Functor(ctx, declared, scope, span).of(graph)


class Functor:
    def __init__(self, ctx: Context, declared: Declared, scope: Scope, span: Span | None):
        self.ctx, self.declared, self.span = ctx, declared, span
        self.inside = Context(ctx.work, declared.module, Scope(scope), Activation(declared, "functor"), ctx.path, guarded=ctx.guarded)
        self.lines = lines(declared)
        self.made: dict[str, Boundary] = {}
        self.images: dict[tuple, Graph] = {}

    def of(self, graph: Graph) -> Graph:
        self.complete(graph)
        return functor.apply(graph, self.object, self.box)

    def complete(self, graph: Graph) -> None:
        """Every type and box of the diagram has an image, or all that have none are told at once."""
        names = {one.type.name: None for one in graph.wires() if build.is_object(one) and one.type.size is None}
        names |= {box["name"]: None for box in graph.walk() if box.op is op.box and not box.get("gate") and not box.get("array")}
        missing = [name for name in names if name not in self.lines]
        if missing:
            raise error("image", f"`{self.declared.name}` has no image of {', '.join(f'`{name}`' for name in missing)}", self.span,
                        notes=((head(self.declared), "the functor"),), help=f"a line for each: `{missing[0]} => …`")

    # ---- types

    def object(self, atom: Object) -> Boundary:
        if atom.size is not None:
            return (atom,)
        if atom.name not in self.made:
            line = self.lines[atom.name]
            value = self.inside.value(line.value)
            if is_size(value) and not isinstance(value, bool):
                self.made[atom.name] = () if value == 1 else (gates.dim(value),)
            elif isinstance(value, Ty) or isinstance(value, Declared) and value.kind == "type":
                self.made[atom.name] = as_ty(self.inside, value, line.value.span)
            else:
                raise error("image", f"the image of the type `{atom.name}` is a size or a type, and this is {describe(value)}",
                            line.value.span, help="`n => 2`, `n => qubit`")
        return self.made[atom.name]

    def atoms(self, wires: tuple[Wire, ...]) -> Boundary:
        return tuple(atom for one in wires for atom in functor.image_of(one.type, self.object))

    # ---- boxes

    def box(self, box: Box) -> Graph:
        """What a box stands for, before it is mirrored or turned."""
        if box.get("gate") or box.get("array"):
            return plain(box)
        (box,) = plain(box).boxes
        given = box.inputs[:box["numbers"]]
        key = (box["name"], given, box.get("derivative"))
        if key not in self.images:
            self.images[key] = self.differentiated(box, given) if box.get("derivative") is not None else self.line(box, given)
        return self.images[key]

    def line(self, box: Box, given: tuple[Wire, ...]) -> Graph:
        line = self.lines[box["name"]]
        value = self.evaluated(line, given)
        dom, cod = self.atoms(build.inner_inputs(box)), self.atoms(box.outputs)
        if concerns(value):
            graph = as_diagram(self.inside, value, line.value.span)
            if flat(build.domain(graph)) != flat(dom) or flat(build.codomain(graph)) != flat(cod):
                wanted = Graph(build.wires(dom), (), build.wires(cod))
                raise error("image", f"the image of `{box['name']}` is a diagram `{build.signature(wanted)}`, and this is "
                            f"{describe(Diagram(graph))}", line.value.span)
            return graph
        return self.array(box, value, line, dom, cod)

    def array(self, box: Box, value: Any, line: s.Image, dom: Boundary, cod: Boundary) -> Graph:
        wire = self.inside.wire(float(value) if isinstance(value, int) and not isinstance(value, bool) else value, line.value.span,
                                f"the image of `{box['name']}`")
        shape = tuple(atom.size for atom in (*dom, *cod))
        if not isinstance(wire.type, Array) or same_shape(wire.type.shape, shape) is not True:
            raise error("image", f"the image of `{box['name']}` is a `{Array('real', shape)}`, and this is {describe(wire)}",
                        line.value.span, label="axes are the inputs, then the outputs", help="an axis of size 1 is none: `s => 1`")
        return build.named(box["name"], (wire,), dom, cod, box.span, array=True)

    def evaluated(self, line: s.Image, given: tuple[Wire, ...]) -> Any:
        names = pattern_names(line)
        if len(names) != len(given):
            raise error("image", f"this line takes {len(names)} numbers, and the box has {len(given)}", line.pattern.span)
        inner = self.inside.inner()
        for name, wire in zip(names, given):
            inner.scope.names[name.name] = Binding(wire, "parameter", name.span)
        value = inner.value(line.value)
        if value is WRONG:
            raise Poisoned
        return value

    def differentiated(self, box: Box, given: tuple[Wire, ...]) -> Graph:
        """The image of d(f(φ), φ): the derivative of the image of f(φ)."""
        from pullback.compiler.diagrams.build import Untyped
        from pullback.compiler.diagrams.derive import derivative
        from pullback.dsl.derivatives import absorbed, released
        from pullback.dsl.diagrams import untyped
        at = box["derivative"]
        (own,) = self.ctx.writer.emit(op.add, (given[at],), span=self.span)
        bare = box.but(attributes={"derivative": None})
        bare = bare.but(inputs=(*given, *build.inner_inputs(box)))
        graph = self.line(self.undifferentiated(bare), (*given[:at], own, *given[at + 1:]))
        try:
            found = derivative(absorbed(self.ctx, graph), own)
        except Untyped as problem:
            raise untyped(problem, self.span, "derivative") from None
        return released(self.ctx, found)

    def undifferentiated(self, box: Box) -> Box:
        """The box without the axes that its derivative added: they are the last of its array."""
        more = box.inputs[:box["numbers"]]
        count = len(more[0].type.shape) if more else 0
        wires = (*build.inner_inputs(box), *box.outputs)
        rank = len(wires) - count
        keep = [one for one, leg in zip(wires, box["legs"]) if leg < rank]
        ins = tuple(one for one in build.inner_inputs(box) if one in keep)
        outs = tuple(one for one in box.outputs if one in keep)
        legs = tuple(leg for leg in box["legs"] if leg < rank)
        return box.but(inputs=(*more, *ins), outputs=outs, attributes={"legs": legs})


def plain(box: Box) -> Graph:
    """A gate or an array as it was before it was mirrored or turned."""
    one = Graph((*box.inputs[:box["numbers"]], *build.inner_inputs(box)), (box,), box.outputs)
    return build.flipped(one, box["dagger"], -box["turns"])


def flat(atoms: Boundary) -> Boundary:
    """The atoms without their adjoints."""
    return tuple(replace(atom, z=0) for atom in atoms)


# ---------------------------------------------------------------- what a functor says


def lines(declared: Declared) -> dict[str, s.Image]:
    """The lines by what they are the image of."""
    found: dict[str, s.Image] = {}
    for line in declared.node.images:
        name = pattern_head(line)
        if name.name in found:
            raise error("image", f"`{name.name}` has two images", line.pattern.span, notes=((found[name.name].pattern.span, "first here"),))
        found[name.name] = line
    return found


def pattern_head(line: s.Image) -> s.Name:
    match line.pattern:
        case s.Name():
            return line.pattern
        case s.Call(s.Name() as name, _):
            return name
    raise error("image", "a line of a functor begins with a type, or a box with names for its numbers", line.pattern.span,
                help="`n => 2`, `loves(theta) => …`")


def pattern_names(line: s.Image) -> list[s.Name]:
    if not isinstance(line.pattern, s.Call):
        return []
    for argument in line.pattern.arguments:
        if argument.name is not None or not isinstance(argument.value, s.Name):
            raise error("image", "a pattern gives each number a name", argument.span, help="`loves(theta) => …`")
    return [argument.value for argument in line.pattern.arguments]


def head(declared: Declared) -> Span:
    from pullback.dsl.names import headed
    return headed(declared.node.span)


def checked(ctx: Context, declared: Declared, scope: Scope) -> list[Diagnostic]:
    """What is wrong with a functor for every diagram: names, images of types, images of boxes, what is missing."""
    from pullback.compiler.diagnostic import Reported
    from pullback.dsl.values import Undetermined
    found: list[Diagnostic] = []
    made = Functor(ctx, declared, scope, declared.node.span)
    known = {**boxes_of(declared), **types_of(declared)}
    for name, line in made.lines.items():
        if name not in known:
            found.append(Diagnostic("name", f"nothing is called `{name}`", pattern_head(line).span, help=near(name, known)))
    if found:
        return found
    missing = [name for group in groups_of(declared) if any(name in made.lines for name in group)
               for name, box in group.items() if name not in made.lines and covered(ctx, made, box)]
    if missing:
        found.append(Diagnostic("image", f"`{declared.name}` has no image of {', '.join(f'`{name}`' for name in missing)}",
                                head(declared), help=f"a line for each: `{missing[0]} => …`"))
    for name, box in boxes_of(declared).items():
        if name in made.lines and covered(ctx, made, box):
            try:
                made.box(sample(ctx, box))
            except Reported as reported:
                found += reported.diagnostics
            except (Poisoned, Undetermined):
                pass
    return found


def boxes_of(declared: Declared) -> dict[str, Declared]:
    """The boxes, and the classes of lexicons, that a program declares or imports."""
    return {name: box for group in groups_of(declared) for name, box in group.items()}


def groups_of(declared: Declared) -> list[dict[str, Declared]]:
    """What a functor is about as a whole, or not at all: the boxes of a program, the classes of each lexicon."""
    from pullback.dsl.lexicons import class_boxes
    every = [one for one in (*declared.module.declared.values(), *declared.module.imported.values()) if isinstance(one, Declared)]
    return [{one.name: one for one in every if one.kind == "box"}, *(class_boxes(one) for one in every if one.kind == "lexicon")]


def types_of(declared: Declared) -> dict[str, Declared]:
    module = declared.module
    return {one.name: one for one in (*module.declared.values(), *module.imported.values())
            if isinstance(one, Declared) and one.kind == "type"}


def covered(ctx: Context, made: Functor, box: Declared) -> bool:
    """Has the functor an image of every type on a box's boundary?"""
    outer = Context(ctx.work, box.module, Scope(), Activation(box, "box"))
    atoms = (*boundary(outer, box.node.domain), *boundary(outer, box.node.codomain))
    return all(atom.name in made.lines or atom.size is not None for atom in atoms)


def sample(ctx: Context, declared: Declared) -> Box:
    """A box with wires for its numbers."""
    from pullback.dsl.graphs import leaf
    outer = Context(ctx.work, declared.module, Scope(), Activation(declared, "box"))
    given = [leaf(outer, parameter, {}, {}) for parameter in declared.node.parameters]
    dom, cod = boundary(outer, declared.node.domain), boundary(outer, declared.node.codomain)
    return build.named(declared.name, given, dom, cod, declared.node.span).boxes[0]
