"""How the report of a data set looks, on a screen and on paper, and its histogram."""

from __future__ import annotations

from collections.abc import Sequence

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; color: #1c2430; }
h1 { font-size: 1.6em; } h2 { font-size: 1.15em; margin-top: 1.8em; }
table { border-collapse: collapse; margin: .6em 0; }
td, th { padding: .2em .8em .2em 0; border-bottom: 1px solid #d9dee6; text-align: left; vertical-align: top;
  overflow-wrap: break-word; }
td:last-child { overflow-wrap: anywhere; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; border: 1px solid #d9dee6; padding: .6em; font-size: .85em; }
mark { background: #d4ecd9; color: inherit; }
.warning, .info { border-left: 4px solid #c77700; padding: .3em .8em; } .info { border-color: #4a78b5; }
.source { color: #5b6675; font-size: .85em; }
@media print { body { margin: 0; max-width: none; } h2 { break-after: avoid; } tr, pre, svg { break-inside: avoid; }
  mark { outline: 1px solid #5a9; print-color-adjust: exact; } }
"""
_WIDTH, _HEIGHT, _FOOT = 640, 160, 20  # of the drawing, in pixels


def bars(edges: Sequence[int], counts: Sequence[int], limit: int | None = None) -> str:
    """A histogram as SVG; a line stands at `limit` if it lies within."""
    step, tallest, end = _WIDTH / len(counts), max(*counts, 1), max(edges[-1], 1)
    drawn = [
        f'<rect x="{i * step:.1f}" y="{_HEIGHT * (1 - count / tallest):.1f}" width="{step - 1:.1f}" '
        f'height="{_HEIGHT * count / tallest:.1f}" fill="#4a78b5"/>'
        for i, count in enumerate(counts)
    ]
    if limit is not None and limit <= end:
        x = _WIDTH * limit / end
        drawn.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{_HEIGHT}" stroke="#c77700" stroke-width="2"/>')
    for edge in (0, edges[len(edges) // 2], edges[-1]):
        anchor = "start" if edge == 0 else "end" if edge == edges[-1] else "middle"
        drawn.append(
            f'<text x="{_WIDTH * edge / end:.1f}" y="{_HEIGHT + 15}" font-size="12" '
            f'text-anchor="{anchor}">{edge:,}</text>'
        )
    return f'<svg role="img" viewBox="0 0 {_WIDTH} {_HEIGHT + _FOOT}" width="{_WIDTH}">{"".join(drawn)}</svg>'
