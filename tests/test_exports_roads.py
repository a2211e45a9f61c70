"""Two roads through a CSV file give the same rows: DuckDB's reader where it can be trusted, and the csv module."""

import csv
import io
import re

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from kpi_research.crm.engine import SPACE
from kpi_research.sources.exports.csv import read_lazily
from kpi_research.sources.exports.csv_exact import read_exactly
from kpi_research.sources.exports.csv_layout import Layout
from kpi_research.sources.exports.csv_plain import plain_records
from kpi_research.sources.exports.text import TextFile
from kpi_research.sources.workspace import Workspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    with Workspace(tmp_path_factory.mktemp("workspace")) as opened:
        yield opened


CELL = st.one_of(
    st.text(st.sampled_from('a1 ,;"\n\r\t客𠀀\u2028|\\#'), max_size=6),
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=8),
)


@st.composite
def files(draw):
    """Content and delimiter of a file: well written, or hit by a stray character or a lost one."""
    width = draw(st.integers(1, 4))
    delimiter = draw(st.sampled_from(",;\t|"))
    rows = draw(st.lists(st.lists(CELL, min_size=width, max_size=width), max_size=8))
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    out = io.StringIO()
    end = draw(st.sampled_from(["\n", "\r\n"]))
    csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows(rows)
    content = out.getvalue()
    if content and draw(st.booleans()):
        at = draw(st.integers(0, len(content) - 1))
        content = (
            content[:at] + draw(st.sampled_from(["", '"', "\n", "\r", delimiter, " ", "\n\n"])) + content[at + 1 :]
        )
    return end.join([delimiter.join(f"h{i}" for i in range(width)), content]), delimiter, width


def as_read(workspace, found, width):
    """Row number -> cells without the space around them, as typing reads them; blank rows count for nothing."""
    rows = workspace.engine.table(found.table).to_pyarrow().to_pylist()
    numbered = [(row.pop("source_row", i), [row[f"h{j}"] for j in range(width)]) for i, row in enumerate(rows, 2)]
    cleaned = [(number, tuple((cell or "").strip(" ") or None for cell in row)) for number, row in numbered]
    return [(number, row) for number, row in cleaned if any(cell and not cell.isspace() for cell in row)]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files())
def test_both_roads_give_the_same_rows(tmp_path, workspace, file):
    content, delimiter, width = file
    # DuckDB lets a space stand after a closing quote, which the csv module refuses
    assume(not re.search(r'" +([,;\t|\r\n]|$)', content))
    path = tmp_path / "x.csv"
    path.write_bytes(content.encode())
    layout = Layout(delimiter, 1, 0, tuple(f"h{i}" for i in range(width)), 1)
    source = TextFile(path, path.name, "utf-8")
    lazily = read_lazily(source, layout, workspace=workspace)
    if lazily is None:
        return
    assert as_read(workspace, lazily, width) == as_read(
        workspace, read_exactly(source, layout, workspace=workspace), width
    )


def test_the_fast_road_is_taken_for_most_well_written_files(tmp_path, workspace):
    rows = [["1", "x, y", 'say "hi"'], ["2", "two\nlines", ""], ["3", "", "客户"]]
    out = io.StringIO()
    csv.writer(out).writerows([["h0", "h1", "h2"], *rows])
    layout = Layout(",", 1, 0, ("h0", "h1", "h2"), 1)
    path = tmp_path / "x.csv"
    path.write_bytes(out.getvalue().encode())
    source = TextFile(path, path.name, "utf-8")
    lazily, exactly = (
        read_lazily(source, layout, workspace=workspace),
        read_exactly(source, layout, workspace=workspace),
    )
    expected = [(i, tuple(cell or None for cell in row)) for i, row in enumerate(rows, 2)]
    assert as_read(workspace, lazily, 3) == as_read(workspace, exactly, 3) == expected


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.lists(st.sampled_from(["", "a", " ", "\u3000", "客户", "—"]), min_size=1, max_size=4), min_size=1, max_size=6
    ),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
def test_records_counted_by_their_bytes_are_the_records_that_the_csv_module_reads(tmp_path, rows, end, is_ended):
    width = len(rows[0])
    content = end.join(["h" * 3, *(",".join(row) for row in rows)]) + (end if is_ended else "")
    path = tmp_path / "x.csv"
    path.write_bytes(content.encode())
    read = list(csv.reader(io.StringIO(content, newline="")))[1:]
    is_plain = all(len(row) == width and any(cell.strip(SPACE) for cell in row) for row in read)
    assert plain_records(path, 1, ",", width) == (len(read) if is_plain else None)


@pytest.mark.parametrize("content", ['a,"b"', "a,b\rc,d", "a,b\r\nc,d", "a\nb,c,d", "a,b\n,\nc,d", "a,b\n\nc,d"])
def test_bytes_alone_do_not_prove_what_may_be_understood_differently(tmp_path, content):
    path = tmp_path / "x.csv"
    path.write_bytes(f"h0,h1\n{content}\n".encode())
    assert plain_records(path, 1, ",", 2) is None
