"""What the commands do.  Each takes the parsed arguments and gives the exit code; heavy imports stand inside."""
from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Mapping

from pullback.compiler.diagnostic import ArgumentError, Diagnostic, EngineError, FitError, ProgramError, near
from pullback.terminal import as_json, show, table


def run(arguments: argparse.Namespace) -> int:
    """Run a command; what is wrong is printed, never a traceback."""
    try:
        return COMMANDS[arguments.command](arguments)
    except ProgramError as error:
        show(error.diagnostics, sys.stderr)
        return 1
    except EngineError as error:
        show(error.diagnostics, sys.stderr)
        return 1
    except FitError as error:
        show(error.diagnostics, sys.stderr)
        return 2 if {"file", "checkpoint"} & {diagnostic.code for diagnostic in error.diagnostics} else 1
    except ArgumentError as error:
        show(error.diagnostics, sys.stderr)
        return 2


def check(arguments: argparse.Namespace) -> int:
    from pullback.program import check as checked
    found: list[Diagnostic] = []
    functions = externs(arguments.extern)
    for file in arguments.files:
        found += checked(readable(file), **functions)
    wrong = sum(diagnostic.severity == "error" for diagnostic in found)
    if arguments.json:
        print(as_json(found))
    else:
        show(found, sys.stdout)
        count = f"{wrong} error{'s' if wrong != 1 else ''}" if wrong else "no errors"
        print(f"{count} in {', '.join(arguments.files)}", file=sys.stderr)
    return 1 if wrong else 0


def fmt(arguments: argparse.Namespace) -> int:
    from pullback.compiler.source import Source
    from pullback.dsl.format import format
    other = []
    for file in arguments.files:
        path = readable(file)
        before = read_text(path)
        after = format(Source(file, before))
        if after != before:
            other.append(file)
            if not arguments.check:
                write_text(path, after)
    for file in other:
        print(file)
    return 1 if other and arguments.check else 0


def fit(arguments: argparse.Namespace) -> int:
    from pullback import outputs
    program, declared = target(arguments, ["fits"])
    settings = settings_of(arguments.set)
    given = data_of(arguments, settings, declared.given)
    out = Path(arguments.out) if arguments.out else None
    if arguments.resume and out is None:
        raise ArgumentError(Diagnostic("argument", "`--resume` needs the folder of the run: `--out DIR`"))
    if arguments.engine is not None:
        settings["engine"] = engine(arguments.engine)
    fitted = declared.run(
        arguments.seed, data=given, progress=not arguments.no_progress, resume=arguments.resume,
        checkpoint=out / "checkpoints" if out else None, notify=lambda diagnostic: show([diagnostic], sys.stderr), **settings)
    if out is not None:
        outputs.write(out, fitted)
        print(out)
    else:
        outputs.show(fitted, sys.stdout)
    return 0


def evaluate(arguments: argparse.Namespace) -> int:
    from pullback import outputs
    from pullback.program import Fit
    program, declared = target(arguments, ["objectives", "fits"])
    settings = settings_of(arguments.set)
    params = outputs.read_params(arguments.params) if arguments.params else None
    if isinstance(declared, Fit):
        needed = declared.given
    else:
        needed = {name: type for name, type in declared.parameters.items() if name not in (params or {})}
    known = [*needed, "particles", "allow_biased", *(["steps"] if isinstance(declared, Fit) else [])]
    if unknown := [name for name in settings if name not in known]:
        raise ArgumentError(*(Diagnostic("argument", f"`{declared.name}` has nothing called `{name}` to set", help=near(
            name, known) or f"it has {', '.join(f'`{one}`' for one in known)}") for name in unknown))
    given = data_of(arguments, settings, needed)
    found = declared.estimate(arguments.seed, params=params, data=given, draws=arguments.draws, **settings)
    rows = [("value", f"{found.value:.6g}", f"{found.error:.2g}")]
    rows += [(f"gradient norm, {name}", f"{norm:.6g}", f"{error:.2g}") for name, (norm, error) in found.gradients.items()]
    table(["", "estimate", "standard error"], rows, sys.stdout)
    return 0


