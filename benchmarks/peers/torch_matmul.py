"""Products of square matrices in PyTorch on one core, float32 and float64.

Usage: torch_matmul.py blobs.csv (which is not read). Prints DTYPE_nn_SIZE_gflops, as goals/matmul.cc does of its sides. Pin it to a core."""
import time

import torch

torch.set_num_threads(1)
print("torch", torch.__version__)
for dtype in (torch.float32, torch.float64):
    for n in (16, 32, 64, 100, 128, 200, 256, 400, 512, 768, 1000, 1024, 1536, 2048, 4096):
        a, b = (torch.rand(n, n, dtype=dtype) * .9 + .1 for _ in range(2))
        c = torch.empty(n, n, dtype=dtype)
        best, begun, runs = 1e9, time.perf_counter(), 0
        while runs < 3 or time.perf_counter() - begun < .05:
            start = time.perf_counter()
            torch.mm(a, b, out=c)
            best = min(best, time.perf_counter() - start)
            runs += 1
        print(f"{str(dtype)[6:]}_nn_{n}_gflops {2e-9 * n**3 / best:.3f}")
