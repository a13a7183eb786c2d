"""Checkpoints that survive a kill at any moment, a full disk and a flipped bit.

A checkpoint is two files of one number: `00007.safetensors` (the arrays) and `00007.json` (what they are).  Each is
written beside its place, synced and renamed; the JSON comes last, so it is there only if the arrays are.  It carries
the arrays' digest and its own, and nothing in it is ever executed: no pickle.  The last two are kept: a file that is
damaged later costs one interval, not the run.  No number is used twice, so nothing good is ever overwritten.

This module imports no JAX: a checkpoint can be read by anything that reads safetensors.
"""
from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Mapping

import numpy as np

from pullback.compiler.diagnostic import Diagnostic, Reported

SCHEMA = 1
KEPT = 2
NUMBERED = re.compile(r"\d{5,}\.json")
OURS = re.compile(r"(\.?)\d{5,}\.(json|safetensors)(\.tmp)?")


@dataclass(frozen=True)
class Checkpoint:
    """The state after `step` steps: arrays by name, and what else there is to know as plain JSON."""

    step: int
    arrays: Mapping[str, np.ndarray]
    program: str
    notes: Mapping[str, Any] = field(default_factory=dict)


def save(folder: str | os.PathLike, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint beside the ones that are there, then drop all but the last two."""
    from safetensors.numpy import save as packed
    root = Path(folder)
    try:
        root.mkdir(parents=True, exist_ok=True)
        number = max([int(path.stem) for path in root.iterdir() if OURS.fullmatch(path.name) and path.stem.isdigit()],
                     default=0) + 1
        arrays = packed({name: np.asarray(array, order="C") for name, array in checkpoint.arrays.items()})
        described = {
            "schema": SCHEMA, "program": checkpoint.program, "step": checkpoint.step, "notes": dict(checkpoint.notes),
            "bytes": len(arrays), "sha256": hashlib.sha256(arrays).hexdigest(),
            "arrays": {name: [str(array.dtype), *array.shape] for name, array in checkpoint.arrays.items()}}
        write(root / f"{number:05}.safetensors", arrays)
        write(root / f"{number:05}.json", json.dumps(sealed(described), indent=1).encode())
        prune(root)
    except OSError as error:
        raise Reported(unwritable(root, error)) from error
    return root / f"{number:05}.json"


def load(folder: str | os.PathLike, program: str | None = None, like: Mapping[str, Any] | None = None,
         notify: Callable[[Diagnostic], None] = lambda diagnostic: None) -> Checkpoint | None:
    """The last checkpoint in a folder, or the last but one if that is damaged (`notify` hears of it); None if there
    is none.  `like`: what has a shape and a dtype, by name; another program, other arrays are a `checkpoint` error."""
    found = numbered(Path(folder))
    damages: list[Diagnostic] = []
    for path in reversed(found[-KEPT:]):
        try:
            checkpoint = read(path)
        except Reported as report:
            damages += report.diagnostics
            continue
        for damage in damages:
            notify(damage)
        fits(path, checkpoint, program, like)
        return checkpoint
    if damages:
        raise Reported(*damages)
    return None


def read(path: str | os.PathLike) -> Checkpoint:
    """One checkpoint by its JSON file, checked against both digests before anything of it is used."""
    from safetensors import SafetensorError
    from safetensors.numpy import load as unpacked
    path = Path(path)
    try:
        described = json.loads(path.read_bytes())
        if not isinstance(described, dict) or described != sealed(described):
            raise damaged(path, "its contents do not agree with its checksum")
        if described["schema"] != SCHEMA:
            raise Reported(Diagnostic(
                "checkpoint", f"`{path}` has the layout {described['schema']}, and this version reads {SCHEMA}",
                help="go on with the version that wrote it, or start in another folder"))
        data = path.with_suffix(".safetensors").read_bytes()
        if len(data) != described["bytes"]:
            raise damaged(path, f"its arrays have {len(data)} bytes of {described['bytes']}")
        if hashlib.sha256(data).hexdigest() != described["sha256"]:
            raise damaged(path, "its arrays do not agree with their checksum")
        return Checkpoint(int(described["step"]), unpacked(data), described["program"], described["notes"])
    except FileNotFoundError as error:
        raise damaged(path, f"`{Path(error.filename).name}` is missing") from error
    except OSError as error:
        raise Reported(Diagnostic("file", f"can't read the checkpoint `{path}`: {reason(error)}")) from error
    except (ValueError, KeyError, TypeError, SafetensorError) as error:
        raise damaged(path, "it is not what it should be") from error


def fits(path: Path, checkpoint: Checkpoint, program: str | None, like: Mapping[str, Any] | None) -> None:
    """Raise a `checkpoint` error if it is another program's, or of other arrays."""
    if program is not None and checkpoint.program != program:
        raise Reported(Diagnostic(
            "checkpoint", f"`{path}` was written by another program, or by this one before it was changed",
            help="start in another folder, or put the program back as it was"))
    wrong = []
    for name, array in (like or {}).items():
        kept = checkpoint.arrays.get(name)
        if kept is None:
            wrong.append(f"`{name}` is missing")
        elif kept.shape != tuple(array.shape) or kept.dtype != array.dtype:
            wrong.append(f"`{name}` is {kept.dtype}{list(kept.shape)} there, {array.dtype}{list(array.shape)} here")
    wrong += [f"`{name}` is left over" for name in checkpoint.arrays if like is not None and name not in like]
    if wrong:
        more = f", and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise Reported(Diagnostic(
            "checkpoint", f"`{path}` does not fit this run: {'; '.join(wrong[:3])}{more}",
            help="sizes, precision and optimizers must be those of the run that wrote it"))


