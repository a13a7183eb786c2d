"""Random programs against enumeration; the rest by `python -m tests.laws.random_programs 10000`.

PULLBACK_SEED (default 0) is the first seed, PULLBACK_PROGRAMS (default 60) how many programs run here.
"""
import os

import jax
import pytest

from pullback.testing import threshold
from tests.laws.random_programs import PARAMS, tried

START = int(os.environ.get("PULLBACK_SEED", "0"))
COUNT = int(os.environ.get("PULLBACK_PROGRAMS", "60"))
PART = 20
TESTS = COUNT * (1 + sum(getattr(value, "size", 1) for value in PARAMS.values()))


@pytest.mark.parametrize("start", range(START, START + COUNT, PART))
def test_random_programs(start, unoptimized):
    """Value and gradient of each program: to rounding where all is enumerated, else by z-test (false alarm below 1e-3 in all)."""
    found = [tried(seed, threshold(TESTS)) for seed in range(start, min(start + PART, START + COUNT))]
    jax.clear_caches()
    failed = [f"PULLBACK_SEED={one.seed}: {one.why}\n{one.text}" for one in found if one.kind == "failed"]
    assert not failed, "\n\n".join(failed)
    assert sum(one.kind == "skipped" for one in found) <= PART // 4
