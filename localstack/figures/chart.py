"""Line charts as SVG: no program runs in the page, and the browser shows a point's values where the pointer is."""

import math
import time
from collections.abc import Callable
from html import escape

WIDTH, HEIGHT = 560, 190
LEFT, RIGHT, TOP, BOTTOM = 62, 12, 10, 24
MOST_LINES = 6
TIME_LABELS = 5

Show = Callable[[float], str]


def chart(title: str, moments: list[int], lines: dict[str, list], show: Show) -> str:
    """A figure with a legend. `moments` are milliseconds since 1970; a value may be None."""
    lines = largest(lines)
    values = [value for each in lines.values() for value in each if value is not None]
    if not moments or not values:
        return f'<figure><figcaption>{escape(title)}</figcaption><p class="nothing">Nothing in this period.</p></figure>'
    step, top = scale(max(values))
    span = max(1, moments[-1] - moments[0])
    xs = [LEFT + (moment - moments[0]) / span * (WIDTH - LEFT - RIGHT) for moment in moments]

    def height(value: float) -> float:
        return HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM)

    parts = []
    for number in range(round(top / step) + 1):
        y = height(number * step)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="value" x="{LEFT - 8}" y="{y + 4:.1f}">{escape(show(number * step))}</text>')
    for number in range(TIME_LABELS):
        x = LEFT + number / (TIME_LABELS - 1) * (WIDTH - LEFT - RIGHT)
        anchor = "start" if number == 0 else "end" if number == TIME_LABELS - 1 else "middle"
        at = clock(moments[0] + number / (TIME_LABELS - 1) * span)
        parts.append(f'<text class="time" text-anchor="{anchor}" x="{x:.1f}" y="{HEIGHT - 6}">{at}</text>')
    for colour, each in enumerate(lines.values()):
        parts.append(f'<path class="line c{colour}" d="{path(xs, each, height)}"/>')
    half = (WIDTH - LEFT - RIGHT) / max(1, len(xs) - 1) / 2
    for index, x in enumerate(xs):
        said = [f"{name}: {show(each[index])}" for name, each in lines.items() if each[index] is not None]
        text = escape("\n".join([clock(moments[index]), *said]))
        parts.append(
            f'<rect class="point" x="{x - half:.1f}" y="{TOP}" width="{2 * half:.1f}" height="{HEIGHT - TOP - BOTTOM}">'
            f"<title>{text}</title></rect>"
        )
    keys = "".join(
        f'<li><span class="key c{colour}"></span>{escape(name)} <b>{escape(show(last(each)))}</b></li>'
        for colour, (name, each) in enumerate(lines.items())
    )
    return (
        f"<figure><figcaption>{escape(title)}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">{"".join(parts)}</svg>'
        f'<ul class="keys">{keys}</ul></figure>'
    )


def largest(lines: dict[str, list]) -> dict[str, list]:
    """At most as many lines as there are colours: those with the highest values, in their order."""
    chosen = sorted(lines, key=lambda name: -max((value or 0 for value in lines[name]), default=0))[:MOST_LINES]
    return {name: each for name, each in lines.items() if name in chosen}


def path(xs: list[float], values: list, height: Callable[[float], float]) -> str:
    """Straight lines between points; a gap where a value is missing."""
    commands, pen = [], "M"
    for x, value in zip(xs, values, strict=True):
        if value is None:
            pen = "M"
            continue
        commands.append(f"{pen}{x:.1f},{height(value):.1f}")
        if pen == "M":
            commands.append("h0.1")  # so that a point between two gaps is seen
        pen = "L"
    return "".join(commands)


def scale(most: float) -> tuple[float, float]:
    """The distance of grid lines (1, 2 or 5 times a power of ten) and the top of the axis, for three to five lines."""
    rough = max(most, 1e-9) / 4
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    return step, step * max(1, math.ceil(most / step - 1e-9))


def last(values: list) -> float:
    return next((value for value in reversed(values) if value is not None), 0)


def clock(moment: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(moment / 1000))
