"""Pictures of diagrams, by geometry: planar ones have no crossing, no wire runs through a box, no text outside."""
from itertools import combinations

import numpy as np
import pytest

import pullback as pb
from pullback.backends.draw.string_layout import picture

TEXT = """
from pullback.gates import qubit, ket, bra, H, CX, CRz, iqp
type n, s
box Alice: -> n
box Bob: -> n
box loves(theta: real[3]): -> n.r * s * n.l
box w(x: real): n -> n
box two(x: real): n * n -> n * n
diagram sentence(theta: real[3]): Alice * loves(theta) * Bob >> cup(n, n.r) * id(s) * cup(n.l, n)
diagram named(w: n.r * s * n.l):
    (l, m, r) = w
    return cup(Alice, l) * m * cup(r, Bob)
diagram snake: id(n) * cap(n.r, n) >> cup(n, n.r) * id(n)
diagram nested: cap(n * s, (n * s).r) >> id(n * s) * id((n * s).r) >> cup(n * s, (n * s).r)
diagram teleport: id(qubit) * (ket(0, 0) >> H * id(qubit) >> CX) >> (CX >> H * id(qubit) >> bra(0, 0)) * id(qubit)
diagram circuit(x: real[3, 2]): ket(0, 0, 0) >> iqp(3, x)
diagram grid(x: real): two(x) * two(x) >> id(n) * two(x) * id(n) >> two(x) * two(x) >> id(n) * two(x) * id(n)
diagram bubbled(x: real): w(x) >> bubble(tanh, w(x) >> w(x)) >> w(x)
diagram slope(x: real): d(bubbled(x), x)
diagram crossed: swap(n, s)
"""
P = pb.loads(TEXT)
PLANAR = [name for name in P.diagrams if name != "crossed"]


def polyline(curve):
    """Points along the Béziers of a wire."""
    points = np.array(curve.points)
    t = np.linspace(0, 1, 12)[:, None]
    pieces = [points[:1]]
    for at in range(0, len(points) - 1, 3):
        a, b, c, d = points[at:at + 4]
        pieces.append((1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t ** 2 * c + t ** 3 * d)
    return np.concatenate(pieces)


def crosses(p, q):
    """Do two polylines cross properly (ends that touch don't count)?"""
    a, b, c, d = p[:-1, None], p[1:, None], q[None, :-1], q[None, 1:]

    def side(u, v, w):
        return np.sign(np.round((v[..., 0] - u[..., 0]) * (w[..., 1] - u[..., 1]) - (v[..., 1] - u[..., 1]) * (w[..., 0] - u[..., 0]), 6))
    return bool(((side(a, b, c) * side(a, b, d) < 0) & (side(c, d, a) * side(c, d, b) < 0)).any())


@pytest.mark.parametrize("name", PLANAR)
def test_planar_diagrams_have_no_crossing(name):
    lines = [polyline(curve) for curve in picture(P[name].graph).curves]
    assert lines and not any(crosses(p, q) for p, q in combinations(lines, 2))


def test_a_swap_is_one_crossing():
    lines = [polyline(curve) for curve in picture(P["crossed"].graph).curves]
    assert sum(crosses(p, q) for p, q in combinations(lines, 2)) == 1


@pytest.mark.parametrize("name", P.diagrams)
def test_nothing_runs_through_a_box_or_out_of_the_picture(name):
    found = picture(P[name].graph)
    boxes = [s for s in found.shapes if s.kind in ("box", "state", "effect", "scalar")]
    for curve in found.curves:
        line = polyline(curve)
        assert line[:, 0].min() >= 0 and line[:, 0].max() <= found.width and line[:, 1].max() <= found.height + 1
        for box in boxes:
            inside = (abs(line[:, 0] - box.x) < box.width / 2 - 0.5) & (abs(line[:, 1] - box.y) < box.height / 2 - 0.5)
            assert not inside.any(), f"a wire runs through {box.label}"
    for a, b in combinations(boxes, 2):
        assert abs(a.x - b.x) >= (a.width + b.width) / 2 - 0.5 or abs(a.y - b.y) >= (a.height + b.height) / 2 - 0.5
    for shape in found.shapes:
        assert shape.x - shape.width / 2 >= -0.5 and shape.x + shape.width / 2 <= found.width + 0.5, shape.label
        assert 0 <= shape.y <= found.height


def test_files(tmp_path):
    drawing = P["slope"].draw()
    for ending in ("svg", "png", "dot"):
        assert drawing.save(tmp_path / f"slope.{ending}").stat().st_size > 500
    assert 'class="wire"' in drawing.dot and "bubble(d(tanh)" in str(drawing)
    assert drawing.dot == P["slope"].draw().dot
