#!/usr/bin/env python3
"""Draws one case of work/results.txt, as run.sh has written it: CPU time of a request for each proxy.

    bench/peers/plot.py CASE > plot.svg
"""
import os, sys

from table import numbers, results

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import svg

WIDTH, BAR, LEFT = 640, 22, 190


def lowest(case):
    """The lowest CPU time of each proxy over the rounds, in microseconds, the cheapest first."""
    found = {proxy: [line for line in lines if int(line.get("n", 0))]
             for (of, proxy), lines in results().items() if of == case}
    return sorted(((proxy, min(numbers(lines, "cpu_us"))) for proxy, lines in found.items() if lines),
                  key=lambda pair: pair[1])


def main():
    rows = lowest(sys.argv[1])
    # What is twenty times more than the rest would leave nothing of the rest to see.
    most = rows[-1 if len(rows) < 3 else -2][1] * 1.15
    pieces = [svg.text(8, 18, f"CPU time of a request in µs, 32 connections ({sys.argv[1]})")]
    for place, (proxy, cost) in enumerate(rows):
        y, length = 30 + BAR * place, min(cost / most, 1) * (WIDTH - LEFT - 70)
        fill = svg.ACCENT if proxy.startswith("countersign") else svg.MUTED
        more = " …" if cost > most else ""
        pieces += [svg.text(LEFT - 8, y + 14, proxy, "end"), svg.bar(LEFT, y + 2, length, BAR - 6, fill),
                   svg.text(LEFT + length + 6, y + 14, f"{cost:.1f}{more}")]
    print(svg.drawing(WIDTH, BAR * len(rows) + 34, f"CPU time of a request, {sys.argv[1]}", pieces))


main()
