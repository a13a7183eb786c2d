"""The command line: `pullback COMMAND --help` explains each.

Results go to stdout, progress and errors to stderr.  Exit 0: done; 1: the program is wrong; 2: the command is wrong;
130: interrupted.  What a command does stands in `commands.py`, which is imported when one is run: `--help` is quick.
"""
from __future__ import annotations

import argparse
import os
import sys
from typing import Sequence

PROGRAM = "a program, `x.pbk`"


def parser() -> argparse.ArgumentParser:
    """Every command and its options."""
    from pullback import __version__
    top = argparse.ArgumentParser(prog="pullback", description="Objective programs, compiled to JAX.")
    top.add_argument("--version", action="version", version=f"pullback {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name: str, does: str, more: str = "") -> argparse.ArgumentParser:
        return commands.add_parser(name, help=does, description=f"{does[0].upper()}{does[1:]}.  {more}".strip())

    check = command("check", "parse, type-check and verify programs; print every finding",
                    "Exit 1 if there is an error.")
    check.add_argument("files", nargs="+", metavar="FILE", help=PROGRAM)
    check.add_argument("--json", action="store_true", help="print the findings as a JSON list")
    externs(check)

    fmt = command("fmt", "put programs into their one layout; comments are kept")
    fmt.add_argument("files", nargs="+", metavar="FILE", help=PROGRAM)
    fmt.add_argument("--check", action="store_true", help="write nothing; exit 1 if a layout is another")

    fit = command("fit", "run a fit with a live progress line", "A program with one fit needs no name.")
    fit.add_argument("target", metavar="FILE[:FIT]", help=f"{PROGRAM}, and the fit in it")
    inputs(fit)
    fit.add_argument("--out", metavar="DIR", help="write params, history, plot, ledger and drawings to DIR, and "
                     "checkpoints on the way")
    fit.add_argument("--resume", action="store_true", help="go on from the last checkpoint in DIR")
    fit.add_argument("--engine", metavar="ENGINE", help="what answers for texts: local, openai:MODEL@URL, rules, replay:PATH, or a "
                     "module:function that makes an engine")
    fit.add_argument("--no-progress", action="store_true", help="show no progress line")

    value = command("eval", "value, standard error and gradient norms of an objective",
                    "Of a fit: its objective, at its starts or at `--params`.")
    value.add_argument("target", metavar="FILE:OBJECTIVE", help=f"{PROGRAM}, and the objective or fit in it")
    inputs(value)
    value.add_argument("--params", metavar="FILE", help="parameters: the `params.safetensors` of a fit")
    value.add_argument("--draws", type=positive, default=100, metavar="N", help="how many estimates (100)")

    draw = command("draw", "draw a program's objective, fit or model")
    draw.add_argument("target", metavar="FILE[:NAME]", help=f"{PROGRAM}, and what is to be drawn")
    draw.add_argument("--stage", help="source, ir, checked, estimator, jaxpr, any pass; of a model: source, ir, plates (ir)")
    draw.add_argument("-o", "--output", metavar="x.svg", help="where to: .svg, .png, .dot, or .html with all stages on "
                      "one page; without it, the stage's text")
    inputs(draw)

    ledger = command("ledger", "which rule each choice has, why, and whether the whole is unbiased")
    ledger.add_argument("target", metavar="FILE[:NAME]", help=f"{PROGRAM}, and the objective or fit in it")
    inputs(ledger)

    tune = command("tune", "variance, time and variance × time of the admissible rules, and the best as program text",
                   "Of a fit: its objective, at its starts or at `--params`; of an objective, `--set` gives its numbers.")
    tune.add_argument("target", metavar="FILE:OBJECTIVE", help=f"{PROGRAM}, and the objective or fit in it")
    inputs(tune)
    tune.add_argument("--params", metavar="FILE", help="parameters: the `params.safetensors` of a fit")
    tune.add_argument("--draws", type=positive, default=400, metavar="N", help="estimates that a variance is told from (400)")

    methods = command("methods", "the standard library: what there is, and how it is used")
    methods.add_argument("name", nargs="?", metavar="NAME", help="one of them: its page")

    explain = command("explain", "the page of an error code, a rule or a library program")
    explain.add_argument("name", metavar="NAME", help="an error code or anything that `methods` lists")
    return top


def externs(command: argparse.ArgumentParser) -> None:
    command.add_argument("--extern", action="append", default=[], metavar="NAME=module:function",
                         help="a function that the program declares `extern`")


def inputs(command: argparse.ArgumentParser) -> None:
    """What a program is run on."""
    command.add_argument("--data", action="append", default=[], metavar="NAME=PATH[:KEY]",
                         help="an array of .npz .npy .csv .parquet .txt .jsonl; KEY: an array's or a column's name")
    command.add_argument("--set", action="append", default=[], metavar="NAME=VALUE",
                         help="particles=8, steps=1000, or an int argument of the program")
    command.add_argument("--seed", type=int, default=0, metavar="N", help="the run's key (0)")
    externs(command)


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit code."""
    try:
        chosen = parser().parse_args(arguments)
    except SystemExit as stop:  # argparse has said what is wrong, or has helped
        return int(stop.code or 0)
    from pullback.commands import run
    try:
        return run(chosen)
    except KeyboardInterrupt as stop:
        print(str(stop) or "interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
