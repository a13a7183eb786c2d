"""A distribution of known parameters, as an option of a rule."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pullback.compiler.distribution import Distribution


@dataclass(frozen=True, slots=True)
class Proposal:
    record: Distribution
    parameters: tuple[float | int, ...]

    def region(self, of: Any) -> Any:
        """Where its values lie."""
        size = None
        if self.record.finite is not None:
            shapes = {f.name: () for f in self.record.fields}
            size = self.record.finite.size(shapes, dict(zip((f.name for f in self.record.fields), self.parameters)))
        return of(self.record.support, size)

    def __str__(self) -> str:
        return f"{self.record.name}({', '.join(f'{p:g}' for p in self.parameters)})"
