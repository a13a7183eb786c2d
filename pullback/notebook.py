"""The notebook cell: `%load_ext pullback`, then a program under `%%pullback NAME`.

    %%pullback cone
    model cone():
        …

defines `cone`, a `Program`; without a name it is `program`.  Externs are functions of the notebook of the same names.
"""
from __future__ import annotations

import sys
from typing import Any

from pullback.compiler.diagnostic import ProgramError
from pullback.terminal import say


def load_ipython_extension(shell: Any) -> None:
    """Called by `%load_ext pullback`."""
    def cell(line: str, text: str) -> None:
        from pullback.program import extern_names, loads
        name = line.strip() or "program"
        if not name.isidentifier():
            print(f"`%%pullback {name}`: a name for the program, or nothing", file=sys.stderr)
            return
        try:
            functions = {n: shell.user_ns[n] for n in extern_names(text) if n in shell.user_ns}
            shell.user_ns[name] = loads(text, name=name, **functions)
        except ProgramError as error:
            say(str(error), sys.stderr)
    shell.register_magic_function(cell, magic_kind="cell", magic_name="pullback")
