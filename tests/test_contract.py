"""The contract: nothing disappears, every row that is turned away is named with its rule and row."""

import ibis
import pandas as pd
import pytest

from kpi_research.crm.contract import hold_to_contract
from kpi_research.crm.raw import RawTable, Step
from kpi_research.crm.tables import TABLES
from kpi_research.errors import InputError
from kpi_research.language import catalogue

ENGINE = ibis.duckdb.connect()


def raw(rows: list[dict[str, str]], file: str = "export.csv", **kwargs) -> RawTable:
    frame = pd.DataFrame(rows, dtype="string")
    schema = ibis.schema(dict.fromkeys(frame.columns, "string"))
    return RawTable(ENGINE.create_table(ibis.util.gen_name("raw"), frame, schema=schema), file, **kwargs)


def opportunity(number: str, **changes: str) -> dict[str, str]:
    row = {"opportunity_id": number, "owner_id": "P1", "amount": "10", "created_at": "2026-01-05", "stage": "报价",
           "closed_at": "2026-02-01", "outcome": "won"}  # fmt: skip
    return row | changes


BROKEN = {
    "missing_value": {"opportunity_id": ""},
    "not_a_choice": {"outcome": "Won"},
    "not_a_number": {"amount": "ten"},
    "not_a_date": {"closed_at": "03/04/2026"},
    "impossible_date": {"created_at": "1899-12-31"},
    "id_rounded_by_a_spreadsheet": {"opportunity_id": "1.23E+17"},
    "closed_after_created": {"closed_at": "2025-12-31"},
    "closed_when_decided": {"closed_at": ""},
}


@pytest.mark.parametrize(("rule", "changes"), BROKEN.items(), ids=BROKEN)
def test_a_bad_row_is_returned_with_its_rule_and_row(rule, changes):
    contract = hold_to_contract(
        {"opportunities": raw([opportunity("1"), opportunity("2") | changes, opportunity("3")])}
    )
    assert contract.frame("opportunities")["opportunity_id"].tolist() == ["1", "3"]
    assert contract.rejected[["table", "file", "source_row", "rule"]].to_dict("records") == [
        {"table": "opportunities", "file": "export.csv", "source_row": 3, "rule": rule}
    ]
    counts = contract.row_counts.iloc[0]
    assert (counts["read"], counts["rejected"], counts["kept"]) == (3, 1, 2)


def test_a_row_that_breaks_several_rules_is_named_for_each_and_counted_once():
    contract = hold_to_contract({"opportunities": raw([opportunity("1", amount="x", outcome="?")])})
    assert sorted(contract.rejected["rule"]) == ["not_a_choice", "not_a_number"]
    assert contract.row_counts["rejected"].tolist() == [1]


def test_the_first_of_two_rows_with_one_key_is_kept():
    contract = hold_to_contract({"opportunities": raw([opportunity("1"), opportunity("1", amount="99")])})
    assert contract.frame("opportunities")["amount"].tolist() == [10.0]
    assert contract.rejected["rule"].tolist() == ["duplicate_key"]


def test_references_reject_or_count_as_the_table_says():
    contract = hold_to_contract(
        {
            "people": raw([{"person_id": "P1", "name": "王芳"}], "people.csv"),
            "teams": raw([{"team_id": "T1", "name": "甲"}], "teams.csv"),
            "assignments": raw([{"person_id": "P1", "team_id": "T1"}, {"person_id": "P9", "team_id": "T1"}], "a.csv"),
            "opportunities": raw([opportunity("1"), opportunity("2", owner_id="P9")], "o.csv"),
        }
    )
    assert contract.rejected[["table", "rule", "source_row", "value"]].to_dict("records") == [
        {"table": "assignments", "rule": "not_in_people", "source_row": 3, "value": "P9"}
    ]
    assert contract.counted[["table", "rule", "source_row"]].to_dict("records") == [
        {"table": "opportunities", "rule": "not_in_people", "source_row": 3}
    ]
    assert len(contract.frame("opportunities")) == 2


def test_a_reference_to_a_table_that_is_not_there_is_no_problem():
    contract = hold_to_contract({"opportunities": raw([opportunity("1")])})
    assert contract.counted.empty and "people" in contract.missing


def test_rows_are_never_lost():
    rows = [opportunity(str(number), **changes) for number, changes in enumerate(BROKEN.values())]
    contract = hold_to_contract({"opportunities": raw(rows, steps=(Step("merged", len(rows) + 7, len(rows)),))})
    counts = contract.row_counts.iloc[0]
    assert counts["read"] == counts["left_out"] + counts["rejected"] + counts["kept"] == len(rows) + 7
    assert contract.steps[["step", "before", "after"]].to_numpy().tolist() == [
        ["merged", len(rows) + 7, len(rows)],
        ["contract", len(rows), 0],
    ]


def test_wrong_shapes_are_all_named_at_once():
    with pytest.raises(InputError) as caught:
        hold_to_contract({"oportunities": raw([{"x": "1"}]), "people": raw([{"person_id": "1", "nmae": "x"}])})
    text = str(caught.value)
    assert "Did you mean opportunities?" in text and "Did you mean name?" in text and "lacks its column name" in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-07-01T08:00:00+00:00", "2026-07-01 16:00"), ("2026-07-01T08:00:00Z", "2026-07-01 16:00"),
        ("2026-07-01 08:00", "2026-07-01 08:00"), ("2026/7/1 8:00", "2026-07-01 08:00"), ("2026年7月1日", "2026-07-01"),
    ],
)  # fmt: skip
def test_times_are_the_tenants_local_time(text, expected):
    contract = hold_to_contract({"leads": raw([{"lead_id": "1", "created_at": text}])}, timezone="Asia/Shanghai")
    assert contract.frame("leads")["created_at"].iloc[0] == pd.Timestamp(expected)


def test_ids_stay_text():
    contract = hold_to_contract({"people": raw([{"person_id": "000012345678901234", "name": "1e5"}])})
    assert contract.frame("people").iloc[0][["person_id", "name"]].tolist() == ["000012345678901234", "1e5"]


def test_every_rule_and_table_has_its_sentence():
    rules = {rule.name for table in TABLES.values() for rule in table.rules}
    rules |= {
        f"not_in_{column.refers}" for table in TABLES.values() for column in table.columns.values() if column.refers
    }
    assert {f"contract.rule.{rule}" for rule in rules | set(BROKEN)} <= set(catalogue())
    assert {f"table.{name}" for name in TABLES} <= set(catalogue())
