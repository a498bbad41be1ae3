#!/usr/bin/env python3
"""Writes functions.txt and cases.jsonl: what the crate has to answer, computed with 60 digits by mpmath.

    python3 -m venv VENV && VENV/bin/pip install mpmath==1.4.1 && VENV/bin/python shared/statistics/reference/make.py

Nothing is computed as in the crate: distributions are mpmath's, moments are those of rational numbers, from their
definitions. formulas.py has the formulas of docs/statistics.md.
"""

import json
import random
from pathlib import Path

import formulas
from mpmath import mp, mpf

HERE = Path(__file__).resolve().parent
mp.dps = 60


def functions():
    for z in (-5.0, -1.0, 0.0, 0.5, 1.0, 1.96, 5.0, 10.0, 20.0, 30.0, 37.0):
        yield "normal_above", [z], formulas.normal_above(z)
    for p in (0.999, 0.9, 0.5, 0.3, 0.025, 1e-3, 1e-10, 1e-100, 1e-300):
        yield "normal_quantile", [p], formulas.normal_quantile(p)
    for z in (-30.0, -3.0, 0.0, 1.0, 3.0, 4.99, 5.01, 10.0, 37.0):
        yield "mean_excess", [z], formulas.mean_excess(mpf(z))
    degrees = (1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.7, 100.0, 1000.5, 1e4, 99_999.0, 100_001.0, 1e6, 1e7, 1e9, 2e9)
    for nu in degrees:
        for t in (1e-6, 0.01, 0.5, 1.0, 1.7, 1.8, 2.0, 3.0, 5.0):
            yield "student_two_sided", [t, nu], formulas.student_two_sided(t, nu)
        for p in (0.9, 0.5, 0.05, 0.01, 1e-6, 1e-10, 1e-100, 1e-300):
            t = formulas.student_quantile(p, nu)
            yield "student_quantile", [p, nu], t
            if p < 1e-5:
                yield "student_two_sided", [float(t), nu], formulas.student_two_sided(float(t), nu)
    for k in (1, 2, 3, 4, 5, 8, 9, 30, 99):
        for x in (0.01, 1.0, float(k), 20.0, 100.0, 500.0, 1370.0):
            yield "chi_square_above", [x, k], formulas.chi_square_above(x, k)


def sums_of(values):
    return {"users": len(values), "sum": str(sum(values)), "sumSquares": str(sum(v * v for v in values))}


def revenue(chance, users, share, price):
    """Orders of skewed prices by a share of the visitors."""
    return [round(price * chance.lognormvariate(0, 0.8)) if chance.random() < share else 0 for _ in range(users)]


def means():
    chance = random.Random(1)
    variants = [revenue(chance, users, 0.3, price) for users, price in ((900, 4_000), (870, 4_400), (925, 3_000))]
    conversions = [sum(1 for value in values if value) for values in variants]
    three = [sums_of(values) | {"conversions": count} for values, count in zip(variants, conversions)]
    yield {"variants": [one | {"variant": name} for one, name in zip(three, "abc")]}
    yield {"variants": three, "settings": {"alpha": 0.01, "sequentialTuning": 20_000, "minimumConversions": 100}}
    yield {"variants": three[:2], "settings": {"priorStandardDeviation": 0.3}}
    yield {"variants": [sums_of([-value for value in values]) for values in variants[:2]]}
    # A billion visitors in each variant: the sum of squares times their number has 127 bits.
    big = {"users": 10**9, "sum": str(250 * 10**9), "sumSquares": str(10**6 * 10**9 * 75), "conversions": 10**7}
    for more in (0, 1, 10**7, 3 * 10**8, 2 * 10**9, 14 * 10**9):
        yield {"variants": [big, big | {"sum": str(250 * 10**9 + more)}]}
    # Values around 10^15 that differ by a few units, and few visitors.
    near = [10**15 + step for step in (0, 1, 2, 1, 3)]
    yield {"variants": [sums_of(near), sums_of([value + 1 for value in near[:4]])]}
    yield {"variants": [sums_of([1, 2]), sums_of([2, 3])]}
    yield {"variants": [sums_of([0, 0, 9, 1]), sums_of([5, 3])]}


def proportions():
    yield {"variants": [{"users": 10_000, "sum": 500}, {"users": 10_100, "sum": 590}, {"users": 9_900, "sum": "500"}]}
    yield {"variants": [{"users": 10**9, "sum": 30_000_000}, {"users": 10**9, "sum": 30_000_000 + 7_000}]}
    for more in (4 * 10**4, 10**5, 28 * 10**4):
        yield {"variants": [{"users": 10**9, "sum": 30_000_000}, {"users": 10**9, "sum": 30_000_000 - more}]}
    yield {"variants": [{"users": 50, "sum": 1}, {"users": 3, "sum": 2, "conversions": 900}]}
    few = {"users": 4_000, "sum": 199}
    yield {"variants": [few, {"users": 4_000, "sum": 400}, {"users": 4_000, "sum": 900}]}
    yield {"variants": [few | {"sum": 200}, {"users": 4_000, "sum": 400}, {"users": 4_000, "sum": 150}]}


