"""Points at which distributions are tried: of each parameter a few ordinary and the awkward values, paired at random."""
import zlib

import numpy as np
import pytest

from pullback.stdlib.distributions import find, names

COUNT = 16
SCALARS = {
    "real": [0.3, 0.0, 1.0, -1.0, -2.7, 6.0], "positive": [1.7, 1.0, 0.4, 3.0, 9.0, 40.0], "unit": [0.35, 0.5, 0.02, 0.97],
    "circular": [0.3, 0.0, -2.7, 1.0], "natural": [5, 1, 7, 12], "boolean": [0, 1]}
TRIL = np.array([[1.0, 0, 0], [0.3, 0.8, 0], [-0.2, 0.1, 1.3]])
UNIT_ROWS = TRIL / np.linalg.norm(TRIL, axis=-1, keepdims=True)
ARRAYS = {
    "real": np.array([0.3, -1.0, 0.0]), "positive": np.array([0.7, 1.0, 9.0]), "simplex": np.array([0.2, 0.3, 0.5]),
    "ordered": np.array([-1.0, 0.0, 1.5]), "cholesky": TRIL, "positive_definite": TRIL @ TRIL.T,
    "corr_cholesky": UNIT_ROWS, "corr_matrix": UNIT_ROWS @ UNIT_ROWS.T}
MATRICES = {"adj_matrix": np.array([[0.0, 1, 1], [1, 0, 0], [1, 0, 0]]), "covariance_row": np.array([2.0, 0.5, 0.5]),
            "cov_factor": np.array([[0.5], [-1.0], [0.2]]), "matrix": np.array([[0.3, -1.0], [0.0, 0.5], [2.0, 1.0]])}
OWN = {("car", "correlation"): [0.3, 0.0, -0.5], ("lower_truncated_power_law", "alpha"): [-1.7, -2.0, -4.5],
       ("doubly_truncated_power_law", "alpha"): [-1.0, -2.3, 0.0, 1.5], ("discrete_uniform", "low"): [0, 1, 3],
       ("sine_bivariate_von_mises", "weighted_correlation"): [0.3, 0.0, -0.6],
       ("sine_bivariate_von_mises", "correlation"): [0.2, 0.0, -0.3], ("student_t", "df"): [1.7, 1.0, 3.0, 40.0, 0.4],
       ("delta", "log_density"): [0.0]}


def all_records():
    return [record for name in names() for record in find(name)]


def field_values(record, field, count, draw, so_far):
    if field.domain == "size":
        return 3
    if field.name in MATRICES or (record.name, field.name) == ("matrix_normal", "loc"):
        return np.broadcast_to(MATRICES.get(field.name, MATRICES["matrix"]), (count,) + MATRICES.get(field.name, MATRICES["matrix"]).shape)
    if (record.name, field.name) == ("matrix_normal", "scale_tril_column"):
        return np.broadcast_to(TRIL[:2, :2], (count, 2, 2))
    if field.rank:
        return np.stack([ARRAYS[field.domain] * s for s in (np.ones(count) if field.domain in {
            "simplex", "corr_cholesky", "corr_matrix"} else draw.choice([1.0, 0.5, 2.0], count))])
    if field.name == "high":
        width = draw.integers(1, 4, count) if field.kind == "int" else draw.choice([0.5, 1.0, 3.0], count)
        return so_far["low"] + width if "low" in so_far else draw.choice(SCALARS["positive" if field.domain == "positive" else "real"], count)
    values = OWN.get((record.name, field.name), SCALARS[field.domain] if field.domain in SCALARS else None)
    found = np.array([values[k % len(values)] for k in range(count)])
    found = draw.permutation(found)
    return found + 2.5 if "wishart" in record.name else found


def parameters(record, count=COUNT):
    """Parameters [count, *event] of a distribution."""
    draw, so_far = np.random.default_rng(zlib.crc32(str(record).encode())), {}
    for field in record.fields:
        so_far[field.name] = field_values(record, field, count, draw, so_far)
    return list(so_far.values())


@pytest.fixture(scope="session")
def points():
    return parameters


def pytest_generate_tests(metafunc):
    if "record" in metafunc.fixturenames:
        metafunc.parametrize("record", all_records(), ids=str)
