#!/usr/bin/env python3
"""The table of work/results.txt, as run.sh and start.py have written it.

    bench/peers/table.py [FILE]

Other programs ask `results` for the lines of it.
"""
import os, sys
from statistics import median

RESULTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "work", "results.txt")


def results(path=RESULTS):
    """Case and proxy of each, in the order they were first measured, with its lines' fields by round."""
    found = {}
    with open(path) as file:
        for line in file:
            fields = dict(part.split("=", 1) for part in line.split() if "=" in part)
            case, _, proxy = fields["label"].partition("/")
            found.setdefault((case, proxy), []).append(fields)
    return found


def numbers(lines, name):
    return [float(line[name]) for line in lines if name in line]


def pairs(lines, others, name, how):
    """`how` of both figures, round by round."""
    return [how(a, b) for a, b in zip(numbers(lines, name), numbers(others, name))]


def spread(found, form="{:.1f}"):
    """The median with the lowest and the highest."""
    shown = [form.format(value) for value in (median(found), min(found), max(found))]
    return "{} [{}..{}]".format(*shown)


def load(found, case, proxy, lines):
    """CPU time is of the lowest round: what disturbs adds to it. An intercepted case has hudsucker for a base."""
    least = min(numbers(lines, "cpu_us"))
    base = "hudsucker" if case.startswith("connect") else "hyper"
    other = numbers(found.get((case, base), []), "cpu_us")
    ratio = f"{least / min(other):.2f} {base}" if other and min(other) else "-"
    unsigned = found.get((case, "countersign"), [])
    signs = proxy.startswith("countersign-") and base == "hyper"
    signing = pairs(lines, unsigned, "cpu_us", lambda a, b: a - b) if signs else []
    return (f"{case:12} {proxy:20} {least:9.1f} {ratio:>15} {max(numbers(lines, 'rps')):8.0f} "
            f"{median(numbers(lines, 'p50_us')):9.0f} {median(numbers(lines, 'p99_us')):9.0f} "
            f"{numbers(lines, 'rss_kb')[-1] / 1024:8.1f} {sum(numbers(lines, 'errors')):6.0f} {len(lines):6} "
            f"{median(signing) if signing else '-':>8.5}")


def rate(found, case, proxy, lines):
    """At a fixed rate: beside the base of the same round, each figure the median with the lowest and the highest."""
    name, _, speed = case.partition("@")
    bases = [(f"alone@{speed}", proxy)] if name == "beside" else [(case, "hyper"), (case, "hyper-sign")]
    shown = [f"{case:12} {proxy:20} p50 {spread(numbers(lines, 'p50_us'), '{:.0f}')} µs, "
             f"p99 {spread(numbers(lines, 'p99_us'), '{:.0f}')} µs, CPU {spread(numbers(lines, 'cpu_us'))} µs, "
             f"{sum(numbers(lines, 'errors')):.0f} errs, {len(lines)} rounds"]
    for base in bases if name != "slow" else []:
        if base in found and base != (case, proxy):
            more = pairs(lines, found[base], "p50_us", lambda a, b: a - b)
            times = pairs(lines, found[base], "p99_us", lambda a, b: a / b)
            shown.append(f"{'':12} {'':20} over {'/'.join(base)}: p50 {spread(more, '{:+.0f}')} µs, "
                         f"p99 x {spread(times, '{:.2f}')}")
    return "\n".join(shown)


def start(found, case, proxy, lines):
    shown = [f"{case:12} {proxy:20}"]
    for name in ("listen_ms", "answer_ms"):
        shown.append(f"{name} {spread(numbers(lines, name)):22}")
        base = found.get((case, "hyper"), [])
        shown.append(f"x hyper {spread(pairs(lines, base, name, lambda a, b: a / b)):18}" if base else "")
    return " ".join(shown) + f" {len(lines)} starts"


def idle(_, case, proxy, lines):
    return (f"{case:12} {proxy:20} rss {median(numbers(lines, 'rss_before_kb')) / 1024:.1f} -> "
            f"{median(numbers(lines, 'rss_after_kb')) / 1024:.1f} MiB, {lines[-1]['idle']} conns, "
            f"{spread(numbers(lines, 'kb_per_conn'), '{:.2f}')} KiB/conn"
            + (f", {lines[-1]['failed']} failed: {lines[-1]['error']}" if lines[-1]["failed"] != "0" else ""))


def memory(_, case, proxy, lines):
    return f"{case:12} {proxy:20} {spread([kb / 1024 for kb in numbers(lines, 'start_kb')])} MiB after the start"


def stream(_, case, proxy, lines):
    shown = [f"{way} adds {spread([kb / 1024 for kb in numbers(lines, way + '_kb')])} MiB at "
             f"{median(numbers(lines, way + '_mib_s')):.0f} MiB/s, {median(numbers(lines, way + '_cpu_ms')):.0f} ms CPU"
             for way in ("up", "down")]
    return f"{case:12} {proxy:20} {lines[-1]['mib']} MiB: " + "; ".join(shown)


# What a line has that its kind alone has.
KINDS = [("answer_ms", start), ("start_kb", memory), ("up_kb", stream), ("kb_per_conn", idle), ("cpu_us", load)]


def main():
    found = results(*sys.argv[1:])
    print(f"{'case':12} {'proxy':20} {'cpu_us/rq':>9} {'x':>15} {'req/s':>8} {'p50_us':>9} {'p99_us':>9} "
          f"{'rss_MiB':>8} {'errs':>6} {'rounds':>6} {'signing':>8}")
    for (case, proxy), lines in found.items():
        good = [line for line in lines if line.get("n") != "0"]
        if not good:
            print(f"{case:12} {proxy:20} no result: {lines[-1].get('error')}")
            continue
        kind = rate if "@" in case else next(kind for name, kind in KINDS if name in good[0])
        print(kind(found, case, proxy, good))


if __name__ == "__main__":
    main()
