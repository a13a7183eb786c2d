"""The live table of a fit over texts: scores, calls, and the texts as they are; silent where there is no terminal."""
from __future__ import annotations

from typing import Any

SHOWN = 8        # steps
WIDTH = 72       # characters of a text


class Table:
    def __init__(self, plan: Any, wanted: bool):
        self.plan, self.live = plan, None
        if not wanted:
            return
        from rich.console import Console
        console = Console(stderr=True)
        if console.is_terminal or console.is_jupyter:
            from rich.live import Live
            self.live = Live(console=console, auto_refresh=False, transient=False)

    def __enter__(self) -> Table:
        if self.live:
            self.live.start()
        return self

    def __exit__(self, *error: Any) -> None:
        if self.live:
            self.live.stop()

    def show(self, now: Any) -> None:
        """Show where the fit is."""
        if not self.live:
            return
        from rich.console import Group
        from rich.table import Table as Grid
        from rich.text import Text
        grid = Grid(title=f"{self.plan.name}: step {now.step} of {self.plan.steps}", title_justify="left", box=None, pad_edge=False)
        names = [name for name in ("step", "objective", "validate", "criticisms", "calls", "tokens", "seconds") if any(
            value == value for value in now.history[name])]
        for name in names:
            grid.add_column(name, justify="right")
        grid.add_column("what became of the texts", overflow="fold")
        for at in range(max(0, now.step - SHOWN), now.step):
            what = "; ".join(f"{report['name']} {report['what']}" for report in now.reports[at])
            grid.add_row(*(f"{now.history[name][at]:.6g}" for name in names), Text(what))
        texts = Grid(box=None, pad_edge=False, show_header=False)
        texts.add_column(style="bold")
        texts.add_column(overflow="fold")
        for name, text in now.texts.items():
            texts.add_row(Text(name), Text(text if len(text) <= 4 * WIDTH else text[:4 * WIDTH] + "…"))
        self.live.update(Group(grid, texts), refresh=True)
