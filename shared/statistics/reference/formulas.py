"""The formulas of docs/statistics.md, with rational moments and 60 digits."""

from fractions import Fraction

from mpmath import mp, mpf

TIGHT = mpf(10) ** -45


def real(value):
    value = Fraction(value)
    return mpf(value.numerator) / mpf(value.denominator)


def normal_above(z):
    return mp.erfc(mpf(z) / mp.sqrt(2)) / 2


def root(log_tail, target, start):
    """Where the logarithm of a tail is that of the target: Newton's method with differences, for functions that fall."""
    x = mpf(start)
    for _ in range(200):
        value, step = log_tail(x) - mp.log(target), mpf(10) ** -20 * max(x, 1)
        slope = (log_tail(x + step) - log_tail(x - step)) / (2 * step)
        change = value / slope
        x -= change
        if abs(change) < TIGHT * max(abs(x), 1) * mpf(10) ** 15:
            return x
    raise ArithmeticError(target)


def normal_quantile(p):
    p = mpf(p)
    start = mp.sqrt(-2 * mp.log(p)) if p < 0.4 else mpf(0)
    return root(lambda z: mp.log(normal_above(z)), p, start)


def mean_excess(z):
    with mp.extradps(20):
        return mp.exp(-z * z / 2) / mp.sqrt(2 * mp.pi) - z * normal_above(z)


def student_two_sided(t, nu):
    t, nu = mpf(t), mpf(nu)
    return mp.betainc(nu / 2, 0.5, 0, nu / (nu + t * t), regularized=True)


def student_integral(t, nu):
    """The same as the integral of the density, relative to that at t, since the error that quad estimates is absolute."""
    log_constant = mp.loggamma((nu + 1) / 2) - mp.loggamma(nu / 2) - mp.log(mp.pi * nu) / 2
    log_density = lambda u: -(nu + 1) / 2 * mp.log1p(u * u / nu)  # noqa: E731
    highest = log_density(t)
    # Pieces of a width on which the density falls by a factor of at most e.
    total, begin = mpf(0), t
    while True:
        end = begin + 1 / (1 + begin)
        piece = mp.quad(lambda u: mp.exp(log_density(u) - highest), [begin, end])
        total, begin = total + piece, end
        if piece < TIGHT * total:
            return 2 * mp.exp(log_constant + highest) * total


def student_quantile(p, nu):
    """By Newton's method in the logarithm of t, with the density for the slope."""
    p, nu = mpf(p), mpf(nu)
    constant = mp.exp(mp.loggamma((nu + 1) / 2) - mp.loggamma(nu / 2)) / mp.sqrt(mp.pi * nu)
    t = normal_quantile(p / 2)
    for _ in range(60):
        tail = student_two_sided(t, nu)
        density = constant * mp.exp(-(nu + 1) / 2 * mp.log1p(t * t / nu))
        change = mp.log(tail / p) * tail / (2 * t * density)
        t *= mp.exp(change)
        if abs(change) < mpf(10) ** -25:
            return t
    raise ArithmeticError((p, nu))


def chi_square_above(x, k):
    return mp.gammainc(mpf(k) / 2, mpf(x) / 2, mp.inf, regularized=True)


def sample_ratio(variants):
    users, weights = sum(one[0] for one in variants), sum(one[1] for one in variants)
    expected = [Fraction(weight * users, weights) for _, weight in variants]
    statistic = real(sum((one[0] - e) ** 2 / e for one, e in zip(variants, expected)))
    p = chi_square_above(statistic, len(variants) - 1)
    return {"statistic": float(statistic), "pValue": float(p), "mismatch": p < 0.001}


