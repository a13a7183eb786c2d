"""How often an engine is asked again, and after how long."""
from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Retry:
    """At most `tries` attempts in `deadline` seconds, `timeout` seconds each.

    Before attempt n + 1 it waits first·2ⁿ⁻¹ seconds, `longest` at most, less up to half of it at random, so that those
    who were refused together don't come back together; if the server names a time, at least that.
    """

    tries: int = 6
    first: float = 0.5
    longest: float = 30.0
    timeout: float = 120.0
    deadline: float = 600.0

    def __post_init__(self) -> None:
        if self.tries < 1 or min(self.first, self.longest) < 0 or min(self.timeout, self.deadline) <= 0:
            raise ValueError("at least one try, waits from 0 up, and a timeout and a deadline above 0")

    def pause(self, tried: int, after: float | None, chance: random.Random) -> float:
        """Seconds to wait after the attempt number `tried` (from 1)."""
        wait = min(self.longest, self.first * 2.0 ** min(tried - 1, 60))
        return max(after or 0.0, wait * (1 - chance.random() / 2))
