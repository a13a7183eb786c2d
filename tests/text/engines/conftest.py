"""What the tests of engines share."""
import pytest

from pullback.backends.text.retry import Retry
from pullback.compiler.engine import Request


@pytest.fixture
def quick():
    """Retries that don't wait."""
    return Retry(tries=4, first=0.001, longest=0.002, timeout=5.0, deadline=20.0)


@pytest.fixture
def asks():
    """n different requests."""
    return lambda n, **options: [Request.of(f"question {i}", "answer", **options) for i in range(n)]
