"""The plots of the report: bars on a logarithmic scale, the cost of each variant relative to a literal."""

import html
import math
import re

from report_policies import COSTS, PARTS, relative, to_literal

COLOURS = ["#9aa0a6", "#5f6368", "#1a73e8", "#7baaf7", "#34a853", "#a8dab5", "#d93025", "#f29900"]
BAR, GAP, WIDTH = 14, 16, 460


def variants(results):
    """A group for each measurement, with a bar for each way to get the user's id."""
    titles = results["titles"]
    groups = [(each[1].rpartition(",")[0], [relative(results, each, role) for role in titles]) for each in COSTS]
    return bars(groups, list(titles.values()), 170)


def forms(results):
    """A group for each form of a policy, those of others last, with a bar for each way to find the rows."""
    groups = []
    for group in ("ours", "peers"):
        every = results["forms"][group]
        # A literal is what the others are relative to.
        groups += [(label(form["title"]), [to_literal(every, form, part) for part in PARTS]) for form in every
                   if form["title"] != form["literal"]]
    return bars(groups, [title.rpartition(",")[0] for title in PARTS.values()], 610)


def label(expression):
    return re.sub(r"current_setting\(.*?\)", "current_setting(…)", expression)


def bars(groups, titles, left):
    """Of the width of the labels: groups of bars, each with its value, from a half on, so that what is cheaper than
    the literal has a bar too."""
    decades = max(1, math.ceil(math.log10(max(value for _, values in groups for value in values))))

    def x(value):
        return left + WIDTH * (math.log10(max(value, 0.5)) + math.log10(2)) / (decades + math.log10(2))

    shapes, y = [], 40
    for label, values in groups:
        top = y
        for colour, value in zip(COLOURS, values):
            shapes.append(f'<rect x="{left}" y="{y}" width="{x(value) - left:.1f}" height="{BAR - 2}" fill="{colour}"/>')
            shapes.append(f'<text x="{x(value) + 4:.1f}" y="{y + 10}" class="value">{number(value)}</text>')
            y += BAR
        shapes.append(f'<text x="{left - 10}" y="{(top + y) / 2 + 3}" class="label">{html.escape(label)}</text>')
        y += GAP
    bottom = y - GAP + 6
    ticks = []
    for power in range(decades + 1):
        at = x(10**power)
        ticks.append(f'<line x1="{at:.1f}" y1="32" x2="{at:.1f}" y2="{bottom}"/>'
                     f'<text x="{at:.1f}" y="24" class="tick">{10**power:,}×</text>')
    legend = []
    for place, (colour, title) in enumerate(zip(COLOURS, titles)):
        column, row = place % 2, place // 2
        at, top = left + column * 240, bottom + 14 + row * 20
        legend.append(f'<rect x="{at}" y="{top}" width="12" height="12" fill="{colour}"/>'
                      f'<text x="{at + 18}" y="{top + 10}">{html.escape(title)}</text>')
    height = bottom + 24 + (len(titles) + 1) // 2 * 20
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" width="{left + WIDTH + 70}" height="{height}" font-family="sans-serif" font-size="12">
<style>.label {{ text-anchor: end }} .tick {{ text-anchor: middle }} .value {{ font-size: 10px }} line {{ stroke: #dadce0 }}</style>
<rect width="100%" height="100%" fill="white"/>
{chr(10).join(ticks + shapes + legend)}
</svg>
"""


def number(value):
    return f"{value:.2f}" if value < 100 else f"{value:,.0f}"