def with_other(values, others, names):
    squares, products = sum(v * v for v in others), sum(v * w for v, w in zip(values, others))
    return sums_of(values) | {names[0]: str(sum(others)), names[1]: str(squares), "crossProduct": str(products)}


RATIO = ("denominatorSum", "denominatorSumSquares")
CUPED = ("covariateSum", "covariateSumSquares")


def ratios():
    chance = random.Random(2)
    variants = []
    for price in (3_000, 3_300):
        orders = [chance.choice((0, 0, 1, 1, 2, 3)) for _ in range(700)]
        totals = [sum(round(price * chance.lognormvariate(0, 0.5)) for _ in range(count)) for count in orders]
        variants.append(with_other(totals, orders, RATIO) | {"conversions": 450})
    yield {"variants": variants}
    # Every order costs the same but one: nearly all digits of the variance cancel.
    orders = [1, 2, 3, 0, 1, 5, 2]
    same = [10**12 * count for count in orders]
    yield {"variants": [with_other(same[:-1] + [same[-1] + 1], orders, RATIO), with_other([same[0] + 7, *same[1:]], orders, RATIO)]}


def cupeds():
    chance = random.Random(3)
    variants, constant = [], []
    for factor in (1.0, 1.05, 0.9):
        before = revenue(chance, 800, 0.4, 2_000)
        during = [round(value * factor * 0.7 + chance.expovariate(1 / 600)) for value in before]
        variants.append(with_other(during, before, CUPED) | {"conversions": 320})
        constant.append(with_other(during, [7] * len(during), CUPED))
    yield {"variants": variants}
    yield {"variants": variants[:2], "settings": {"priorStandardDeviation": 0.05}}
    yield {"variants": constant[:2]}
    chance = random.Random(4)
    before = [chance.randrange(100) for _ in range(40)]
    losses = [[-factor * value - chance.randrange(50) for value in before] for factor in (3, 2)]
    yield {"variants": [with_other(values, before, CUPED) for values in losses]}
    # The covariate explains all but a few units of values around 10^12.
    before = [10**12 + 10**9 * step for step in (1, 5, 2, 8, 3, 9)]
    during = [3 * value + noise for value, noise in zip(before, (0, 2, 1, 0, 3, 1))]
    more = [value + noise for value, noise in zip(during, (5, 4, 7, 4, 5, 6))]
    yield {"variants": [with_other(during, before, CUPED), with_other(more[:5], before[:5], CUPED)]}


def ratios_of_samples():
    yield [(50_000, 1), (47_500, 1)]
    yield [(5_000, 5_000), (5_050, 5_000)]
    yield [(3_340, 3_334), (3_330, 3_333), (3_310, 3_333)]
    yield [(10**9, 1), (10**9 + 1_650_000, 1)]
    yield [(1_000_000 + 9_000 * step, 1_000) for step in range(10)]
    yield [(1, 2), (0, 1)]


def degenerate():
    user = {"users": 10, "sum": 5, "sumSquares": 5}
    yield "mean", [user, {"users": 0, "sum": 0, "sumSquares": 0}], "no-users"
    yield "mean", [{"users": 0, "sum": 0, "sumSquares": 0}, user], "no-users"
    yield "mean", [user, {"users": 1, "sum": 3, "sumSquares": 9}], "too-few-users"
    yield "mean", [{"users": 10, "sum": 0, "sumSquares": 5}, user], "zero-baseline"
    yield "mean", [user, {"users": 10, "sum": 20, "sumSquares": 40}], "zero-variance"
    yield "mean", [{"users": 10, "sum": 20, "sumSquares": 40}, user], "zero-variance"
    yield "mean", [user, {"users": 10, "sum": 20, "sumSquares": 39}], "impossible-sums"
    yield "proportion", [{"users": 10, "sum": 0}, {"users": 10, "sum": 2}], "zero-baseline"
    yield "proportion", [{"users": 10, "sum": 2}, {"users": 10, "sum": 0}], "zero-variance"
    yield "proportion", [{"users": 10, "sum": 10}, {"users": 10, "sum": 2}], "zero-variance"
    yield "proportion", [{"users": 10, "sum": 2}, {"users": 10, "sum": 11}], "impossible-sums"
    yield "proportion", [{"users": 10, "sum": 2}, {"users": 10, "sum": -1}], "impossible-sums"
    ratio = with_other([4, 0, 7, 3], [1, 0, 2, 1], RATIO)
    yield "ratio", [ratio, with_other([4, 0, 7, 3], [0, 0, 0, 0], RATIO)], "zero-denominator"
    yield "ratio", [with_other([0, 0, 0, 0], [1, 0, 2, 1], RATIO), ratio], "zero-baseline"
    yield "ratio", [ratio, with_other([4, 0, 8, 4], [1, 0, 2, 1], RATIO)], "zero-variance"
    yield "ratio", [ratio, ratio | {"crossProduct": "22"}], "impossible-sums"
    squares = {"sumSquares": 5, "denominatorSumSquares": 5}
    yield "ratio", [ratio, {"users": 10, "sum": 10, "denominatorSum": 10, "crossProduct": 10} | squares], "impossible-sums"
    cuped = with_other([4, 0, 7, 3], [1, 0, 2, 2], CUPED)
    yield "cuped", [with_other([4, -4, 7, -7], [1, 0, 2, 2], CUPED), cuped], "zero-baseline"
    yield "cuped", [with_other([2, 0, 4, 4], [1, 0, 2, 2], CUPED)] * 2, "zero-variance"
    yield "cuped", [cuped, cuped | {"crossProduct": "27"}], "impossible-sums"
    yield "srm", [{"users": 0, "weight": 1}, {"users": 0, "weight": 1}], "no-users"
    yield "srm", [{"users": 5, "weight": 1}, {"users": 0, "weight": 0}], "zero-weight"


