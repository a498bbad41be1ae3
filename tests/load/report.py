"""The report in the terminal, and as one page."""

import time
from html import escape

from figures import page as pages
from figures import text
from figures.chart import chart

HEALTH = "GET /health"
WATCHED = (
    "GET /products", "GET /products/{productId}", "POST /products/{productId}/reviews", "POST /orders", "POST /events",
    "POST /watchlist", "POST /users", "POST /sessions",
)  # fmt: skip


def line(step) -> str:
    total = step.figures["requests"]["total"]
    return (
        f"{step.users:>4} shoppers  {step.rate:>6.1f} requests/s  p50 {text.number(total['p50Ms']):>5} ms  "
        f"p99 {text.number(total['p99Ms']):>5} ms  5xx {total['5xx']}  function CPU {step.function_cpu_ms:.1f} ms  "
        f"units {text.number(total['readUnits'])} read {text.number(total['writeUnits'])} written"
    )


def merit(step) -> str:
    """Figures that do not measure the emulator: each route against one that does nothing, in the same step."""
    lines = [f"against {HEALTH} ({step.route(HEALTH)['p50Ms']} ms, p99 {step.route(HEALTH)['p99Ms']} ms) with {step.users} shoppers:"]
    for name in WATCHED:
        if step.route(name)["p50Ms"]:
            lines.append(f"  {name:<38} p50 × {step.of_health(name):.2f}  p99 × {step.of_health(name, 'p99Ms'):.2f}")
    return "\n".join(lines)


def page(instance: str, steps: list, reason: str, found: str, findings: list, figures: dict) -> str:
    """The report; below it are the same charts and tables that localstack/metrics has of the whole run."""
    rows = "".join(
        f"<tr><td>{step.users}</td><td>{step.rate:.1f}</td>"
        + "".join(f"<td>{text.number(step.figures['requests']['total'][name])}</td>" for name in ("p50Ms", "p90Ms", "p99Ms", "maxMs"))
        + f"<td>{step.figures['requests']['total']['5xx']}</td><td>{step.function_cpu_ms:.1f}</td>"
        f"<td>{text.number(step.figures['requests']['total']['readUnits'])}</td>"
        f"<td>{text.number(step.figures['requests']['total']['writeUnits'])}</td>"
        f"<td>{(step.figures['machine']['host'] or {}).get('cpu', 0):.2f}</td></tr>"
        for step in steps
    )
    heads = ("shoppers", "requests/s", "p50 ms", "p90", "p99", "max", "5xx", "function CPU ms", "RU", "WU", "processors busy")
    head = "".join(f"<th>{name}</th>" for name in heads)
    checks = "".join(
        f'<tr><th scope="row">{escape(finding.name)}</th><td class="words">{escape(finding.said)}</td>'
        f'<td class="words {"bad" if finding.wrong else ""}">{escape("; ".join(finding.wrong[:20]) or "exact")}</td></tr>'
        for finding in findings
    )
    moments = [int(step.begin * 1000) for step in steps]
    by_step = pages.grid(
        chart("Requests a second, by step", moments, {"requests": [step.rate for step in steps]}, pages.plain),
        chart("Median of steps, ms", moments, {
            name: [step.figures["requests"]["total"][member] for step in steps] for name, member in (("p50", "p50Ms"), ("p99", "p99Ms"))
        }, pages.plain),
        chart("Function CPU for each request, ms", moments, {"CPU": [step.function_cpu_ms for step in steps]}, pages.plain),
    ) if len(steps) > 1 else ""  # fmt: skip
    ours = (
        f"<header><h1>Load test of {escape(instance)}</h1><p>{time.strftime('%Y-%m-%d %H:%M', time.localtime(steps[0].begin))}</p></header>"
        f"<p>{escape('It gives: ' + reason + '.' if reason else '')} Bottleneck: {escape(found)}.</p>"
        f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>{by_step}'
        f'<h2>Afterwards</h2><div class="wide"><table><tbody>{checks}</tbody></table></div>'
        f"<h2>Against a request that does nothing</h2><pre>{escape(merit(max(steps, key=lambda step: step.rate)))}</pre><hr>"
    )
    return pages.page(figures).replace("<main>", f"<main>{ours}", 1)
