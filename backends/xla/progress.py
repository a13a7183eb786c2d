"""The live line of a fit: on a terminal or in a notebook, and silent anywhere else."""
from __future__ import annotations

from typing import Any


class Line:
    """`name ━━━━╸    1200/5000  objective −8.08  ‖∇‖ 0.31  2,150/s  0:00:01`"""

    def __init__(self, name: str, steps: int, wanted: bool):
        self.name, self.steps, self.bar = name, steps, None
        if not wanted:
            return
        from rich.console import Console
        console = Console(stderr=True)
        if console.is_terminal or console.is_jupyter:
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
            self.bar = Progress(
                TextColumn("{task.description}"), BarColumn(bar_width=10),
                TextColumn("{task.completed:.0f}/{task.total:.0f}  {task.fields[figures]}"),
                TimeRemainingColumn(compact=True), console=console, auto_refresh=False)

    def __enter__(self) -> Line:
        if self.bar:
            self.bar.start()
            self.task = self.bar.add_task(self.name, total=self.steps, figures="compiling")
            self.bar.refresh()
        return self

    def show(self, step: int, objective: float, gradient: float) -> None:
        """Show where the fit is."""
        if self.bar:
            self.bar.update(self.task, completed=step)
            speed = self.bar.tasks[0].speed
            figures = f"objective {objective:.5g}  ‖∇‖ {gradient:.2g}" + (f"  {speed:,.0f}/s" if speed else "")
            self.bar.update(self.task, figures=figures, refresh=True)

    def __exit__(self, *error: Any) -> None:
        if self.bar:
            self.bar.stop()
