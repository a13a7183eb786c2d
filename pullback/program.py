"""Programs, from text to what can be called: text → dsl → compiler → backend."""
from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import Any, Callable, Iterator, Mapping

from pullback import library
from pullback.compiler.diagnostic import ArgumentError, Diagnostic, ProgramError, near
from pullback.compiler.source import Source
from pullback.diagram import Functor, Lexicon, of_declaration
from pullback.dsl import elaborate
from pullback.dsl import syntax as s
from pullback.dsl.parse import parse
from pullback.dsl.values import Declared
from pullback.fit import Fit
from pullback.model import Model
from pullback.network import Network
from pullback.objective import Objective

library.open_library()

KINDS = {"model": Model, "objective": Objective, "fit": Fit, "network": Network, "diagram": of_declaration, "box": of_declaration,
         "functor": Functor, "lexicon": Lexicon}


def load(path: str | Path, **externs: Callable[..., Any]) -> Program:
    """The program in a file.  Externs are given by keyword; what is wrong is a `ProgramError`."""
    path = Path(path)
    return program(Source(str(path), read(path)), path.parent, externs)


def loads(text: str, name: str = "program", **externs: Callable[..., Any]) -> Program:
    """The program in a string, under a name; there are no files beside it that it could import."""
    return program(Source(name, text), None, externs)


def program(source: Source, folder: Path | None, externs: Mapping[str, Callable[..., Any]]) -> Program:
    loaded = elaborate.load(source, library=library.root(), folder=folder, externs=externs)
    known = loaded.of("extern")
    for name in externs:
        if name not in known:
            raise ArgumentError(Diagnostic("argument", f"`{source.name}` declares no extern `{name}`", help=near(name, known)))
    made = Program(loaded)
    if findings := list(made.verified()):
        raise ProgramError(findings)
    return made


def read(path: Path) -> str:
    """A program's text; what can't be read is a `file` error."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        beside = [other.name for other in path.parent.glob("*.pbk")] if path.parent.is_dir() else []
        raise ProgramError([Diagnostic("file", f"there is no file `{path}`", help=near(path.name, beside))]) from None
    except UnicodeDecodeError:
        raise ProgramError([Diagnostic("file", f"`{path}` is no text in UTF-8")]) from None
    except OSError as error:
        raise ProgramError([Diagnostic("file", f"can't read `{path}`: {(error.strerror or str(error)).lower()}")]) from None


def check(path: str | Path, **externs: Callable[..., Any]) -> list[Diagnostic]:
    """Everything that can be said of a program in a file, warnings too."""
    try:
        return list(load(path, **externs).warnings)
    except ProgramError as error:
        return error.diagnostics


def extern_names(text: str) -> list[str]:
    """The names of a program's externs."""
    return [one.name for one in parse(Source("program", text)).declarations if isinstance(one, s.Extern)]


class Program:
    """A program that was read and checked.  `program["name"]` is any declaration; the mappings hold those of one kind."""

    def __init__(self, loaded: elaborate.Loaded):
        self.loaded = loaded
        self._made = {name: KINDS.get(found.kind, lambda _, declared: declared)(loaded, found)
                      for name, found in loaded.declarations.items()}
        imported = {name: found for name, found in loaded.module.imported.items() if isinstance(found, Declared)}
        self._imported = {name: KINDS[found.kind](loaded, found) for name, found in imported.items() if found.kind in KINDS}

    models = property(lambda self: self._of("model"))
    objectives = property(lambda self: self._of("objective"))
    fits = property(lambda self: self._of("fit"))
    boxes = property(lambda self: self._of("box"))
    diagrams = property(lambda self: self._of("diagram"))
    functors = property(lambda self: self._of("functor"))
    lexicons = property(lambda self: self._of("lexicon"))

    @property
    def source(self) -> Source:
        return self.loaded.module.source

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """What is worth saying and no error."""
        return self.loaded.warnings

    def __getitem__(self, name: str) -> Any:
        found = self._made.get(name) or self._imported.get(name)
        if found is None:
            known = [*self._made, *self._imported]
            hint = near(name, known) or f"it declares {', '.join(known) or 'nothing'}"
            raise KeyError(f"`{self.source.name}` declares no `{name}`: {hint}")
        return found

    def __contains__(self, name: object) -> bool:
        return name in self._made or name in self._imported

    def __iter__(self) -> Iterator[str]:
        return iter(self._made)

    def __repr__(self) -> str:
        return f"<program {self.source.name}: {', '.join(self._made) or 'nothing'}>"

    def _of(self, kind: str) -> Mapping[str, Any]:
        return MappingProxyType({name: self._made[name] for name in self.loaded.of(kind)})

    def verified(self) -> Iterator[Diagnostic]:
        """What the compiler's checks find in objectives and fits, for every size; what waits for shapes is left.

        An objective alone does not say with how many particles it is run: two stand for several.
        """
        seen = set()
        for name, found in [*self.fits.items(), *self.objectives.items()]:
            if name in self.loaded.pending:
                continue
            try:
                found.compile(**({} if isinstance(found, Fit) else {"particles": 2})).stages()
            except ProgramError as error:
                for diagnostic in error.diagnostics:
                    key = (diagnostic.code, diagnostic.span)
                    if key not in seen:
                        seen.add(key)
                        yield diagnostic
