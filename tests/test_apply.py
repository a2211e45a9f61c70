"""The mapping machine: every word of a mapping, on rows small enough to be worked out by hand."""

import ibis
import pandas as pd
import pytest

from kpi_research.crm.contract import hold_to_contract
from kpi_research.crm.raw import LEFT_OUT, SOURCE_ROW
from kpi_research.errors import InputError
from kpi_research.sources.apply import apply_mapping
from kpi_research.sources.export import Export
from kpi_research.sources.mapping import TableMapping
from kpi_research.sources.reshape import salesforce_18

ENGINE = ibis.duckdb.connect()


def export(text: str, name: str = "x.csv") -> Export:
    """An export from lines of cells separated by `|`; the first line is the header."""
    header, *lines = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
    frame = pd.DataFrame(lines, columns=header, dtype="string")
    rows = ENGINE.create_table(ibis.util.gen_name("x"), frame, schema=ibis.schema(dict.fromkeys(header, "string")))
    return Export(name, rows, tuple(header))


def mapped(table: str, text: str, **mapping):
    raw = apply_mapping(table, export(text), TableMapping.model_validate({"file": "x.csv", **mapping}))
    return raw, raw.rows.to_pandas()


def kept(table: str, text: str, **mapping) -> pd.DataFrame:
    raw, _ = mapped(table, text, **mapping)
    contract = hold_to_contract({table: raw})
    return contract.frame(table)


def test_one_column_may_fill_several_and_constants_fill_the_rest():
    _, rows = mapped(
        "contracts",
        "id|负责人\nK1|王芳",
        columns={"id": ["contract_id", "opportunity_id"], "负责人": "owner_id"},
        constants={"currency": "CNY"},
    )
    assert rows.to_dict("records") == [
        {"contract_id": "K1", "opportunity_id": "K1", "owner_id": "王芳", "currency": "CNY"}
    ]


def test_values_are_found_in_any_case_and_the_rest_becomes_what_the_star_says():
    columns = {"id": "activity_id", "t": "kind"}
    text = "id|t\n1|CALL\n2| 拜访 \n3|其他\n4|"
    _, rows = mapped(
        "activities", text, columns=columns, values={"kind": {"call": "call", "拜访": "visit", "*": "other"}}
    )
    assert rows["kind"].fillna("").tolist() == ["call", "visit", "other", ""]
    _, rows = mapped("activities", text, columns=columns, values={"kind": {"call": "call"}})
    assert rows["kind"].fillna("").tolist() == ["call", "拜访", "其他", ""]
    _, rows = mapped("activities", text, columns=columns, values={"kind": {"": "note", "*": "other"}})
    assert rows["kind"].tolist() == ["other", "other", "other", "note"]


def test_the_first_case_that_a_row_meets_decides():
    cases = [
        {"value": "won", "where": {"won": ["true", "1"]}},
        {"value": "lost", "where": {"closed": "TRUE"}},
        {"value": "open"},
    ]
    _, rows = mapped(
        "opportunities",
        "id|won|closed\n1|true|true\n2|false|True\n3|0|\n4|1|",
        columns={"id": "opportunity_id"},
        cases={"outcome": cases},
    )
    assert rows["outcome"].tolist() == ["won", "lost", "open", "won"]


def test_conditions_mark_rows_and_name_the_first_that_failed():
    raw, rows = mapped(
        "people",
        "id|name|deleted|dept\n1|a|0|S\n2|b|1|S\n3|c|1|T\n4|d||S",
        columns={"id": "person_id", "name": "name"},
        where={"dept": ["s"]},
        unless={"deleted": "1"},
    )
    assert rows[LEFT_OUT].fillna("").tolist() == ["", "unless deleted", "where dept", ""]
    contract = hold_to_contract({"people": raw})
    assert contract.frame("people")["person_id"].tolist() == ["1", "4"]
    assert contract.row_counts[["read", "left_out", "rejected", "kept"]].to_numpy().tolist() == [[4, 2, 0, 2]]
    steps = contract.steps[["step", "detail", "before", "after"]].to_numpy().tolist()
    assert sorted(steps[:2]) == [["unless", "deleted", 3, 2], ["where", "dept", 4, 3]] or sorted(steps[:2]) == [
        ["unless", "deleted", 4, 3],
        ["where", "dept", 3, 2],
    ]


