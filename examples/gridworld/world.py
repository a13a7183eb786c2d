"""A 5×5 world with walls: from 25 cells, four moves each, to the goal in a corner."""
from __future__ import annotations

import numpy as np

MAP = """\
+-+-+-+-+-+
|. . . . .|
+ +-+-+ + +
|. . .|. .|
+-+ + +-+ +
|. . .|. .|
+ +-+ + +-+
|. .|. . .|
+ + + +-+ +
|. . .|. G|
+-+-+-+-+-+"""
SIZE, GOAL = 5, 24
MOVES = {"↑": (-1, 0), "→": (0, 1), "↓": (1, 0), "←": (0, -1)}


def moves() -> np.ndarray:
    """The cell after each move from each cell, int [25, 4]; a wall keeps you where you are, the goal for good."""
    lines, following = MAP.splitlines(), np.zeros((SIZE * SIZE, len(MOVES)), np.int32)
    for cell in range(SIZE * SIZE):
        row, column = divmod(cell, SIZE)
        for move, (down, right) in enumerate(MOVES.values()):
            free = lines[2 * row + 1 + down][2 * column + 1 + right] == " "
            following[cell, move] = cell + SIZE * down + right if free and cell != GOAL else cell
    return following


def arrows(policy: np.ndarray) -> str:
    """The map with each cell's likeliest move."""
    lines = [list(line) for line in MAP.splitlines()]
    for cell, move in enumerate(np.argmax(policy, 1)):
        if cell != GOAL:
            row, column = divmod(cell, SIZE)
            lines[2 * row + 1][2 * column + 1] = list(MOVES)[move]
    return "\n".join("".join(line) for line in lines)
