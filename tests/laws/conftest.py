"""Lets the tests of this folder import what they share (`tests.laws.exact`, `tests.laws.random_programs`)."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
