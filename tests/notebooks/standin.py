"""What the stand-in report `report.ipynb` shows: two tables and two figures from a Parquet file, and its page."""

from __future__ import annotations

import html
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import SVG


def make_data(path, people=12, months=24, seed=7):
    """Write the Parquet file."""
    rng = np.random.default_rng(seed)
    index = pd.MultiIndex.from_product(
        [
            [f"T{i:02d}" for i in range(4)],
            range(people),
            pd.period_range("2025-01", periods=months, freq="M").astype(str),
        ],
        names=["team_id", "person_id", "period"],
    )
    frame = pd.DataFrame(
        {"visits": rng.poisson(20, len(index)), "value": rng.gamma(2.0, 50.0, len(index))}, index=index
    )
    frame.reset_index().to_parquet(path)


def read(path, team):
    """One team's rows."""
    return pd.read_parquet(path, filters=[("team_id", "==", team)])


def by_month(panel):
    return panel.groupby("period")[["visits", "value"]].mean().round(2)


def by_person(panel):
    return panel.groupby("person_id")[["visits", "value"]].agg(["mean", "std"]).round(2)


def trend_figure(panel):
    figure, axes = _figure()
    for person, rows in panel.groupby("person_id"):
        axes.plot(rows["period"].to_numpy(), rows["visits"].to_numpy(), label=f"person {person}")
    axes.legend(ncols=3, fontsize=6)
    axes.tick_params(axis="x", rotation=90)
    return _svg(figure)


def spread_figure(panel):
    figure, axes = _figure()
    axes.scatter(panel["visits"], panel["value"], s=8)
    axes.set(xlabel="visits", ylabel="value")
    return _svg(figure)


def _figure():
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout=None)
    return figure, figure.subplots()


def _svg(figure):
    import matplotlib as mpl

    out = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "kpi"}):
        figure.savefig(out, format="svg", metadata={"Date": None})
    return SVG(out.getvalue())


def export(notebook, job):
    """Write a small page and the numbers beside it."""
    parts, errors = [], []
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            parts.append(
                data.get("image/svg+xml") or data.get("text/html") or f"<pre>{html.escape(_text(output))}</pre>"
            )
            if output.output_type == "error":
                errors.append(output.ename)
    body = "\n".join(parts)
    page = f"<!doctype html><meta charset='utf-8'><title>{html.escape(job.name)}</title>{body}\n"
    Path(job.folder, job.notebook.stem + ".html").write_text(page, encoding="utf-8")
    Path(job.folder, "results.json").write_text(json.dumps({"job": job.name, "errors": errors}), encoding="utf-8")
    return {"failed_sections": []}


def export_with_failed_section(notebook, job):
    return {**export(notebook, job), "failed_sections": ["funnel"]}


def export_that_raises(notebook, job):
    (job.folder / "half.html").write_text("half")
    raise RuntimeError("no page")


def sum_in_database(n):
    """A query that DuckDB spreads over threads."""
    import duckdb

    with duckdb.connect(config={"threads": 4}) as connection:
        return int(connection.execute(f"SELECT sum(i) FROM range({n}) t(i)").fetchone()[0])


def _text(output):
    return output.get("text") or "\n".join(output.get("traceback", ())) or output.get("data", {}).get("text/plain", "")


def sections(data, team):
    """The same content without a notebook: what the benchmark takes as its floor."""
    panel = read(data, team)
    tables = [by_month(panel).to_html(), by_person(panel).to_html()]
    return "\n".join([*tables, trend_figure(panel).data, spread_figure(panel).data])