def draw(arguments: argparse.Namespace) -> int:
    from pullback import outputs
    from pullback.backends.draw import page
    from pullback.diagram import Diagram
    program, declared = target(arguments, ["fits", "objectives", "models", "diagrams"])
    output = Path(arguments.output or "")
    if isinstance(declared, Diagram):
        found: Any = None
        if arguments.output is None:
            print(declared.declaration)
            return 0
    else:
        found = compiled(declared, arguments)
        if arguments.output is None:
            print(found.graph(arguments.stage or "ir"))
            return 0
    try:
        if isinstance(declared, Diagram):
            output = outputs.drawn(declared.draw(), output)
        elif output.suffix == ".html" and arguments.stage is None:
            write_text(output, page({stage: found.graph(stage) for stage in found.named_stages}, program.source))
        else:
            output = outputs.drawn(found.graph(arguments.stage or "ir"), output)
    except OSError as error:
        raise ArgumentError(Diagnostic(
            "file", f"can't write `{output}`: {(error.strerror or str(error)).lower()}")) from None
    except ValueError as error:
        raise ArgumentError(Diagnostic("argument", str(error))) from None
    print(output)
    return 0


def ledger(arguments: argparse.Namespace) -> int:
    program, declared = target(arguments, ["fits", "objectives"])
    print(compiled(declared, arguments).ledger)
    return 0


def tune(arguments: argparse.Namespace) -> int:
    from pullback import data, outputs
    from pullback.program import Fit
    from pullback.tune import variance
    program, declared = target(arguments, ["objectives", "fits"])
    settings = settings_of(arguments.set)
    params = outputs.read_params(arguments.params) if arguments.params else None
    if isinstance(declared, Fit):
        given = data_of(arguments, settings, declared.given)
        params = declared.at(arguments.seed, given, **settings) if params is None else params
    else:
        numbers = {name: settings.pop(name) for name in list(settings) if declared.parameters.get(name) == "real"}
        needed = {name: type for name, type in declared.parameters.items()
                  if name not in settings and name not in numbers and name not in (params or {})}
        given = data.collect(arguments.data, needed)
        reals = {name for name in given if declared.parameters[name].startswith(("real", "positive", "unit", "simplex"))}
        params = {**(params or {}), **numbers, **{name: given.pop(name) for name in reals}}
    found = variance(declared, params, given, key=arguments.seed, draws=arguments.draws, **settings)
    heads, rows = found.cells()
    table(heads, rows, sys.stdout)
    print(f"\n{found.best.text}")
    return 0


def methods(arguments: argparse.Namespace) -> int:
    from pullback import catalog
    if arguments.name is not None:
        return explain(arguments)
    entries = catalog.entries()
    for kind in dict.fromkeys(entry.kind for entry in entries):
        print(f"\n{kind}s")
        table(["name", "what", "use"], [(e.name, e.line, e.use) for e in entries if e.kind == kind], sys.stdout)
    return 0


def explain(arguments: argparse.Namespace) -> int:
    from pullback import catalog
    entry = catalog.find(arguments.name)
    if entry is None:
        names = catalog.names()
        raise ArgumentError(Diagnostic("name", f"there is no page called `{arguments.name}`", help=near(
            arguments.name, names) or f"error codes: {', '.join(catalog.errors())}; `pullback methods` lists the rest"))
    print(entry.page.rstrip())
    return 0


COMMANDS = {"check": check, "fmt": fmt, "fit": fit, "eval": evaluate, "draw": draw, "ledger": ledger, "tune": tune,
            "methods": methods, "explain": explain}


# ---------------------------------------------------------------- what they share


def compiled(declared: Any, arguments: argparse.Namespace) -> Any:
    """What is asked about, compiled; at the sizes of the data if there are any."""
    settings = settings_of(arguments.set)
    given = data_of(arguments, settings, declared.given) if arguments.data else {}
    return declared.prepared(arguments.seed, data=given, **settings)


def target(arguments: argparse.Namespace, kinds: list[str]) -> tuple[Any, Any]:
    """The program and the declaration that `FILE[:NAME]` means; without a name, the only one of the first kind."""
    from pullback.program import load
    file, colon, name = arguments.target.rpartition(":")
    if not colon or Path(arguments.target).exists() or len(file) == 1:
        file, name = arguments.target, ""
    program = load(readable(file), **externs(arguments.extern))
    known = {name: declared for kind in kinds for name, declared in getattr(program, kind).items()}
    what = " or ".join(kind.removesuffix("s") for kind in kinds)
    if name:
        if name not in known:
            help = near(name, known) or (f"it has {', '.join(f'`{n}`' for n in known)}" if known else "")
            raise ArgumentError(Diagnostic("name", f"`{file}` has no {what} called `{name}`", help=help))
        return program, known[name]
    for kind in kinds:
        if len(found := getattr(program, kind)) == 1:
            return program, next(iter(found.values()))
    raise ArgumentError(Diagnostic(
        "name", f"which {what} of `{file}`?" if known else f"`{file}` has no {what}",
        help=" ".join(f"{file}:{n}" for n in known)))


