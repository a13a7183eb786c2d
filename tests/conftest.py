"""What all tests share: a quiet, small JAX, and `--accept` for golden texts."""
import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "agg")

import pytest

import pullback  # noqa: F401  before JAX starts: it keeps a fault of XLA away


def pytest_addoption(parser):
    parser.addoption("--accept", action="store_true", help="write what is said now into the golden pages; review the diff")


@pytest.fixture
def accept(request):
    """Should golden texts be rewritten?"""
    return request.config.getoption("--accept")


@pytest.fixture
def x64():
    """Double precision for one test."""
    import jax
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


@pytest.fixture
def unoptimized():
    """Compile quickly rather than well: for tests that compile much and run little."""
    import jax
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)