def test_date_and_time_are_joined_by_a_space_and_parts_of_a_key_by_a_stroke():
    join = {"occurred_at": ["d", "t"], "activity_id": ["who", "d", "t"]}
    _, rows = mapped(
        "activities", "who|d|t\nw|2024-01-02|08:30\nw|2024-01-03|", columns={"who": "person_id"}, join=join
    )
    assert rows["occurred_at"].tolist() == ["2024-01-02 08:30", "2024-01-03"]
    assert rows["activity_id"].tolist() == ["w/2024-01-02/08:30", "w/2024-01-03"]


def test_pick_takes_the_number_out_of_a_name_and_leaves_other_texts():
    _, rows = mapped(
        "people", "p\n王芳(0012)\n李雷", columns={"p": ["person_id", "name"]}, pick={"person_id": r"\((\w+)\)$"}
    )
    assert rows["person_id"].tolist() == ["0012", "李雷"] and rows["name"].tolist() == ["王芳(0012)", "李雷"]


def test_blank_cells_of_a_subform_take_what_stands_above():
    _, rows = mapped(
        "contracts",
        "no|customer|item|amount\nK1|C1|a|1\n||b|2\nK2|C2|c|3",
        columns={"no": "contract_id", "customer": "account_id", "amount": "amount"},
        fill_down=["no", "customer"],
    )
    assert rows.sort_values(SOURCE_ROW)[["contract_id", "account_id", SOURCE_ROW]].to_numpy().tolist() == [
        ["K1", "C1", 2],
        ["K1", "C1", 3],
        ["K2", "C2", 4],
    ]


LINES = "no|date|who|head|line\nK1|2024-01-02|王|300|100.10\nK1|2024-01-02|王|300|199.90\nK2|2024-01-05|李|50|50\nK3|2024-01-06|李|9|x\nK3|2024-01-06|李|9|9"


def test_order_lines_are_summed_and_head_amounts_are_not():
    columns = {"no": "contract_id", "date": "signed_at", "who": "owner_id"}
    lines = kept(
        "contracts", LINES, columns={**columns, "line": "amount"}, lines={"per": "contract_id", "sum": ["amount"]}
    )
    assert dict(zip(lines["contract_id"], lines["amount"])) == {"K1": 300.0, "K2": 50.0}
    heads = kept("contracts", LINES, columns={**columns, "head": "amount"}, lines={"per": "contract_id"})
    assert dict(zip(heads["contract_id"], heads["amount"])) == {"K1": 300.0, "K2": 50.0, "K3": 9.0}


def test_a_line_that_cannot_be_read_rejects_its_record_instead_of_a_smaller_sum():
    raw, _ = mapped(
        "contracts",
        LINES,
        columns={"no": "contract_id", "date": "signed_at", "line": "amount"},
        lines={"per": "contract_id", "sum": ["amount"]},
    )
    rejected = hold_to_contract({"contracts": raw}).rejected
    assert rejected[["record", "source_row", "rule", "value"]].to_numpy().tolist() == [["K3", 5, "not_a_number", "x"]]


def test_dated_notes_become_activities():
    pattern = r"(?P<day>\d{4}-\d{2}-\d{2}): (?P<what>[^.]+)\."
    _, rows = mapped(
        "activities", "id|who|notes\n7|a|2023-11-07: Had a call. 2023-11-25: Saw the demo. \n8|b|nothing\n9|c|2023-12-01: Had a call.",
        unfold={"column": "notes", "pattern": pattern}, columns={"who": "person_id", "day": "occurred_at", "what": "kind"},
        join={"activity_id": ["id", "match"]}, values={"kind": {"Had a call": "call", "Saw the demo": "demo"}},
    )  # fmt: skip
    found = (
        rows.sort_values("activity_id")[["activity_id", "person_id", "occurred_at", "kind", SOURCE_ROW]]
        .to_numpy()
        .tolist()
    )
    assert found == [
        ["7/1", "a", "2023-11-07", "call", 2],
        ["7/2", "a", "2023-11-25", "demo", 2],
        ["9/1", "c", "2023-12-01", "call", 4],
    ]


