"""Pieces of SVG for the drawings of the benches: what peers/plot.py and growth.py draw with."""
import html

INK, ACCENT, MUTED = "#333", "#2b6cb0", "#a0aec0"


def text(x, y, what, anchor="start", fill=INK):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}">{html.escape(what)}</text>'


def bar(x, y, width, height, fill):
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{fill}"/>'


def line(points, colour, width=2):
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>'


def dot(x, y, fill):
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{fill}"/>'


def drawing(width, height, title, pieces):
    """The whole file, on white."""
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
                      f'font-family="sans-serif" font-size="13"><title>{html.escape(title)}</title>',
                      bar(0, 0, width, height, "#fff"), *pieces, "</svg>"])
