"""Lets the tests of this folder import what they share (`numbers_engine.py`)."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
