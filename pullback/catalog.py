"""What there is, for `methods` and `explain`: every rule, distribution, optimizer, function, program and error page.

A page is the text that stands where the thing is written: a docstring, the head of a program, a page of `errors/`.
"""
from __future__ import annotations

import inspect
from dataclasses import MISSING, dataclass, fields
from typing import Callable, Iterator

from pullback import library


@dataclass(frozen=True)
class Entry:
    """One thing that can be named: its kind, its name, a line on it, how it is written, and its page."""

    kind: str
    name: str
    line: str
    use: str
    page: str


def entries() -> list[Entry]:
    """All that `methods` lists, by kind."""
    library.open_library()
    return [entry for kind in KINDS.values() for entry in kind()]


def find(name: str) -> Entry | None:
    """The page called `name`: an error code before all else, since most pages are asked for after an error."""
    page = library.ERRORS / f"{name}.md"
    if name.replace("-", "").isidentifier() and page.exists():
        return error(name)
    return next((entry for entry in entries() if name in (entry.name, entry.name.rpartition(".")[2])), None)


def names() -> list[str]:
    """Every name that has a page."""
    return [*errors(), *(entry.name for entry in entries())]


def errors() -> list[str]:
    return sorted(path.stem for path in library.ERRORS.glob("*.md"))


def error(name: str) -> Entry:
    page = (library.ERRORS / f"{name}.md").read_text(encoding="utf-8")
    line = next((line for line in page.splitlines() if line.strip() and not line.startswith("#")), "")
    return Entry("error", name, line, f"error[{name}]", page)


def rules() -> Iterator[Entry]:
    from pullback.compiler import rule
    for name in rule.names():
        if (found := rule.find(name)) is not None:
            options = ", ".join(f.name if f.default in (MISSING, "") else f"{f.name} = {f.default}" for f in fields(found))
            yield written("rule", name, f"by {name}" + (f"({options})" if options else ""), inspect.getdoc(found) or "")


def distributions() -> Iterator[Entry]:
    from pullback.compiler import distribution
    for name in distribution.names():
        records = distribution.find(name)
        use = "  or  ".join(f"~ {record!r}" for record in records)
        page = "\n\n".join(dict.fromkeys(record.doc for record in records if record.doc))
        yield written("distribution", name, use, page)


def optimizers() -> Iterator[Entry]:
    from pullback.compiler import optimizer
    for name in optimizer.names():
        recipe = optimizer.find(name)
        yield written("optimizer", name, "using " + recipe.usage().strip("`"), recipe.doc)


def programs() -> Iterator[Entry]:
    """The declarations of the library's programs; the page is the program."""
    from pullback.compiler.source import Source
    from pullback.dsl.parse import parse
    for path, file in library.programs().items():
        text = file.read_text(encoding="utf-8")
        tree = parse(Source(file.name, text))
        for declared in tree.declarations:
            if (doc := getattr(declared, "doc", None)) is not None:
                kind = type(declared).__name__.lower()
                place = path.removesuffix(f".{declared.name}")
                use = f"from pullback.{place} import {declared.name}"
                yield Entry(kind, declared.name, first_line(doc or tree.doc), use, f"{use}\n\n{text}")


def written(kind: str, name: str, use: str, page: str) -> Entry:
    article = "an" if kind[0] in "aeio" else "a"
    return Entry(kind, name, first_line(page), use, f"{name}: {article} {kind}\n\n    {use}\n\n{page.strip()}\n")


def first_line(text: str) -> str:
    return text.strip().split("\n")[0].strip()


KINDS: dict[str, Callable[[], Iterator[Entry]]] = {
    "rules": rules, "distributions": distributions, "optimizers": optimizers, "programs": programs}
