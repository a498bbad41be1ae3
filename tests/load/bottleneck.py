"""What limits a step, by what the machine counted of processes."""

BUSY_MACHINE = 0.9  # of all processors
BUSY_PROCESS = 0.85  # of one processor: a Python program computes in one thread at a time
WAITING = "nothing is busy: requests wait for each other, or the shoppers think"


def bottleneck(step) -> str:
    machine = step.figures["machine"]
    host = machine["host"]
    if host is None:
        return "unknown: this system has no /proc"
    single = [row for row in machine["processes"] if not row["isFunction"]]
    functions = sum(row["cpuShare"] for row in machine["processes"] if row["isFunction"])
    shares = {row["name"]: row["cpuShare"] for row in single} | {"functions": functions, "the load test": step.own_cpu}
    ordered = sorted(shares.items(), key=lambda each: -each[1])
    parts = ", ".join(f"{name} {share:.2f}" for name, share in ordered if share >= 0.02)
    others = max(0.0, host["cpu"] - sum(shares.values()))
    used = f"{host['cpu']:.2f} of {host['processors']} processors are busy ({parts}, other programs {others:.2f})"
    saturated = [name for name, share in ordered if share >= BUSY_PROCESS and name != "functions"]
    if saturated:
        return f"{saturated[0]}, which computes in one thread at a time: {used}"
    if host["cpu"] >= BUSY_MACHINE * host["processors"]:
        if others > sum(shares.values()):
            return f"other programs on this machine, so that the figures say little: {used}"
        return f"the machine's processors, most of them for {ordered[0][0]}: {used}"
    return f"{WAITING}; {used}"
