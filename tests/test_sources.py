"""Files as they come: encodings, headers, mappings, and what is said when they are wrong."""

import pytest

from kpi_research.errors import InputError
from kpi_research.sources.files import read_canonical, read_csv, read_files
from kpi_research.sources.mapping import CanonicalSource, FilesSource, SimulatedSource
from kpi_research.sources.simulated import Company

TEXT = "编号,负责人\n0012,王芳\n0013,李雷\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
def test_encodings_of_chinese_exports(tmp_path, encoding):
    path = tmp_path / "x.csv"
    path.write_bytes(TEXT.encode(encoding))
    frame = read_csv(path)
    assert frame.columns.tolist() == ["编号", "负责人"]
    assert frame["编号"].tolist() == ["0012", "0013"]
    assert frame.index.tolist() == [2, 3]


def test_a_named_encoding_is_the_only_one_tried(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(TEXT.encode("gbk"))
    with pytest.raises(InputError, match="none of utf-8"):
        read_csv(path, "utf-8")


def test_bytes_of_no_encoding_are_refused(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(b"a,b\n\xff\xff\xff,1\n")
    with pytest.raises(InputError, match="encoding"):
        read_csv(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "no column names"), ("a,b,a\n1,2,3\n", "stands twice"), ("a,b\n1,2\n3,4,5\n\n6,7\n", "Row 3 has 3 cells")],
)
def test_malformed_files_say_where(tmp_path, text, said):
    (tmp_path / "x.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=said):
        read_csv(tmp_path / "x.csv")


def test_cells_may_hold_commas_quotes_and_line_breaks(tmp_path):
    (tmp_path / "x.csv").write_text('a,b\n"x, ""y""\nz",1\n', encoding="utf-8")
    assert read_csv(tmp_path / "x.csv")["a"].tolist() == ['x, "y"\nz']


def source(**tables) -> FilesSource:
    return FilesSource.model_validate({"kind": "files", "path": ".", "tables": tables})


def test_mapping_takes_filters_renames_and_counts(tmp_path):
    (tmp_path / "x.csv").write_text("id,经理,状态\n1,甲,赢\n2,甲,输\n3,乙,赢\n", encoding="utf-8")
    tables = read_files(
        source(
            teams={"file": "x.csv", "columns": {"经理": ["team_id", "name"]}, "distinct": True},
            opportunities={
                "file": "x.csv", "columns": {"id": "opportunity_id", "状态": "outcome"}, "where": {"状态": ["赢"]},
                "values": {"outcome": {"赢": "won"}}, "constants": {"currency": "CNY"},
            },
        ),
        tmp_path,
    )  # fmt: skip
    assert tables["teams"].frame["team_id"].tolist() == ["甲", "乙"] and tables["teams"].left_out == {"merged": 1}
    found = tables["opportunities"]
    assert found.frame["outcome"].tolist() == ["won", "won"] and found.left_out == {"where 状态": 1}
    assert found.frame.index.tolist() == [2, 4]


def test_every_wrong_name_in_a_mapping_is_reported_with_the_nearest(tmp_path):
    (tmp_path / "deals.csv").write_text("id,owner\n1,P1\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_files(
            source(
                opportunities={"file": "deals.csv", "columns": {"onwer": "owner_id", "id": "oportunity_id"}},
                people={"file": "dael.csv", "columns": {"id": "person_id"}},
                opportunites={"file": "deals.csv", "columns": {"id": "opportunity_id"}},
            ),
            tmp_path,
        )
    text = str(caught.value)
    for said in (
        "Did you mean owner?",
        "Did you mean opportunity_id?",
        "Did you mean deals.csv?",
        "Did you mean opportunities?",
    ):
        assert said in text


def test_a_column_given_twice_is_refused(tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(InputError, match="given twice"):
        read_files(source(people={"file": "x.csv", "columns": {"a": "person_id", "b": "person_id"}}), tmp_path)


def test_a_canonical_folder_knows_its_tables(tmp_path):
    (tmp_path / "people.csv").write_text("person_id,name\nP1,王芳\n", encoding="utf-8")
    tables = read_canonical(CanonicalSource(kind="canonical", path="."), tmp_path)
    assert tables["people"].frame["name"].tolist() == ["王芳"]
    (tmp_path / "peple.csv").write_text("person_id,name\n", encoding="utf-8")
    with pytest.raises(InputError, match="Did you mean people"):
        read_canonical(CanonicalSource(kind="canonical", path="."), tmp_path)


@pytest.mark.parametrize("folder", ["nowhere", "empty"])
def test_a_folder_that_is_missing_or_empty_is_said(tmp_path, folder):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError):
        read_canonical(CanonicalSource(kind="canonical", path=folder), tmp_path / folder)


def test_the_client_files_defaults_are_the_companys():
    given = SimulatedSource(kind="simulated").model_dump(exclude={"kind"})
    assert Company(**given) == Company()