def holm(p_values):
    """Each value by the definition: the largest of those before it in the order, times the hypotheses left."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    left = [min(1.0, p_values[index] * (len(order) - rank)) for rank, index in enumerate(order)]
    return [max(left[: order.index(index) + 1]) for index in range(len(order))]


def winsorised(variants, quantile):
    everything = sorted(value for values in variants for value in values)
    share = lambda cap: Fraction(sum(1 for value in everything if value <= cap), len(everything))  # noqa: E731
    cap = next(value for value in everything if share(value) >= Fraction(quantile, 10_000))
    answer = []
    for values in variants:
        left = [min(value, cap) for value in values]
        capped = sum(1 for value in values if value > cap)
        squares = sum(value * value for value in left)
        answer.append({"users": len(values), "sum": str(sum(left)), "sumSquares": str(squares), "capped": capped})
    return {"cap": str(cap), "variants": answer}


def whole(variant, *names):
    return [int(variant[name]) for name in names]


def moments(kind, variant):
    """Users, mean and variance of one visitor, as rational numbers."""
    users, total = whole(variant, "users", "sum")
    if kind == "proportion":
        p = Fraction(total, users)
        return users, p, p * (1 - p)
    (squares,) = whole(variant, "sumSquares")
    mean, variance = Fraction(total, users), (squares - Fraction(total * total, users)) / (users - 1)
    if kind != "ratio":
        return users, mean, variance
    below, below_squares, product = whole(variant, "denominatorSum", "denominatorSumSquares", "crossProduct")
    below_mean = Fraction(below, users)
    below_variance = (below_squares - below_mean * below) / (users - 1)
    covariance = (product - mean * below) / (users - 1)
    delta = variance / below_mean**2 + below_variance * mean**2 / below_mean**4 - 2 * covariance * mean / below_mean**3
    return users, mean / below_mean, delta


def summary(kind, variant):
    try:
        _, mean, variance = moments(kind, variant)
        if variance < 0 or whole(variant, "users")[0] < 2 or impossible(kind, variant):
            raise ZeroDivisionError
        return {"mean": float(real(mean)), "standardDeviation": float(mp.sqrt(real(variance)))}
    except ZeroDivisionError:
        count = int(variant["denominatorSum"] if kind == "ratio" else variant["users"])
        return {"mean": float(Fraction(int(variant["sum"]), count)) if count else None, "standardDeviation": None}


def impossible(kind, variant):
    """A correlation above 1, of the sums of a ratio."""
    if kind != "ratio":
        return False
    users, total, squares, below, below_squares, product = whole(
        variant, "users", "sum", "sumSquares", "denominatorSum", "denominatorSumSquares", "crossProduct"
    )
    covariance = users * product - total * below
    return covariance**2 > (users * squares - total**2) * (users * below_squares - below**2)


def covariances(variant):
    """Variance of the metric, of the covariate, and covariance."""
    names = ("users", "sum", "sumSquares", "covariateSum", "covariateSumSquares", "crossProduct")
    users, y, yy, x, xx, xy = whole(variant, *names)
    n = Fraction(users)
    return [(part - both / n) / (n - 1) for part, both in ((yy, y * y), (xx, x * x), (xy, x * y))]


def cuped_lift(control, treatment):
    names = ("users", "sum", "sumSquares", "covariateSum", "covariateSumSquares", "crossProduct")
    joint = {name: int(control[name]) + int(treatment[name]) for name in names}
    _, joint_variance, joint_covariance = covariances(joint)
    theta = joint_covariance / joint_variance if joint_variance else Fraction(0)
    (na, ya, xa), (nb, yb, xb) = ([Fraction(v) for v in whole(one, "users", "sum", "covariateSum")] for one in (control, treatment))
    (a_y, a_x, a_xy), (b_y, b_x, b_xy) = covariances(control), covariances(treatment)
    va, vb = (y + theta**2 * x - 2 * theta * xy for y, x, xy in ((a_y, a_x, a_xy), (b_y, b_x, b_xy)))
    absolute = (yb / nb - theta * xb / nb) - (ya / na - theta * xa / na)
    r = (yb / nb) / (ya / na)
    squared = (vb / nb + (a_y * r**2 - 2 * theta * a_xy * r + theta**2 * a_x) / na) / (ya / na) ** 2
    return (na, va), (nb, vb), absolute, absolute / abs(ya / na), squared, {"theta": float(real(theta))}


def plain_lift(kind, control, treatment):
    (na, ma, va), (nb, mb, vb) = moments(kind, control), moments(kind, treatment)
    squared = vb / nb / ma**2 + va / na * mb**2 / ma**4
    return (na, va), (nb, vb), mb - ma, (mb - ma) / abs(ma), squared, {}


def rho_squared(alpha, tuning):
    log = -2 * mp.log(alpha)
    return (log + mp.log(log + 1)) / tuning


def sequential_width(users, alpha, tuning):
    tau = users * rho_squared(alpha, tuning) + 1
    return mp.sqrt(2 * tau / (tau - 1) * mp.log(mp.sqrt(tau) / alpha))


def interval(centre, half):
    return [float(centre - half), float(centre + half)]


def compare(kind, control, treatment, settings):
    alpha, tuning = mpf(settings.get("alpha", 0.05)), mpf(settings.get("sequentialTuning", 5_000))
    prior = settings.get("priorStandardDeviation")
    parts = cuped_lift(control, treatment) if kind == "cuped" else plain_lift(kind, control, treatment)
    (na, va), (nb, vb), absolute, lift, squared, more = parts
    lift, error, users = real(lift), mp.sqrt(real(squared)), mpf(int(na + nb))
    ea, eb = va / na, vb / nb
    degrees = real((ea + eb) ** 2 / (ea**2 / (na - 1) + eb**2 / (nb - 1)))
    tau = users * rho_squared(alpha, tuning) + 1
    evidence = mp.exp((tau - 1) / tau * (lift / error) ** 2 / 2) / mp.sqrt(tau)
    precision = 1 / error**2 + (1 / mpf(prior) ** 2 if prior else 0)
    mean, deviation = lift / error**2 / precision, 1 / mp.sqrt(precision)
    sequential = min(mpf(1), 1 / evidence)
    return sequential, more | {
        "lift": float(lift),
        "standardError": float(error),
        "absolute": float(real(absolute)),
        "absoluteStandardError": float(mp.sqrt(real(ea + eb))),
        "fixed": {
            "degreesOfFreedom": float(degrees),
            "interval": interval(lift, student_quantile(alpha, degrees) * error),
            "pValue": float(student_two_sided(abs(lift / error), degrees)),
        },
        "sequential": {
            "interval": interval(lift, sequential_width(users, alpha, tuning) * error),
            "pValue": float(sequential),
        },
        "bayesian": {
            "chanceToBeat": float(normal_above(-mean / deviation)),
            "interval": interval(mean, normal_quantile(alpha / 2) * deviation),
            "expectedLossOfControl": float(deviation * mean_excess(-mean / deviation)),
            "expectedLossOfTreatment": float(deviation * mean_excess(mean / deviation)),
        },
    }


def compared(kind, case):
    settings, control = case.get("settings", {}), case["variants"][0]
    answered = [summary(kind, variant) for variant in case["variants"]]
    for one, variant in zip(answered, case["variants"]):
        one |= {"variant": variant["variant"]} if "variant" in variant else {}
    found = [compare(kind, control, treatment, settings) for treatment in case["variants"][1:]]
    adjusted = holm([p for p, _ in found])
    counted = "sum" if kind == "proportion" else "none"
    fewest = min(int(one.get("conversions", one.get(counted, 0))) for one in case["variants"])
    for one, (_, comparison), p in zip(answered[1:], found, adjusted):
        verdict = "better" if comparison["lift"] > 0 else "worse"
        if fewest < settings.get("minimumConversions", 200) or p >= settings.get("alpha", 0.05):
            verdict = "undecided"
        one["againstControl"] = comparison | {"adjustedPValue": float(p), "verdict": verdict}
    return {"variants": answered}


def sample_size(case):
    settings, lift, power = case.get("settings", {}), abs(mpf(case["lift"])), mpf(case.get("power", 0.8))
    alpha, tuning = mpf(settings.get("alpha", 0.05)), mpf(settings.get("sequentialTuning", 5_000))
    if "mean" in case:
        relative = mpf(case["standardDeviation"]) / mpf(case["mean"])
        variance = 2 * relative**2 * (1 + (1 + mpf(case["lift"])) ** 2)
    else:
        variance = mpf(case["standardError"]) ** 2 * case["users"]

    def is_enough(users):
        fixed = case.get("horizon") == "fixed"
        width = normal_quantile(alpha / 2) if fixed else sequential_width(mpf(users), alpha, tuning)
        z = lift / mp.sqrt(variance / users)
        return normal_above(width - z) + normal_above(width + z) >= power

    least = case.get("users", 0)
    low, high = max(least, 1), max(least, 1)
    while not is_enough(high):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return {"users": high, "additionalUsers": high - least}
