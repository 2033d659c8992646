"""A report as one HTML file: no outside request, no script, printable, charts with alt texts."""

from __future__ import annotations

from base64 import b64encode
from importlib.resources import files
from io import BytesIO

from modelops_calabaria.diagnostics.blocks import Canvas, Chart, Report

__all__ = ["render_html"]

_WIDTH = 8.2


def render_html(report: Report) -> bytes:
    """The report as UTF-8 HTML."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    source = files("modelops_calabaria.diagnostics").joinpath("template.html").read_text("utf-8")
    template = environment.from_string(source)
    return template.render(
        report=report, picture=_picture, kind=lambda block: type(block).__name__
    ).encode()


def _picture(chart: Chart) -> str:
    """The chart as an SVG data URI. It draws the same bytes for the same numbers."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, chart.height), dpi=150)
    chart.draw(Canvas(figure, 0.0, 0.0, _WIDTH, chart.height))
    buffer = BytesIO()
    with mpl.rc_context({"svg.hashsalt": "report", "svg.fonttype": "path"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return f"data:image/svg+xml;base64,{b64encode(buffer.getvalue()).decode()}"
