"""Sources as a whole: folders of canonical tables, several files as one, everything that is wrong at once."""

import pytest

from kpi_research.crm.contract import hold_to_contract
from kpi_research.errors import InputError
from kpi_research.sources.mapping import CanonicalSource, FilesSource, SimulatedSource
from kpi_research.sources.read import files_of, read_source
from kpi_research.sources.simulated import Company
from kpi_research.sources.workspace import Workspace


@pytest.fixture
def workspace(tmp_path):
    with Workspace(tmp_path / "work") as opened:
        yield opened


def source(**tables) -> FilesSource:
    return FilesSource.model_validate({"kind": "files", "path": ".", "tables": tables})


PEOPLE = {"file": "people.csv", "columns": {"id": "person_id", "n": "name"}}


def test_every_wrong_name_is_reported_with_the_nearest(tmp_path, workspace):
    (tmp_path / "deals.csv").write_text("id,owner\n1,P1\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_source(
            source(
                opportunities={"file": "deals.csv", "columns": {"onwer": "owner_id", "id": "oportunity_id"}},
                people={"file": "dael.csv", "columns": {"id": "person_id"}},
                opportunites={"file": "deals.csv", "columns": {"id": "opportunity_id"}},
            ),
            tmp_path,
            workspace,
        )
    text = str(caught.value)
    for said in ("owner", "opportunity_id", "deals.csv", "opportunities"):
        assert f"Did you mean {said}?" in text


def test_a_table_may_come_from_several_files_and_patterns(tmp_path, workspace):
    (tmp_path / "people.csv").write_text("id,n\n1,a\n", encoding="utf-8")
    (tmp_path / "people_2.csv").write_text("id,n\n2,b\n1,again\n", encoding="gbk")
    (tmp_path / "people_3.csv").write_text("id,n\n3,c\n", encoding="utf-16")
    given = source(people=[PEOPLE, {**PEOPLE, "file": "people_*.csv"}])
    contract = hold_to_contract(read_source(given, tmp_path, workspace))
    assert sorted(contract.frame("people")["person_id"]) == ["1", "2", "3"]
    assert contract.row_counts[["file", "read", "rejected", "kept"]].to_numpy().tolist() == [
        ["people.csv", 1, 0, 1], ["people_2.csv", 2, 1, 1], ["people_3.csv", 1, 0, 1],
    ]  # fmt: skip
    assert contract.rejected[["file", "source_row", "rule"]].to_numpy().tolist() == [
        ["people_2.csv", 3, "duplicate_key"]
    ]
    assert [path.name for path in files_of(given, tmp_path)] == ["people.csv", "people_2.csv", "people_3.csv"]


def test_a_pattern_that_means_no_file_is_said(tmp_path, workspace):
    (tmp_path / "people.csv").write_text("id,n\n1,a\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"opps_\*\.csv"):
        read_source(source(people={**PEOPLE, "file": "opps_*.csv"}), tmp_path, workspace)


def test_a_canonical_folder_knows_its_tables(tmp_path, workspace):
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "people.csv").write_text("person_id,name\nP1,王芳\n", encoding="utf-8")
    given = CanonicalSource(kind="canonical", path="c")
    assert hold_to_contract(read_source(given, tmp_path, workspace)).frame("people")["name"].tolist() == ["王芳"]
    (tmp_path / "c" / "peple.csv").write_text("person_id,name\n", encoding="utf-8")
    with pytest.raises(InputError, match="Did you mean people"):
        read_source(given, tmp_path, workspace)


@pytest.mark.parametrize("folder", ["nowhere", "empty"])
def test_a_folder_that_is_missing_or_empty_is_said(tmp_path, workspace, folder):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError):
        read_source(CanonicalSource(kind="canonical", path=folder), tmp_path, workspace)


def test_the_client_files_defaults_are_the_companys():
    given = SimulatedSource(kind="simulated").model_dump(exclude={"kind"})
    assert Company(**given) == Company()


def test_a_workspace_leaves_nothing(tmp_path):
    with Workspace(tmp_path) as opened:
        opened.engine.raw_sql("create table t as select 1")
        assert list(tmp_path.iterdir())
    assert not list(tmp_path.iterdir())
