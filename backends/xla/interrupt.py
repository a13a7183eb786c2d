"""Ctrl-C during a fit: the first asks it to stop at the next look, with its state whole; the second stops it at once."""
from __future__ import annotations

import signal
import threading
from typing import Any


class Interrupted(KeyboardInterrupt):
    """A fit that was asked to stop.  `.fit` is what it had reached; `.folder` where that is saved, if it is."""

    def __init__(self, name: str, step: int, fit: Any, folder: Any):
        self.step, self.fit, self.folder = step, fit, folder
        super().__init__(f"`{name}` was interrupted after step {step}"
                         + (f"; `{folder}` holds it, and `resume` goes on" if folder is not None else ""))


class Watch:
    """`asked`: has the user asked to stop?  (Only the main thread hears of it.)"""

    def __init__(self) -> None:
        self.asked = False

    def __enter__(self) -> Watch:
        self.heard = threading.current_thread() is threading.main_thread()
        if self.heard:
            self.before = signal.signal(signal.SIGINT, self.ask)
        return self

    def ask(self, number: int, frame: Any) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def __exit__(self, *error: Any) -> None:
        if self.heard:
            signal.signal(signal.SIGINT, self.before)
