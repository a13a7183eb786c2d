"""Diagrams: graphs whose wires of object types join boxes.  `build` makes them, each other file is a pass or a question."""
