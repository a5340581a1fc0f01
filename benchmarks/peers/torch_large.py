"""Updates of goals/large.cc's network in PyTorch on one core: 784-2048-2048-10, a loop as its users write it.

Usage: torch_large.py blobs.csv [RULES [BATCHES]] (the file is not read). Prints RULE_BATCH_s and RULE_BATCH_gflops. Pin it to a core."""
import sys
import time

import torch

torch.set_num_threads(1)
WIDTHS = (784, 2048, 2048, 10)
FORWARD = sum(a * b for a, b in zip(WIDTHS, WIDTHS[1:]))
FLOP = 2 * (3 * FORWARD - WIDTHS[0] * WIDTHS[1])  # a sample; what goals/large.cc counts
RULES = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.),
    "momentum": lambda p: torch.optim.SGD(p, lr=0., momentum=.9),
    "adam": lambda p: torch.optim.Adam(p, lr=0., fused=True),
}


def seconds_an_update(rule, batch):
    torch.manual_seed(1)
    model = torch.nn.Sequential(torch.nn.Linear(784, 2048), torch.nn.ReLU(), torch.nn.Linear(2048, 2048), torch.nn.ReLU(),
                                torch.nn.Linear(2048, 10))
    optimizer = rule(model.parameters())
    loss_of = torch.nn.CrossEntropyLoss()
    x, y = torch.rand(batch, 784), torch.arange(batch) % 10
    total = torch.zeros(())
    best, begun, runs = 1e9, time.perf_counter(), 0
    while runs < 5 or time.perf_counter() - begun < .3:
        start = time.perf_counter()
        loss = loss_of(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.detach()
        best = min(best, time.perf_counter() - start)
        runs += 1
    return best


print("torch", torch.__version__)
for name in sys.argv[2].split(",") if len(sys.argv) > 2 else RULES:
    for batch in map(int, sys.argv[3].split(",")) if len(sys.argv) > 3 else (32, 64, 128, 256, 512, 1024):
        seconds = seconds_an_update(RULES[name], batch)
        print(f"{name}_{batch}_s {seconds:.7f} {name}_{batch}_gflops {FLOP * batch / seconds * 1e-9:.3f}")
