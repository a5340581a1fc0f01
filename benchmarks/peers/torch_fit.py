"""One fit of the tutorial in PyTorch, a loop as its users write it: shuffle, running train metrics, validation each epoch.

Usage: torch_fit.py blobs.csv [repeats]. Prints the best time of a fit. Pin it to the cores to be compared (taskset)."""
import csv
import sys
import time

import torch

torch.set_num_threads(1)  # one core is faster than two at this size
rows = list(csv.reader(open(sys.argv[1])))[1:]
X = torch.tensor([[float(v) for v in r[:2]] for r in rows])
Y = torch.tensor([int(r[2]) for r in rows])
TX, TY, VX, VY = X[:500], Y[:500], X[500:], Y[500:]


def fit(seed):
    torch.manual_seed(seed)
    model = torch.nn.Sequential(torch.nn.Linear(2, 50), torch.nn.ReLU(), torch.nn.Linear(50, 3))
    loss_of = torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    history = []
    for _ in range(200):
        order = torch.randperm(500)
        total = right = torch.zeros(())
        for begin in range(0, 500, 32):
            index = order[begin:begin + 32]
            x, y = TX[index], TY[index]
            z = model(x)
            loss = loss_of(z, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total = total + loss.detach() * len(x)
            right = right + (z.argmax(1) == y).sum()
        with torch.no_grad():
            z = model(VX)
            history.append((total.item() / 500, right.item() / 500, loss_of(z, VY).item(), (z.argmax(1) == VY).float().mean().item()))
    return history


best = 1e9
for seed in range(int(sys.argv[2]) if len(sys.argv) > 2 else 2):
    start = time.perf_counter()
    history = fit(seed)
    best = min(best, time.perf_counter() - start)
print(f"torch {torch.__version__} fit_s {best:.6f} fit_us_per_update {best / 3200 * 1e6:.3f} accuracy {history[-1][1]:.3f} {history[-1][3]:.3f}")