def externs(options: list[str]) -> dict[str, Any]:
    """`--extern NAME=module:function`: Python that the caller, and no program, chooses to run."""
    found = {}
    for option in options:
        name, _, place = option.partition("=")
        module, _, function = place.partition(":")
        if not (name and module and function):
            raise ArgumentError(Diagnostic("argument", f"`--extern {option}` is not of the form NAME=module:function"))
        if "" not in sys.path:
            sys.path.insert(0, "")
        try:
            found[name] = getattr(import_module(module), function)
        except ModuleNotFoundError as error:
            raise ArgumentError(Diagnostic("argument", f"`--extern {option}`: there is no module `{error.name}`")) from None
        except AttributeError:
            raise ArgumentError(Diagnostic("argument", f"`--extern {option}`: `{module}` has no `{function}`", help=near(
                function, dir(import_module(module))))) from None
        except Exception as error:  # whatever the module raises is the caller's to see, in one line
            raise ArgumentError(Diagnostic("argument", f"`--extern {option}`: {type(error).__name__}: {error}")) from None
    return found


def engine(option: str) -> Any:
    """`--engine local`, `--engine openai:MODEL@URL`, `--engine replay:PATH`, `--engine module:function` that makes one."""
    from pullback import engines
    name, _, rest = option.partition(":")
    try:
        if name == "openai":
            model, _, url = rest.partition("@")
            return engines.openai(model, **({"base_url": url} if url else {}))
        if name in ("local", "rules", "jax_lm", "replay"):
            return getattr(engines, name)(*([rest] if rest else []))
        if "" not in sys.path:
            sys.path.insert(0, "")
        return getattr(import_module(name), rest)()
    except Exception as error:  # whatever stands in the way is the caller's to mend, in one line
        if isinstance(error, ArgumentError):
            raise
        raise ArgumentError(Diagnostic("argument", f"`--engine {option}`: {error}", help=(
            "`local`, `openai:MODEL@URL`, `replay:PATH`, or `module:function` of yours"))) from None


def data_of(arguments: argparse.Namespace, settings: dict[str, Any], needed: Mapping[str, str]) -> dict[str, Any]:
    """The data that a program needs: from files, and the numbers among the settings, which are taken out of these."""
    from pullback import data
    numbers = {name: settings.pop(name) for name in list(settings) if name in needed}
    return {**data.collect(arguments.data, {name: type for name, type in needed.items() if name not in numbers}), **numbers}


def settings_of(options: list[str]) -> dict[str, Any]:
    """`--set NAME=VALUE`: numbers and switches."""
    found: dict[str, Any] = {}
    for option in options:
        name, equals, text = option.partition("=")
        value = {"true": True, "false": False}.get(text, text)
        for kind in (int, float):
            if isinstance(value, str):
                try:
                    value = kind(text)
                except ValueError:
                    continue
        if not name.isidentifier() or not equals or isinstance(value, str):
            raise ArgumentError(Diagnostic("argument", f"`--set {option}` is not of the form NAME=NUMBER"))
        found[name] = value
    return found


def readable(file: str) -> Path:
    """A program's path; a `file` error if it is not there."""
    path = Path(file)
    if not path.exists():
        some = [str(other) for other in path.parent.glob("*.pbk")] if path.parent.exists() else []
        raise ArgumentError(Diagnostic("file", f"there is no file `{file}`", help=near(file, some)))
    return path


def read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ArgumentError(Diagnostic("file", f"`{path}` is no text in UTF-8")) from None
    except OSError as error:
        raise ArgumentError(Diagnostic("file", f"can't read `{path}`: {(error.strerror or str(error)).lower()}")) from None


def write_text(path: Path, text: str) -> None:
    """Replace a file's text, whole or not at all."""
    from pullback.backends.xla.checkpoint import reason, write
    try:
        write(path.resolve(), text.encode())
    except OSError as error:
        raise ArgumentError(Diagnostic("file", f"can't write `{path}`: {reason(error)}")) from None
