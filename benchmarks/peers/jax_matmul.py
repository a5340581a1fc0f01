"""Products of square matrices in JAX on one core: `x @ y` as one jitted function, float32 and float64.

Usage: jax_matmul.py blobs.csv (which is not read). Prints DTYPE_nn_SIZE_gflops, as goals/matmul.cc does of its sides. Pin it to a core."""
import os
import time

os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)
product = jax.jit(jnp.matmul)
print("jax", jax.__version__)
for dtype in ("float32", "float64"):
    for n in (16, 32, 64, 100, 128, 200, 256, 400, 512, 768, 1000, 1024, 1536, 2048, 4096):
        a, b = (jnp.array(np.random.default_rng(seed).uniform(.1, 1, (n, n)), dtype) for seed in (1, 2))
        product(a, b).block_until_ready()  # compiles
        best, begun, runs = 1e9, time.perf_counter(), 0
        while runs < 2 or time.perf_counter() - begun < .05:
            start = time.perf_counter()
            product(a, b).block_until_ready()
            best = min(best, time.perf_counter() - start)
            runs += 1
        print(f"{dtype}_nn_{n}_gflops {2e-9 * n**3 / best:.3f}")
