"""What every report needs, imported and used once, so that a process forked afterwards finds it done."""

from __future__ import annotations

import gc
import importlib
import io
import os

from kpi_research.language import LANGUAGES

STACK = (
    "IPython",
    "babel.numbers",
    "ibis",
    "jinja2",
    "matplotlib.pyplot",
    "matplotlib_inline.backend_inline",
    "nbconvert",
    "pandas",
    "papermill",
    "pyarrow.parquet",
    "scipy.stats",
    "kpi_research.run.export",
    "kpi_research.run.pages",
    "kpi_research.run.render",
)
INLINE_BACKEND = "module://matplotlib_inline.backend_inline"


def warm() -> None:
    """Import the stack, draw one figure, run one notebook, and keep the collector from touching what is shared.

    Opens no database, no connection and no Python thread: none of them would survive the fork. The two threads that
    DuckDB and Arrow's allocator start when they are imported sleep, and both libraries work in a fork (tested).
    """
    # Jupyter's own default; pyplot looks for it only when a notebook first draws, so that nothing is chosen here
    os.environ.setdefault("MPLBACKEND", INLINE_BACKEND)
    import_stack()
    draw_once()
    run_once()
    gc.collect()
    gc.freeze()


def import_stack() -> None:
    """Import the packages that reports use."""
    for name in STACK:
        importlib.import_module(name)


def draw_once() -> None:
    """Draw a small figure, which reads the fonts and fills matplotlib's caches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2, 1))
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], label="warm")
    axes.legend()
    figure.savefig(io.StringIO(), format="svg")


def run_once() -> None:
    """Run, check, write and show a notebook of one cell.

    This compiles nbformat's schema and the page's templates, reads the catalogues, and imports IPython's parts.
    """
    import nbformat
    import papermill

    from kpi_research.kpis.catalogue import catalogue
    from kpi_research.report.block import Block
    from kpi_research.report.format import format_value
    from kpi_research.report.html import block_html, page_html
    from kpi_research.report.page import sections

    cell = nbformat.v4.new_code_cell("n = 0", metadata={"tags": ["parameters"]})
    notebook = nbformat.v4.new_notebook(cells=[cell])
    names = {"engine_name": "kpi_research", "kernel_name": "python3", "language": "python"}
    executed = papermill.execute_notebook(notebook, None, {"n": 1}, progress_bar=False, **names)
    nbformat.writes(executed)
    catalogue(), sections()
    for language in LANGUAGES:
        format_value(1.5, "money", language, currency="CNY")
        block_html(Block("warm", "warm"), language, currency="CNY")
        page_html(executed, title="warm", language=language)
