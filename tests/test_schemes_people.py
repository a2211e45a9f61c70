"""In what people differ comes from the client's own rows; what these do not tell is said."""

import datetime as dt

import pandas as pd
from conftest import small_tables, write_client

from kpi_research.run.appraised import _mostly, differences, season_before
from kpi_research.run.checkup import checkup
from kpi_research.run.client import open_client

PEOPLE = """person_id,name,role,hired_on,left_on
P1,王芳,销售,2024-01-01,
P2,李雷,主管,2024-01-01,
P3,钱七,销售,2024-01-01,
P4,赵敏,实习,2025-02-10,2025-05-20
"""
TEAMS = """team_id,name,region
T01,华东一组,华东
../../x,华南一组,华南
T03,空组,华北
"""
ACCOUNTS = """account_id,name,owner_id,tier
A1,甲,P1,大客户
A2,乙,P2,小客户
A3,丙,P3,小客户
"""
DAY = dt.date(2026, 3, 31)


def told(folder, **tables):
    return write_client(folder, small_tables() | {f"{name}.csv": text for name, text in tables.items()})


def test_roles_regions_and_kinds_of_customers_are_those_of_who_is_there(tmp_path):
    client = open_client(told(tmp_path, people=PEOPLE, teams=TEAMS, accounts=ACCOUNTS))
    assert differences(client, DAY) == {
        "role": ("主管", "销售"),
        "region": ("华东", "华南"),
        "customer_type": ("大客户", "小客户"),
        "product_line": ("X",),
    }
    assert season_before(client, DAY).status == "one_year", "fifteen months cannot tell season from chance"


def test_what_no_row_says_is_left_out(tmp_path):
    client = open_client(write_client(tmp_path, small_tables()))
    assert set(differences(client, DAY)) == {"product_line"}
    assert differences(client, dt.date(2020, 1, 1)) == {}, "no deals of that year"


def test_of_few_or_mixed_deals_nobody_is_said_to_be_of_one_kind():
    def deals(owner, **values):
        return [(owner, value) for value, count in values.items() for _ in range(count)]

    rows = [*deals("few", a=9), *deals("mixed", b=7, c=3), *deals("mostly", d=8, e=2), *deals("all", f=10)]
    frame = pd.DataFrame([*rows, *[("unsaid", None)] * 20], columns=["owner_id", "tier"])
    assert _mostly(frame, "tier") == {"d", "f"}


def test_check_says_where_one_size_is_for_all_and_what_the_data_cannot_tell(tmp_path):
    path = told(tmp_path, people=PEOPLE, teams=TEAMS, accounts=ACCOUNTS)
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("language: zh", "language: en"), encoding="utf-8")
    found = {(row["subject"], row["severity"]): row for row in checkup(path)["scheme"] if row["rule"] == "S26"}
    assert found["role", "warning"]["sentence_en"] == "One scheme for 2 roles: 主管, 销售."
    assert found["region", "note"]["sentence_zh"] == "区域有 2 种(华东, 华南),用同一个方案。"
    assert found["customer_type", "note"] and ("product_line", "note") not in found
    assert found["", "not_checked"]["sentence_en"].startswith("The data do not tell: levels, seasons.")


def test_a_version_that_asks_for_what_no_table_says_is_an_error_in_check(tmp_path):
    path = told(tmp_path, people=PEOPLE, teams=TEAMS, accounts=ACCOUNTS)
    versions = (
        "schemes:\n"
        "  - {scheme: saas_2025, effective_from: 2025-01-01}\n"
        "  - {scheme: b2c, effective_from: 2025-01-01, applies_to: {customer_type: 大客户}}\n"
        "  - {scheme: b2b, effective_from: 2025-01-01, applies_to: {role: 销售员}}\n"
    )
    path.write_text(path.read_text(encoding="utf-8").replace("scheme: saas_2025\n", versions), encoding="utf-8")
    rows = [row for row in checkup(path)["scheme"] if row["rule"] == "S26" and row["scheme"] == "saas_2025"]
    found = {row["subject"]: row for row in rows}
    assert found["b2c (2025-01-01)"]["severity"] == "error"
    assert "no table says of a person" in found["b2c (2025-01-01)"]["sentence_en"]
    assert found["b2b (2025-01-01)"]["severity"] == "warning"
    assert "there are: 主管, 销售" in found["b2b (2025-01-01)"]["sentence_en"]
