"""What must not matter does not: order of rows, encoding, columns that nobody maps; and a damaged cell harms only itself."""

import csv
import io
import tempfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kpi_research.crm.contract import hold_to_contract
from kpi_research.sources.mapping import FilesSource
from kpi_research.sources.read import read_source
from kpi_research.sources.workspace import Workspace

HEADER = ["编号", "客户", "负责人", "类型", "时间", "时长", "备注"]
ROWS = [
    [f"A{n:03d}", f"客户{n % 4}", f"P{n % 3}", ["拜访", "电话", "演示"][n % 3], f"2025-{n % 9 + 1:02d}-{n + 1:02d} 0{n % 8 + 1}:30", str(n * 7 % 50), '他说"好", 再谈\n下周']
    for n in range(12)
]  # fmt: skip
MAPPING = {
    "file": "acts.csv",
    "columns": {
        "编号": "activity_id",
        "客户": "account_id",
        "负责人": "person_id",
        "类型": "kind",
        "时间": "occurred_at",
        "时长": "minutes",
    },
    "values": {"kind": {"拜访": "visit", "电话": "call", "演示": "demo"}},
}
ENCODINGS = ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"]
CANONICAL = ["activity_id", "account_id", "person_id", "kind", "occurred_at", "minutes"]
few = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))


def read(header: list[str], rows: list[list[str]], encoding: str = "utf-8"):
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows([header, *rows])
    with tempfile.TemporaryDirectory() as name, Workspace(Path(name)) as workspace:
        (Path(name) / "acts.csv").write_bytes(out.getvalue().encode(encoding))
        source = FilesSource.model_validate({"kind": "files", "path": ".", "tables": {"activities": MAPPING}})
        contract = hold_to_contract(read_source(source, Path(name), workspace))
        kept = contract.frame("activities")[CANONICAL].sort_values("activity_id", ignore_index=True)
        return kept, contract.rejected, contract.row_counts


EXPECTED = pd.DataFrame(
    {
        "activity_id": [row[0] for row in ROWS],
        "account_id": [row[1] for row in ROWS],
        "person_id": [row[2] for row in ROWS],
        "kind": [{"拜访": "visit", "电话": "call", "演示": "demo"}[row[3]] for row in ROWS],
        "occurred_at": pd.to_datetime([row[4] for row in ROWS]).astype("datetime64[us]"),
        "minutes": [float(row[5]) for row in ROWS],
    }
)


@few
@given(st.permutations(ROWS), st.sampled_from(ENCODINGS), st.text(alphabet="备注abc甲乙 _()", min_size=1, max_size=8))
def test_order_encoding_and_unmapped_names_change_nothing(rows, encoding, other):
    header = [*HEADER[:-1], "x" + other.strip()]
    kept, rejected, counts = read(header, rows, encoding)
    pd.testing.assert_frame_equal(kept, EXPECTED, check_dtype=False)
    assert rejected.empty and counts["kept"].tolist() == [len(ROWS)]


@few
@given(
    st.integers(0, len(ROWS) - 1),
    st.integers(0, len(CANONICAL) - 1),
    st.one_of(
        st.text(max_size=12),
        st.sampled_from(
            ["", "2025-02-30", "1.23E+17", "∞", "=1+1", "'; drop table", "9" * 40, "--", "03/04/2025", "１２"]
        ),
    ),
)
def test_a_damaged_cell_is_turned_away_or_changes_only_its_own_value(at, column, damage):
    damage = damage.replace("\x00", "").replace("\r", "").encode("utf-8", "ignore").decode()
    rows = [list(row) for row in ROWS]
    place = HEADER.index(
        {
            "activity_id": "编号",
            "account_id": "客户",
            "person_id": "负责人",
            "kind": "类型",
            "occurred_at": "时间",
            "minutes": "时长",
        }[CANONICAL[column]]
    )
    rows[at][place] = damage
    kept, rejected, counts = read(HEADER, rows)
    others = EXPECTED[EXPECTED.index != at]
    untouched = kept[kept["activity_id"].isin(set(others["activity_id"]))]
    repeats = column == 0 and damage.strip() in set(others["activity_id"])
    pd.testing.assert_frame_equal(untouched.reset_index(drop=True), others.reset_index(drop=True), check_dtype=False)
    assert int(counts["rejected"].sum()) + int(counts["kept"].sum()) == len(ROWS)
    if len(kept) == len(ROWS):
        assert rejected.empty
        own = kept[~kept["activity_id"].isin(set(others["activity_id"]))].iloc[0]
        unharmed = [name for number, name in enumerate(CANONICAL) if number != column]
        assert own[unharmed].tolist() == EXPECTED.loc[at, unharmed].tolist()
    else:
        assert set(rejected["source_row"]) <= ({at + 2} if not repeats else {n + 2 for n in range(len(ROWS))})
        assert len(kept) == len(ROWS) - 1


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding(encoding):
    pd.testing.assert_frame_equal(read(HEADER, ROWS, encoding)[0], EXPECTED, check_dtype=False)
