"""Policy gradient in a 5×5 world: REINFORCE with reward-to-go, against the mean of the other episodes' at each time.

The roll-out carries no derivative: uniforms are drawn before the scan, an action is a count of the cumulative
probabilities below its uniform.  The scores are then one look-up of all times, episodes and starts.
"""
from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jax.nn import log_softmax
from scipy.special import softmax

from bench.by_hand.training import ascend
from examples.gridworld.world import GOAL, moves

HORIZON, PARTICLES = 30, 16


def data():
    return {"next": jnp.asarray(moves())}


def init(key=None):
    return {"policy": jnp.zeros((25, 4))}


def noise(key, data, particles=PARTICLES, horizon=HORIZON):
    return jax.random.uniform(key, (horizon, particles, 25))


def value(params, noise, data):
    """Minus the mean number of steps to the goal, over the 25 starts and the episodes from each."""
    horizon, particles, starts = noise.shape
    log_probs = log_softmax(params["policy"])
    below = lax.stop_gradient(jnp.cumsum(jnp.exp(log_probs), 1)[:, :3])
    following = data["next"].reshape(-1)

    def step(cell, uniform):
        chosen = 4 * cell + jnp.sum(uniform[..., None] > below[cell], -1)
        return following[chosen], (chosen, cell != GOAL)

    start = jnp.broadcast_to(jnp.arange(starts), (particles, starts))
    _, (chosen, away) = lax.scan(step, start, noise)
    reward = -away.astype(jnp.float32)
    ahead = jnp.cumsum(reward[::-1], 0)[::-1] - reward
    advantage = (ahead - jnp.mean(ahead, 1, keepdims=True)) * (particles / (particles - 1))
    score = jnp.sum(log_probs.reshape(-1)[chosen] * advantage) / (particles * starts)
    return jnp.sum(reward) / (particles * starts) + score - lax.stop_gradient(score)


def estimate(key, params, data):
    return value(params, noise(key, data), data)


def train(key, steps=300):
    return ascend(key, estimate, init(), data(), optax.adam(0.1), steps)


def walk(params, data):
    """The chain of cells under a policy, in float64: [25, 25], the row is where it stands."""
    probs = softmax(np.asarray(params["policy"], np.float64), axis=1)
    chain = np.zeros((25, 25))
    for cell, following in enumerate(np.asarray(data["next"])):
        np.add.at(chain[cell], following, probs[cell])
    return chain


def exact(params, data, horizon=HORIZON) -> float:
    """The objective by the distribution of the cell at each time."""
    chain, here, total = walk(params, data), np.eye(25), 0.0
    for _ in range(horizon):
        total -= 1 - here[:, GOAL].mean()
        here = here @ chain
    return float(total)


def success(params, data, horizon=HORIZON):
    """From each cell [25], the probability to stand on the goal after `horizon` steps."""
    return np.linalg.matrix_power(walk(params, data), horizon)[:, GOAL]
