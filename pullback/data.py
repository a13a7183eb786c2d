"""Data from files: `--data NAME=PATH[:KEY]`.

`.npz` and `.npy` (never pickled ones), `.csv` and `.parquet` (KEY: a column, or several as `a,b`; none: all columns,
as a matrix), `.txt` (a text a line) and `.jsonl` (KEY: a field of each line).  Whatever can't be read is a `file`
error; what was read and is not what the program needs is a `data` error.
"""
from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any, Callable, Iterable, Mapping

import numpy as np

from pullback.compiler.diagnostic import ArgumentError, Diagnostic, near


def collect(options: Iterable[str], given: Mapping[str, str]) -> dict[str, Any]:
    """The data of a command, by name; `given` says what the program needs, name → type as it is written there."""
    found, wrong = {}, []
    for option in options:
        name, equals, place = option.partition("=")
        if not equals or not place:
            wrong.append(Diagnostic("argument", f"`--data {option}` is not of the form NAME=PATH or NAME=PATH:KEY"))
        elif name not in given:
            hint = near(name, given) or ("it is given " + listed(given) if given else "it is given no data")
            wrong.append(Diagnostic("argument", f"the program is given no `{name}`", help=hint))
        else:
            try:
                found[name] = fitting(place, read(name, place), given[name])
            except ArgumentError as error:
                wrong += error.diagnostics
                found[name] = None
    if missing := {name: type for name, type in given.items() if name not in found}:
        wrong.append(Diagnostic("argument", f"data missing: {listed(missing)}",
                                help=" ".join(
            f"--data {name}=PATH" + (f" or --set {name}=NUMBER" if "[" not in type and type not in ("params", "text") else "")
            for name, type in missing.items())))
    if wrong:
        raise ArgumentError(*wrong)
    return found


def fitting(place: str, value: Any, type: str) -> Any:
    """What was read, if it may be of the type: a `data` error where texts stand in the place of numbers."""
    if isinstance(value, list) and not type.startswith(("text", "one_of")):
        odd = next((word for word in value if not isinstance(word, str) or not numeric(word)), value[0] if value else "")
        raise wrong("data", f"`{place}` holds texts, not numbers: `{odd}`", f"a `{type}` is needed")
    return value


def listed(types: Mapping[str, str]) -> str:
    return ", ".join(f"`{name}: {type}`" for name, type in types.items())


def read(name: str, place: str) -> Any:
    """The array or the texts at `PATH[:KEY]`; `name` is the key where a file holds several and none is said."""
    path, key = split(place)
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise wrong("file", f"`{path}`: the kind of file must be one of {', '.join(READERS)}")
    try:
        return reader(path, key, name)
    except ArgumentError:
        raise
    except FileNotFoundError:
        raise wrong("file", f"there is no file `{path}`", near(path.name, siblings(path))) from None
    except IsADirectoryError:
        raise wrong("file", f"`{path}` is a folder") from None
    except OSError as error:
        raise wrong("file", f"can't read `{path}`: {(error.strerror or str(error)).lower()}") from None
    except ImportError as error:
        raise wrong("file", f"reading `{path.suffix}` needs {error.name}", "pip install 'pullback[data]'") from None
    except Exception as error:  # the libraries that read have exceptions of their own; the user has one bad file
        said = str(error).strip().split("\n")[0][:160]
        if "pickle" in said:
            said = "it is damaged, or it holds Python objects, which are never loaded"
        raise wrong("file", f"`{path}` can't be read as {path.suffix}", said) from None


def split(place: str) -> tuple[Path, str | None]:
    """Path and key; a colon that is part of the path of a file that exists belongs to the path."""
    head, colon, key = place.rpartition(":")
    if not colon or Path(place).exists() or len(head) == 1:  # one letter: a drive
        return Path(place), None
    return Path(head), key


