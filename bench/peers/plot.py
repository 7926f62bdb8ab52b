#!/usr/bin/env python3
"""Draws one case of work/results.txt, as run.sh has written it: CPU time of a request for each proxy.

    bench/peers/plot.py CASE > plot.svg
"""
import html, os, sys

WIDTH, BAR, LEFT = 640, 22, 190


def lowest(case):
    """The lowest CPU time of each proxy over the rounds, in microseconds, the cheapest first."""
    found = {}
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "work", "results.txt")
    for line in open(path):
        fields = dict(part.split("=", 1) for part in line.split() if "=" in part)
        of, _, proxy = fields["label"].partition("/")
        if of == case and int(fields.get("n", 0)):
            found[proxy] = min(found.get(proxy, float("inf")), float(fields["cpu_us"]))
    return sorted(found.items(), key=lambda pair: pair[1])


def main():
    rows = lowest(sys.argv[1])
    # What is twenty times more than the rest would leave nothing of the rest to see.
    most = sorted(cost for _, cost in rows)[-1 if len(rows) < 3 else -2] * 1.15
    height = BAR * len(rows) + 34
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
          f'font-size="13"><title>CPU time of a request, {html.escape(sys.argv[1])}</title>'
          f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>'
          f'<text x="8" y="18" fill="#333">CPU time of a request in µs, 32 connections ({html.escape(sys.argv[1])})</text>')
    for place, (proxy, cost) in enumerate(rows):
        y, length = 30 + BAR * place, min(cost / most, 1) * (WIDTH - LEFT - 70)
        fill = "#2b6cb0" if proxy.startswith("countersign") else "#a0aec0"
        more = " …" if cost > most else ""
        print(f'<text x="{LEFT - 8}" y="{y + 14}" text-anchor="end" fill="#333">{html.escape(proxy)}</text>'
              f'<rect x="{LEFT}" y="{y + 2}" width="{length:.1f}" height="{BAR - 6}" fill="{fill}"/>'
              f'<text x="{LEFT + length + 6:.1f}" y="{y + 14}" fill="#333">{cost:.1f}{more}</text>')
    print("</svg>")


main()