def test_months_across_become_rows_and_empty_cells_none():
    _, rows = mapped(
        "targets", "who|year|jan|feb\nP1|2024|10|20\nP2|2024||5", unpivot={"columns": {"jan": "2024-01", "feb": "2024-02"}, "name": "month", "value": "goal"},
        columns={"who": "scope_id", "month": "period", "goal": "base"}, constants={"scope": "person", "kpi": "signed_amount"},
    )  # fmt: skip
    assert sorted(rows[["scope_id", "period", "base"]].to_numpy().tolist()) == [
        ["P1", "2024-01", "10"],
        ["P1", "2024-02", "20"],
        ["P2", "2024-02", "5"],
    ]


def test_several_customers_in_a_cell_are_a_row_each_with_a_key_of_its_own():
    _, rows = mapped(
        "activities",
        "id|customers\n1|C1,C2, C3\n2|C4\n3|",
        columns={"id": "activity_id", "customers": "account_id"},
        split={"account_id": ","},
    )
    found = rows.fillna("").sort_values("activity_id")[["activity_id", "account_id"]].to_numpy().tolist()
    assert found == [["1", "C1"], ["1#2", "C2"], ["1#3", "C3"], ["2", "C4"], ["3", ""]]


def test_equal_rows_are_one_and_counted():
    raw, rows = mapped("teams", "dept\n东区\n西区 \n东区\n西区", columns={"dept": ["team_id", "name"]}, distinct=True)
    assert rows.sort_values(SOURCE_ROW)[["team_id", SOURCE_ROW]].to_numpy().tolist() == [["东区", 2], ["西区", 3]]
    assert [(step.name, step.before, step.after) for step in raw.steps] == [("merged", 4, 2)]


def test_prefix_and_units_and_zone():
    text = "id|who|minutes|at\n1|a|90|2024-03-01 02:00:00"
    frame = kept("activities", text, columns={"id": "activity_id", "who": "person_id", "minutes": "minutes", "at": "occurred_at"}, constants={"kind": "call"},
                 prefix={"activity_id": "task-"}, units={"minutes": 1 / 60}, zone="UTC")  # fmt: skip
    assert frame.iloc[0][["activity_id", "minutes", "occurred_at"]].tolist() == [
        "task-1",
        1.5,
        pd.Timestamp("2024-03-01 10:00"),
    ]


@pytest.mark.parametrize(
    ("short", "long"),
    # the rule is published with these two: bits of capitals in each block of five, read from the left as 1, 2, 4, 8, 16
    [
        ("001a0000006CEmh", "001a0000006CEmhAAG"),
        ("0015500000Xyy06", "0015500000Xyy06AAB"),
        ("006q000000HddohAAB", "006q000000HddohAAB"),
    ],
)
def test_salesforce_ids_are_completed(short, long):
    rows = ENGINE.create_table(ibis.util.gen_name("ids"), pd.DataFrame({"id": [short]}))
    assert rows.select(id=salesforce_18(rows.id)).to_pandas()["id"].tolist() == [long]


def test_everything_wrong_is_said_at_once_with_the_nearest_name():
    with pytest.raises(InputError) as caught:
        mapped("opportunities", "id|owner\n1|a", columns={"onwer": "owner_id", "id": "oportunity_id"}, values={"stage": {"a": "b"}}, where={"stat": "x"},
               zone="Asia/Shangai", dates="dd/mm/yyyy", pick={"owner_id": "("}, units={"amont": 2})  # fmt: skip
    text = str(caught.value)
    for said in (
        "Did you mean opportunity_id?",
        "`values` of opportunities names stage",
        "Did you mean Asia/Shanghai?",
        "dd/mm/yyyy",
        "regular expression",
        "Did you mean amount?",
    ):
        assert said in text, said
    with pytest.raises(InputError, match="Did you mean owner"):
        mapped("opportunities", "id|owner\n1|a", columns={"onwer": "owner_id"})