def cases():
    for kind, lists in (("mean", means), ("proportion", proportions), ("ratio", ratios), ("cuped", cupeds)):
        for case in lists():
            yield {"kind": kind} | case, formulas.compared(kind, case)
    for variants in ratios_of_samples():
        case = {"kind": "srm", "variants": [{"users": users, "weight": weight} for users, weight in variants]}
        yield case, formulas.sample_ratio(variants)
    for p_values in ([0.02], [0.04, 0.01, 0.03], [0.3, 1e-300, 0.9, 0.0125, 0.0125], [0.0, 1.0]):
        yield {"kind": "holm", "pValues": p_values}, {"adjustedPValues": formulas.holm(p_values)}
    for case in (
        {"users": 10_000, "standardError": 0.05, "lift": 0.1},
        {"users": 10_000, "standardError": 0.05, "lift": -0.1, "horizon": "fixed", "power": 0.9},
        {"users": 10_000, "standardError": 0.01, "lift": 0.1},
        {"mean": 0.05, "standardDeviation": 0.2179, "lift": 0.05, "horizon": "fixed"},
        {"mean": 0.05, "standardDeviation": 0.2179, "lift": 0.05, "settings": {"alpha": 0.01, "sequentialTuning": 10**6}},
    ):
        yield {"kind": "sampleSize"} | case, formulas.sample_size(case)
    yield {"kind": "sampleSize", "users": 9, "standardError": 1.0, "lift": 1e-9}, {"reason": "unreachable"}
    yield {"kind": "sampleSize", "users": 9, "standardError": 1.0, "lift": 0}, {"reason": "unreachable"}
    for values, quantile in (
        ([[5, 1, 100, 2, 3], [4, 1_000, 0, 7, 2]], 9_000),
        ([[5, 1, 100, 2, 3], [4, 1_000, 0, 7, 2]], 9_001),
        ([[str(10**18), 3], [-4]], 10_000),
        ([[0, 0, 0]], 1),
    ):
        case = {"kind": "winsorise", "quantile": quantile, "variants": [{"values": some} for some in values]}
        yield case, formulas.winsorised([[int(value) for value in some] for some in values], quantile)
    yield {"kind": "winsorise", "quantile": 5_000, "variants": [{"values": [0, 0, 9]}]}, {"reason": "zero-cap"}
    yield {"kind": "winsorise", "quantile": 5_000, "variants": [{"values": []}]}, {"reason": "no-users"}
    for kind, variants, reason in degenerate():
        expected = {"reason": reason}
        if kind != "srm":
            expected = {"variants": [formulas.summary(kind, one) for one in variants]}
            expected["variants"][1]["againstControl"] = {"reason": reason}
        yield {"kind": kind, "variants": variants}, expected


def check():
    """mpmath's incomplete beta function against the integral, where its arguments are extreme."""
    for t, nu in ((40, 100), (40, 3_000), (37, 10**6), (37, 2 * 10**9)):
        beta, integral = formulas.student_two_sided(t, nu), formulas.student_integral(mpf(t), mpf(nu))
        assert abs(beta / integral - 1) < mpf(10) ** -40, (t, nu)


def main():
    check()
    lines = [f"{name} {' '.join(map(repr, args))} {mp.nstr(value, 20)}\n" for name, args, value in functions()]
    (HERE / "functions.txt").write_text("".join(lines))
    answers = [json.dumps({"case": case, "answer": answer}) + "\n" for case, answer in cases()]
    (HERE / "cases.jsonl").write_text("".join(answers))
    print(f"{len(lines)} values, {len(answers)} cases")


if __name__ == "__main__":
    main()