def siblings(path: Path) -> list[str]:
    try:
        return [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return []


def wrong(code: str, message: str, help: str = "") -> ArgumentError:
    return ArgumentError(Diagnostic(code, message, help=help))


def pick(path: Path, key: str | None, name: str, known: Iterable[str], what: str) -> str:
    """The key to take: the one said, the only one there is, or the one that is called like the data."""
    known = list(known)
    if key is None:
        key = known[0] if len(known) == 1 else name
    if key not in known:
        some = ", ".join(f"`{k}`" for k in known[:8]) + (", …" if len(known) > 8 else "")
        raise wrong("data", f"`{path}` has no {what} `{key}`", near(key, known) or f"it has {some}")
    return key


def npz(path: Path, key: str | None, name: str) -> np.ndarray:
    with np.load(path, allow_pickle=False) as arrays:
        return arrays[pick(path, key, name, arrays.files, "array")]


def npy(path: Path, key: str | None, name: str) -> np.ndarray:
    return np.load(path, allow_pickle=False)


def table(path: Path, key: str | None, name: str) -> Any:
    """Columns of a `.csv`; its first line names them unless all of it are numbers."""
    with open(path, newline="", encoding="utf-8-sig") as file:
        rows = [row for row in csv.reader(file) if row]
    if not rows:
        raise wrong("data", f"`{path}` is empty")
    names = [str(i) for i in range(len(rows[0]))] if all(map(numeric, rows[0])) else [c.strip() for c in rows.pop(0)]
    for number, row in enumerate(rows, 1):
        if len(row) != len(names):
            raise wrong("data", f"row {number} of `{path}` has {len(row)} columns, and there are {len(names)} names")
    columns = {column: [row[at].strip() for row in rows] for at, column in enumerate(names)}
    return matrix(path, columns, key, name)


def parquet(path: Path, key: str | None, name: str) -> Any:
    import pandas
    frame = pandas.read_parquet(path)
    return matrix(path, {str(column): frame[column].to_numpy() for column in frame.columns}, key, name)


def matrix(path: Path, columns: Mapping[str, Any], key: str | None, name: str) -> Any:
    """One column as a vector or as texts, several as a matrix of numbers."""
    if key is None and (len(columns) == 1 or name in columns):
        key = next(iter(columns)) if len(columns) == 1 else name
    if key is not None and key in columns:
        return numbers(columns[key])
    wanted = [pick(path, part.strip(), name, columns, "column") for part in key.split(",")] if key else list(columns)
    arrays = {column: numbers(columns[column]) for column in wanted}
    if texts := [column for column, array in arrays.items() if isinstance(array, list)]:
        raise wrong("data", f"column `{texts[0]}` of `{path}` holds texts, not numbers",
                    f"name the columns to take: `{path}:a,b`")
    return np.stack(list(arrays.values()), axis=-1)


def numeric(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def numbers(column: Any) -> np.ndarray | list[str]:
    """A column as ints where all are, else as reals (what is empty is NaN), else as texts."""
    array = np.asarray(column)
    if array.dtype.kind in "biuf":
        return array
    words = ["" if word is None else str(word) for word in column]
    if all(word.lstrip("+-").isdecimal() for word in words):
        return np.array([int(word) for word in words])
    switches = {"true": 1, "false": 0}
    if all(word.lower() in switches for word in words):
        return np.array([switches[word.lower()] for word in words], bool)
    if all(word == "" or word.upper() == "NA" or numeric(word) for word in words):
        return np.array([float(word) if numeric(word) else np.nan for word in words])
    return words


def lines(path: Path, key: str | None, name: str) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def jsonl(path: Path, key: str | None, name: str) -> Any:
    """A field of each line: numbers or lists of them as an array, else texts; without fields, the lines themselves."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    if rows and isinstance(rows[0], dict):
        field = pick(path, key, name, rows[0], "field")
        for number, row in enumerate(rows, 1):
            if not isinstance(row, dict) or field not in row:
                raise wrong("data", f"line {number} of `{path}` has no `{field}`")
        rows = [row[field] for row in rows]
    return rows if any(isinstance(row, str) for row in rows) else np.asarray(rows)


READERS: dict[str, Callable[[Path, str | None, str], Any]] = {
    ".npz": npz, ".npy": npy, ".csv": table, ".parquet": parquet, ".txt": lines, ".jsonl": jsonl}
