"""What a run has spent, by role, and whether the next call fits its budget.

A call is admitted if its worst case fits what is left, the worst cases of those in flight set aside.  One that would
fit if those came back cheaper waits for them; so `budget` is an error only where there is truly no room.
"""
from __future__ import annotations

import asyncio
from dataclasses import astuple, dataclass, field, fields

from pullback.backends.text import failure
from pullback.compiler.engine import Budget, Reply, Usage


@dataclass(slots=True)
class Spent:
    """Sums: calls (attempts), replies that came of them, replies without a call (kept or shared), tokens, cost, seconds."""

    calls: int = 0
    replies: int = 0
    kept: int = 0
    prompt: int = 0
    completion: int = 0
    cost: float = 0.0
    seconds: float = 0.0

    @property
    def tokens(self) -> int:
        return self.prompt + self.completion

    def add(self, other: Spent, sign: int = 1) -> None:
        for f in fields(self):
            setattr(self, f.name, getattr(self, f.name) + sign * getattr(other, f.name))


@dataclass
class Account:
    """The spending of one run.  Lives on the engines' loop; its sums may be read anywhere."""

    budget: Budget = Budget()
    roles: dict[str, Spent] = field(default_factory=dict)
    empty: int = 0
    repaired: int = 0
    doubled: int = 0
    skipped: int = 0

    def __post_init__(self) -> None:
        self._flying = Spent()
        self._waiting: list[asyncio.Future] = []

    @property
    def total(self) -> Spent:
        """Over all roles."""
        found = Spent()
        for spent in self.roles.values():
            found.add(spent)
        return found

    def __str__(self) -> str:
        """A table: what each role has spent."""
        rows = [("role", "calls", "replies", "kept", "prompt", "reply", "cost", "seconds")]
        rows += [(role, *(f"{value:,.6g}" if isinstance(value, float) else f"{value:,}" for value in astuple(spent)))
                 for role, spent in [*self.roles.items(), ("all", self.total)]]
        widths = [max(map(len, column)) for column in zip(*rows)]
        return "\n".join("  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]) for row in rows)

    def of(self, role: str) -> Spent:
        return self.roles.setdefault(role, Spent())

    def price(self, model: str, prompt: int, completion: int) -> float:
        """The cost of these tokens by the budget's table; 0 without a table."""
        if not self.budget.prices:
            return 0.0
        if model not in self.budget.prices:
            raise failure.unpriced(model)
        ours, theirs = self.budget.prices[model]
        return (prompt * ours + completion * theirs) / 1e6

    def keep(self, role: str) -> None:
        """A reply that cost no call."""
        self.of(role).kept += 1

    async def admit(self, role: str, model: str, prompt: int, completion: int) -> Permit:
        """Wait until one more call fits, or raise `budget`."""
        worst = Spent(calls=1, prompt=prompt, completion=completion, cost=self.price(model, prompt, completion))
        while (over := self.over(worst, self._flying)) is not None:
            if self._flying.calls == 0 or self.over(worst, Spent()) is not None:
                what, spent, asked, limit = self.over(worst, Spent()) or over
                raise failure.budget(what, spent, asked, limit, role)
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            finally:
                if turn in self._waiting:
                    self._waiting.remove(turn)
        self._flying.add(worst)
        return Permit(self, role, model, worst)

    def over(self, worst: Spent, flying: Spent) -> tuple[str, float, float, float] | None:
        """The first limit that would be passed: (which, spent, asked for, limit)."""
        spent = self.total
        for what in ("calls", "tokens", "cost"):
            limit = getattr(self.budget, what)
            if limit is not None and (before := getattr(spent, what) + getattr(flying, what)) + getattr(worst, what) > limit:
                return what, before, getattr(worst, what), limit
        return None


@dataclass
class Permit:
    """One attempt that was admitted; it is settled once, with what it really took."""

    account: Account
    role: str
    model: str
    worst: Spent

    def answered(self, reply: Reply, known: bool, seconds: float) -> None:
        """A reply came; if the engine did not say its tokens, the worst case counts."""
        usage = reply.usage if known else Usage(self.worst.prompt, self.worst.completion)
        self.settle(Spent(1, 1, 0, usage.prompt, usage.completion,
                          self.account.price(self.model, usage.prompt, usage.completion), seconds))

    def lost(self, unknown: bool, seconds: float) -> None:
        """No reply came.  If the engine may have worked on it, the worst case counts, else the call alone."""
        worst = self.worst
        self.settle(Spent(1, 0, 0, worst.prompt, worst.completion, worst.cost, seconds) if unknown else
                    Spent(calls=1, seconds=seconds))

    def settle(self, spent: Spent) -> None:
        account = self.account
        account._flying.add(self.worst, -1)
        account.of(self.role).add(spent)
        waiting, account._waiting = account._waiting, []
        for turn in waiting:
            if not turn.done():
                turn.set_result(None)
