"""What the names of a program's top level mean, and where imports are read from.

    from pullback.objectives import elbo     LIBRARY/objectives/elbo.pbk, or one of several in its file
    from models.cone import cone             models/cone.pbk beside the program

Nothing outside of these two folders is ever opened: no `..`, no absolute path, no link that leads out.  A file is read
once; files that import each other in a circle are refused.
"""
from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Iterable, Mapping

from pullback.compiler import gate
from pullback.compiler.diagnostic import Diagnostic, ProgramError, Reported, near
from pullback.compiler.source import Source, Span
from pullback.dsl import syntax as s
from pullback.dsl.context import Activation, Context, Scope, Work, error
from pullback.dsl.matching import fitted
from pullback.dsl.parse import parse
from pullback.dsl.refused import pending
from pullback.dsl.values import WRONG, Declared, GateName, Ty

KINDS = {s.Model: "model", s.Objective: "objective", s.Function: "function", s.Network: "network", s.Extern: "extern",
         s.Fit: "fit", s.BoxDeclaration: "box", s.Diagram: "diagram", s.Functor: "functor", s.Lexicon: "lexicon",
         s.ObjectTypes: "type"}
RESERVED = "pullback"
GATE_TYPES = {"qubit": gate.QUBIT, "bit": gate.BIT}


class Module:
    """The declarations of one source.  `externs`: what Python passed in, by name."""

    def __init__(self, source: Source, program: s.Program, externs: Mapping[str, Callable], library: bool = False,
                 root: Path | None = None):
        self.source, self.program, self.externs, self.library, self.root = source, program, externs, library, root
        self.declared: dict[str, Declared] = {}
        self.imported: dict[str, Declared] = {}
        self.constants: dict[str, s.Constant] = {}
        self.values: dict[str, Any] = {}
        self.networks: dict[str, Any] = {}
        self.under_way: list[str] = []
        self.costly: set[Declared] = set()
        self.circular: set[Declared] = set()    # those whose circle was told

    def find(self, name: str) -> Any:
        """What a name of the top level means, or None."""
        if name in self.declared:
            return self.declared[name]
        if name in self.imported:
            return self.imported[name]
        if name in self.constants:
            return self.constant(name)
        return None

    def names(self) -> list[str]:
        return [*self.declared, *self.imported, *self.constants]

    def offered(self, name: str) -> str:
        """How to import a name that only the library declares; nothing if it does not."""
        found = sorted(self.root.glob(f"*/{name}.pbk")) if self.root is not None and name.isidentifier() else []
        folder = found[0].parent.name if found else "gates" if name in offered_gates() else ""
        return f"`from {RESERVED}.{folder} import {name}` at the top" if folder else ""

    def constant(self, name: str) -> Any:
        """The value of a constant: a number, known when the program is read."""
        if name not in self.values:
            node = self.constants[name]
            if name in self.under_way:
                raise error("recursion", f"the constant `{name}` is defined by itself", node.span)
            self.under_way.append(name)
            try:
                ctx = Context(Work(), self, Scope(), Activation(None, "constant"))
                value = fitted(ctx, node.type, ctx.value(node.value), node.value.span, f"`{name}`")
                if ctx.writer.block.boxes:
                    raise error("static", f"the constant `{name}` must be known when the program is read", node.value.span,
                                help="numbers, lists of numbers and what is computed of them by `+ - * / ^`")
                self.values[name] = value
            except Exception:
                self.values[name] = WRONG
                raise
            finally:
                self.under_way.remove(name)
        return self.values[name]

    def extern(self, name: str) -> Callable | None:
        return self.externs.get(name)

    def network(self, declared: Declared) -> Any:
        """The record of a network, made once."""
        if declared.name not in self.networks:
            from pullback.dsl.networks import record
            self.networks[declared.name] = record(self, declared)
        return self.networks[declared.name]


