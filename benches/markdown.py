"""Tables and figures as the report writes them."""

import math


def table(head, rows):
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def figure(value):
    """Three digits that count."""
    if value >= 1000:
        return f"{round(value):,}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(max(abs(value), 0.01))))}f}"