def write(path: Path, data: bytes) -> None:
    """Put a file in place whole or not at all, even if the machine stops now."""
    aside = path.with_name(f".{path.name}.tmp")
    try:
        with open(aside, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise
    synced(path.parent)


def synced(folder: Path) -> None:
    """Make the names in a folder durable, where the system can."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def prune(root: Path) -> None:
    """Drop all but the last two checkpoints, and what a killed run left half-written."""
    kept = {path.stem for path in numbered(root)[-KEPT:]}
    for path in sorted(root.iterdir(), key=lambda path: path.suffix != ".json"):  # the JSON goes before its arrays
        if OURS.fullmatch(path.name) and path.stem not in kept:
            path.unlink(missing_ok=True)


def numbered(root: Path) -> list[Path]:
    """The JSON files of the checkpoints in a folder, oldest first."""
    try:
        return sorted((path for path in root.iterdir() if NUMBERED.fullmatch(path.name)), key=lambda p: int(p.stem))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise Reported(Diagnostic("file", f"can't read the folder `{root}`: {reason(error)}")) from error


def sealed(described: Mapping[str, Any]) -> dict[str, Any]:
    """The same with the digest of all its other entries."""
    rest = {name: value for name, value in described.items() if name != "seal"}
    return {**rest, "seal": hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()}


def damaged(path: Path, how: str) -> Reported:
    return Reported(Diagnostic("checkpoint", f"`{path}` is damaged: {how}"))


def unwritable(root: Path, error: OSError) -> Diagnostic:
    return Diagnostic("file", f"can't write a checkpoint into `{root}`: {reason(error)}",
                      help="what was saved there before is as it was; `resume` goes on from it")


def reason(error: OSError) -> str:
    """What the system says, in plain words."""
    plain = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is used up", errno.EROFS:
             "the disk is read-only", errno.EACCES: "no permission", errno.EPERM: "no permission",
             errno.EFBIG: "the file would be larger than the system allows", errno.ENOENT: "there is no such file",
             errno.ENOTDIR: "a part of the path is a file", errno.EEXIST: "there is a file of that name",
             errno.EISDIR: "it is a folder"}
    return plain.get(error.errno or 0, (error.strerror or str(error)).lower())
