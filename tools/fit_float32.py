"""Fits the coefficients of graph/math_float32.h and says whether they stand there.

    python3 -m pip install mpmath numpy scipy
    python3 tools/fit_float32.py

A polynomial of given powers of x is fitted to f on [a, b] for the least greatest error times a
weight: by Remez's exchange, or by a linear program on Chebyshev's nodes where the exchange does not
converge (the basis vanishes within the interval). Then the first coefficient is rounded, the rest
is fitted again to what is left, and so on.
"""

import os
import re
import sys

import mpmath as m
import numpy as np
from scipy.optimize import linprog

m.mp.prec = 160
HEADER = os.path.join(os.path.dirname(__file__), "..", "graph", "math_float32.h")


def to_float32(x):
    return m.mpf(float(np.float32(float(x))))


def to_float64(x):
    return m.mpf(float(x))


def exchange(target, basis, nodes):
    """Remez: `target` and each row of `basis` are weighted values at the nodes."""
    n, last = len(basis[0]), len(nodes) - 1
    points = [round(i * last / n) for i in range(n + 1)]
    best = None
    for _ in range(30):
        system = m.matrix(n + 1, n + 1)
        right = m.matrix(n + 1, 1)
        for row, i in enumerate(points):
            for column in range(n):
                system[row, column] = basis[i][column]
            system[row, n] = (-1) ** row
            right[row] = target[i]
        solution = m.lu_solve(system, right)
        found = [solution[i] for i in range(n)]
        error = [t - sum(c * v for c, v in zip(found, b)) for t, b in zip(target, basis)]
        worst = max(abs(e) for e in error)
        if best is None or worst < best[0]:
            best = (worst, found)
        # The greatest error of each run of one sign.
        extrema, current = [], 0
        for i in range(1, last + 1):
            if (error[i] > 0) != (error[current] > 0):
                extrema.append(current)
                current = i
            elif abs(error[i]) > abs(error[current]):
                current = i
        extrema.append(current)
        while len(extrema) > n + 1:
            extrema.pop(0 if abs(error[extrema[0]]) < abs(error[extrema[-1]]) else -1)
        if len(extrema) < n + 1 or extrema == points:
            break
        points = extrema
    return best[1]


def linear_program(target, basis, nodes):
    """The same by double arithmetic, with one step of refinement for its rounding."""
    del nodes
    columns = np.array([[float(v) for v in b] for b in basis])
    scale = np.abs(columns).max(axis=0)

    def solve(values):
        scaled, n = columns / scale, columns.shape[1]
        ones = -np.ones((len(values), 1))
        bounds = np.block([[scaled, ones], [-scaled, ones]]) * 2.0**24
        right = np.concatenate([values, -values]) * 2.0**24
        limits = [(None, None)] * n + [(0, None)]
        result = linprog(np.r_[np.zeros(n), 1], A_ub=bounds, b_ub=right, bounds=limits,
                         method="highs-ds")
        return result.x[:n] / scale

    first = solve(np.array([float(t) for t in target]))
    left = [t - sum(m.mpf(c) * v for c, v in zip(first, b)) for t, b in zip(target, basis)]
    second = solve(np.array([float(e) for e in left]) * 2.0**20) / 2**20
    return [m.mpf(c) for c in first + second]


def fit(method, f, weight, nodes, powers, to_element=to_float32):
    """The rounded coefficients, in the order of the powers."""
    nodes = [m.mpf(x) for x in nodes]
    weights = [weight(x) for x in nodes]
    rest = [f(x) * w for x, w in zip(nodes, weights)]
    powers, out = list(powers), []
    while powers:
        basis = [[w * x**p for p in powers] for x, w in zip(nodes, weights)]
        out.append(to_element(method(rest, basis, nodes)[0]))
        rest = [r - out[-1] * b[0] for r, b in zip(rest, basis)]
        powers.pop(0)
    return out


def extremal(a, b, n):
    """Chebyshev's extremal nodes, ends included."""
    return [(a + b) / 2 - (b - a) / 2 * m.cos(m.pi * m.mpf(i) / n) for i in range(n + 1)]


def roots(a, b, n):
    """Chebyshev's roots, in double."""
    return [(a + b) / 2 - (b - a) / 2 * float(m.cos(m.pi * (i + 0.5) / n)) for i in range(n)]


def even(degree):
    return range(0, 2 * degree + 1, 2)


def fits():
    half = m.log(2) / 2 * m.mpf(1.0005)
    yield "exp", fit(
        exchange, lambda r: (m.exp(r) - 1 - r) / r**2 if abs(r) > 1e-12 else m.mpf(0.5),
        lambda r: r**2 * m.exp(-r), extremal(-half, half, 2000), range(5))
    yield "log", fit(
        linear_program, lambda f: (m.log(1 + f) - f + f**2 / 2) / f**3 if abs(f) > 1e-7 else
        m.mpf(1) / 3 - f / 4, lambda f: f**3 / m.log(1 + f), roots(0.5**0.5 - 1, 2**0.5 - 1, 400),
        range(8))
    yield "tanh", fit(
        linear_program, lambda x: (m.tanh(x) / x - 1) / x**2, lambda x: x**3 / m.tanh(x),
        roots(0.02, 0.55, 300), even(4))
    yield "erf, small", fit(
        exchange, lambda x: m.erf(x) / x - 1, lambda x: x / m.erf(x),
        extremal(m.mpf("1e-4"), m.mpf(1), 1000), even(6))
    yield "erf, large", fit(
        exchange, lambda x: -m.log(m.erfc(x)), lambda x: m.erfc(x) / m.erf(x),
        extremal(m.mpf(1), m.mpf("4.1"), 1000), range(7))
    yield "sin", fit(
        exchange, lambda r: m.sin(m.pi * r) / r, lambda r: r / m.sin(m.pi * r),
        extremal(m.mpf("1e-4"), m.mpf("0.64"), 1500), even(5), to_float64)
    # 1 / pi in parts of 27 bits.
    with m.workprec(400):
        parts, left = [], 1 / m.pi
        for j in range(7):
            place = m.mpf(2) ** -(27 * (j + 1) + 1)
            parts.append(m.floor(left / place) * place)
            left -= parts[-1]
    yield "1/pi", parts


def main():
    with open(HEADER, encoding="utf-8") as header:
        numbers = re.findall(r"-?0x1[.0-9a-f]*p[+-][0-9]+", header.read())
    written = {float.fromhex(number) for number in numbers}
    missing = 0
    for name, coefficients in fits():
        for c in coefficients:
            found = float(c) in written
            missing += not found
            print(name, float(c).hex(), "" if found else "is not in the header")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
