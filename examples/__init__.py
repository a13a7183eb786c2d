"""Stories: one folder each, with a program, its README and one command, `python -m examples.cone.run`."""