class Loader:
    """Reads a program and what it imports; `found` collects what is wrong."""

    def __init__(self, library: Path, folder: Path | None, externs: Mapping[str, Callable]):
        self.library, self.folder, self.externs = library, folder, externs
        self.modules: dict[Path, Module] = {}
        self.under_way: list[Path] = []
        self.found: list[Diagnostic] = []
        self.sources: set[int] = set()

    def is_library(self, span: Span) -> bool:
        return id(span.source) in self.sources

    def module(self, source: Source, library: bool = False) -> Module:
        if library:
            self.sources.add(id(source))
        module = Module(source, parse(source), self.externs, library, self.library)
        for node in module.program.declarations:
            try:
                self.declare(module, node)
            except Reported as reported:
                self.found += reported.diagnostics
        return module

    def declare(self, module: Module, node: Any) -> None:
        match node:
            case s.Import(path, names):
                for name in names:
                    self.free(module, name.name, name.span)
                    module.imported[name.name] = WRONG
                    try:
                        module.imported[name.name] = self.imported(module, path, name, node.span)
                    except Reported as reported:
                        self.found += reported.diagnostics
            case s.Constant(name):
                self.free(module, name, node.span)
                module.constants[name] = node
            case s.ObjectTypes(names):
                for name in names:
                    self.free(module, name.name, name.span)
                    module.declared[name.name] = Declared("type", name.name, node, module)
            case _:
                self.free(module, node.name, node.span)
                module.declared[node.name] = Declared(KINDS[type(node)], node.name, node, module)

    def free(self, module: Module, name: str, span: Span) -> None:
        if name == RESERVED:
            raise error("name", f"`{RESERVED}` is the library's own name", span)
        before = module.declared.get(name) or module.imported.get(name) or module.constants.get(name)
        if before is not None:
            at = before.node.span if isinstance(before, Declared) else getattr(before, "span", None)
            inside = at is not None and at.source is span.source
            raise error("name", f"`{name}` is declared twice", headed(span), label="again here",
                        notes=((headed(at), "first here"),) if inside else ())

    # ---- imports

    def imported(self, module: Module, path: tuple[str, ...], name: s.Name, span: Span) -> Any:
        if path == (RESERVED, "gates"):
            return gate_named(name)
        file, root = self.file(module, path, name, span)
        target = self.read(file, root, span)
        found = target.declared.get(name.name)
        if found is None:
            raise error("name", f"`{'.'.join(path)}` declares no `{name.name}`", name.span,
                        help=near(name.name, target.declared) or f"it declares {shown(target.declared)}")
        return found

    def file(self, module: Module, path: tuple[str, ...], name: s.Name, span: Span) -> tuple[Path, Path]:
        """The file that an import means, and the folder that it must lie in."""
        if path[0] == RESERVED:
            root, parts = self.library, path[1:]
            if parts and parts[0] in ("words", "text"):
                raise pending("text", span)
            if not parts or not root.joinpath(*parts).is_dir() and not root.joinpath(*parts).with_suffix(".pbk").is_file():
                offered = shown(sorted(folder.name for folder in root.iterdir() if any(folder.glob("*.pbk"))))
                raise error("name", f"the library has no `{'.'.join(path)}`", span, help=f"it has {offered}")
            if root.joinpath(*parts).is_dir() and root.joinpath(*parts, f"{name.name}.pbk").is_file():
                parts = (*parts, name.name)
            elif root.joinpath(*parts).is_dir():
                offered = [file.stem for file in root.joinpath(*parts).glob("*.pbk")]
                raise error("name", f"`{'.'.join(path)}` has no `{name.name}`", name.span,
                            help=near(name.name, offered) or f"it has {shown(sorted(offered))}")
            return root.joinpath(*parts).with_suffix(".pbk"), root
        root = self.library if module.library else self.folder
        if root is None:
            raise error("file", f"`{'.'.join(path)}` would be a file beside the program, and this program has no folder", span,
                        help="load it from a file")
        return root.joinpath(*path).with_suffix(".pbk"), root

    def read(self, file: Path, root: Path, span: Span) -> Module:
        try:
            real = file.resolve(strict=True)
            inside = real.is_relative_to(root.resolve(strict=True))
        except OSError:
            raise error("file", f"there is no file `{relative(file, root)}`", span, help=self.offered(file, root)) from None
        if not inside or not real.is_file():
            raise error("file", f"`{relative(file, root)}` leads out of the program's folder", span)
        if real in self.under_way:
            circle = " → ".join(f"`{path.stem}`" for path in [*self.under_way[self.under_way.index(real):], real])
            raise error("recursion", f"these files import each other: {circle}", span)
        if real not in self.modules:
            self.under_way.append(real)
            try:
                text = real.read_text(encoding="utf-8")
                self.modules[real] = self.module(Source(str(file), text), root is self.library)
            except (UnicodeDecodeError, OSError) as problem:
                raise error("file", f"`{relative(file, root)}` can't be read: {type(problem).__name__}", span) from None
            except ProgramError as problem:
                raise Reported(*problem.diagnostics) from None
            finally:
                self.under_way.pop()
        return self.modules[real]

    def offered(self, file: Path, root: Path) -> str:
        beside: Iterable[str] = [path.stem for path in root.rglob("*.pbk")][:500] if root.is_dir() else []
        return near(file.stem, beside)


def offered_gates() -> list[str]:
    return [*gate.gates(), *GATE_TYPES, "iqp"]


def gate_named(name: s.Name) -> GateName | Ty:
    """What `from pullback.gates import …` means."""
    if name.name in GATE_TYPES:
        return Ty((GATE_TYPES[name.name],))
    offered = offered_gates()
    if name.name not in offered:
        raise error("name", f"`pullback.gates` has no `{name.name}`", name.span, help=near(name.name, offered) or (
            f"it has {shown(offered)}"))
    return GateName(name.name)


def relative(file: Path, root: Path) -> str:
    return str(file.relative_to(root)) if file.is_relative_to(root) else file.name


def shown(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "nothing"


def headed(span: Span) -> Span:
    """The first line of a declaration."""
    end = span.source.text.find("\n", span.start)
    return Span(span.source, span.start, min(span.end, end if end >= 0 else span.end))
