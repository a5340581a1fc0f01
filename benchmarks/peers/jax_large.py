"""Updates of goals/large.cc's network in JAX on one core: 784-2048-2048-10, one jitted function an update, state donated.

Usage: jax_large.py blobs.csv [RULES [BATCHES]] (the file is not read). Prints RULE_BATCH_s and RULE_BATCH_gflops. Pin it to a core."""
import os
import sys
import time

os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
import jax
import jax.numpy as jnp
import numpy as np

WIDTHS = (784, 2048, 2048, 10)
FORWARD = sum(a * b for a, b in zip(WIDTHS, WIDTHS[1:]))
FLOP = 2 * (3 * FORWARD - WIDTHS[0] * WIDTHS[1])  # a sample; what goals/large.cc counts


def loss_of(parameters, x, y):
    for i, (w, b) in enumerate(parameters):
        x = x @ w + b
        if i + 1 < len(parameters):
            x = jax.nn.relu(x)
    return -jnp.mean(jnp.sum(jax.nn.log_softmax(x) * y, -1))


def sgd(w, d, slots, rate, t):
    return w - rate * d, slots


def momentum(w, d, slots, rate, t):
    v = .9 * slots[0] - rate * d
    return w + v, (v,)


def adam(w, d, slots, rate, t):
    m, v = .9 * slots[0] + .1 * d, .999 * slots[1] + .001 * d * d
    rate = rate * jnp.sqrt(1 - .999**t) / (1 - .9**t)
    return w - rate * m / (jnp.sqrt(v) + 1e-7), (m, v)


RULES = {"sgd": (sgd, 0), "momentum": (momentum, 1), "adam": (adam, 2)}


def seconds_an_update(rule, slots, batch):
    def update(state, x, y, rate):
        parameters, kept, t, total = state
        value, gradient = jax.value_and_grad(loss_of)(parameters, x, y)
        leaves, tree = jax.tree.flatten(parameters)
        done = [rule(w, d, s, rate, t) for w, d, s in zip(leaves, jax.tree.leaves(gradient), kept)]
        return jax.tree.unflatten(tree, [w for w, _ in done]), [s for _, s in done], t + 1, total + value

    random = np.random.default_rng(1)
    parameters = [(jnp.array(random.uniform(-1, 1, (a, b)) * np.sqrt(6 / a), "f"), jnp.zeros(b)) for a, b in zip(WIDTHS, WIDTHS[1:])]
    kept = [tuple(jnp.zeros_like(w) for _ in range(slots)) for w in jax.tree.leaves(parameters)]
    state = parameters, kept, jnp.float32(1), jnp.float32(0)
    x = jnp.array(random.uniform(0, 1, (batch, WIDTHS[0])), "f")
    y = jnp.array(np.eye(WIDTHS[-1])[np.arange(batch) % WIDTHS[-1]], "f")
    step = jax.jit(update, donate_argnums=0)
    for _ in range(2):
        state = jax.block_until_ready(step(state, x, y, jnp.float32(0)))
    best, begun, runs = 1e9, time.perf_counter(), 0
    while runs < 3 or time.perf_counter() - begun < .3:
        start = time.perf_counter()
        state = jax.block_until_ready(step(state, x, y, jnp.float32(0)))
        best = min(best, time.perf_counter() - start)
        runs += 1
    return best


print("jax", jax.__version__)
for name in sys.argv[2].split(",") if len(sys.argv) > 2 else RULES:
    for batch in map(int, sys.argv[3].split(",")) if len(sys.argv) > 3 else (32, 64, 128, 256, 512, 1024):
        seconds = seconds_an_update(*RULES[name], batch)
        print(f"{name}_{batch}_s {seconds:.7f} {name}_{batch}_gflops {FLOP * batch / seconds * 1e-9:.3f}")
