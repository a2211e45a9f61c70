"""Several systems of one client: who is whom, which customer is which, and nothing counted twice or lost."""

import ibis
import pandas as pd
import pytest

from kpi_research.crm.contract import hold_to_contract
from kpi_research.crm.raw import RawTable
from kpi_research.errors import InputError
from kpi_research.sources.mapping import MergedSource
from kpi_research.sources.merge import merge

ENGINE = ibis.duckdb.connect()


def raw(file: str, **columns: list[str | None]) -> list[RawTable]:
    frame = pd.DataFrame(columns, dtype="string")
    schema = ibis.schema(dict.fromkeys(frame.columns, "string"))
    return [RawTable(ENGINE.create_table(ibis.util.gen_name("m"), frame, schema=schema), file)]


def client(**more) -> MergedSource:
    """Orders from an ERP, activities from a messenger, people from HR, customers from a CRM."""
    sources = {
        name: {"kind": "files", "path": name, "tables": {}, **more.get(name, {})}
        for name in ("hr", "crm", "erp", "chat")
    }
    return MergedSource.model_validate({"kind": "merged", "people": "hr", "sources": sources})


def systems() -> dict[str, dict[str, list[RawTable]]]:
    return {
        "hr": {
            "people": raw("staff.csv", person_id=["H1", "H2", "H3", "H4"], name=["王芳", "李雷", "张伟", "张伟"], employee_no=["001", "002", "003", "004"],
                          email=["wf@x.cn", "ll@x.cn", "zw1@x.cn", "zw2@x.cn"], user_id=["wangfang", None, None, None]),
        },
        "crm": {
            "people": raw("users.csv", person_id=["1", "2", "3"], name=["Fang", "李雷", "外部顾问"], email=["WF@X.cn", None, None]),
            "accounts": raw("accounts.csv", account_id=["12", "13", "14"], name=["安科科技(上海)", "北方公司", "北方公司"], owner_id=["1", "2", "1"]),
            "opportunities": raw("opps.csv", opportunity_id=["12"], account_id=["12"], owner_id=["3"], outcome=["open"]),
        },
        "erp": {
            "accounts": raw("customers.csv", account_id=["12", "90"], name=["北方公司", "安科科技（上海）"]),
            "contracts": raw("orders.csv", contract_id=["K1", "K2", "K3"], account_id=["90", "12", "12"], owner_id=["王芳", "张伟", "002"],
                             signed_at=["2024-01-01"] * 3, amount=["1", "2", "3"], opportunity_id=["12", None, None]),
        },
        "chat": {
            "activities": raw("checkins.csv", activity_id=["a", "b"], person_id=["wangfang", "nobody"], kind=["visit", "visit"], occurred_at=["2024-01-01", "2024-01-02"]),
        },
    }  # fmt: skip


def test_people_are_matched_by_the_surest_key_and_the_rest_is_counted():
    contract = hold_to_contract(merge(client(), systems()))
    contracts = contract.frame("contracts").set_index("contract_id")
    assert contracts["owner_id"].to_dict() == {"K1": "H1", "K2": "erp:张伟", "K3": "H2"}, (
        "by name; two of a name; by number"
    )
    assert contract.frame("activities")["person_id"].tolist() == ["H1", "chat:nobody"]
    assert contract.frame("opportunities")["owner_id"].tolist() == ["crm:3"]
    assert contract.frame("accounts").set_index("account_id")["owner_id"].dropna().to_dict() == {
        "12": "H1",
        "13": "H2",
        "14": "H1",
    }
    people = contract.frame("people").set_index("person_id")["name"]
    assert people.to_dict() == {
        "H1": "王芳",
        "H2": "李雷",
        "H3": "张伟",
        "H4": "张伟",
        "crm:3": "外部顾问",
        "erp:张伟": "张伟",
        "chat:nobody": "nobody",
    }
    noted = contract.counted[contract.counted["table"] == "people"]
    assert sorted(zip(noted["rule"], noted["value"])) == [
        ("person_matches_several", "erp:张伟"), ("person_not_matched", "chat:nobody"), ("person_not_matched", "crm:3"),
    ]  # fmt: skip
    assert not [rule for rule in contract.counted["rule"] if rule == "not_in_people"], (
        "everybody referred to is on the list"
    )


def test_customers_are_one_where_their_name_tells_and_apart_where_it_does_not():
    contract = hold_to_contract(merge(client(), systems()))
    accounts = contract.frame("accounts")["account_id"].tolist()
    assert sorted(accounts) == ["12", "13", "14", "erp:12"], (
        "安科 is one; 北方 stands twice in the first list, so it stays apart"
    )
    assert contract.frame("contracts").set_index("contract_id")["account_id"].to_dict() == {
        "K1": "12",
        "K2": "erp:12",
        "K3": "erp:12",
    }
    assert contract.frame("contracts").set_index("contract_id")["opportunity_id"].dropna().to_dict() == {"K1": "12"}
    counts = contract.row_counts.set_index(["table", "file"])
    assert tuple(counts.loc[("accounts", "customers.csv"), ["read", "left_out", "kept"]]) == (2, 1, 1)


def test_what_a_system_calls_people_by_may_be_said():
    by_number = client(erp={"persons": "employee_no"})
    contract = hold_to_contract(merge(by_number, systems()))
    assert contract.frame("contracts").set_index("contract_id")["owner_id"].to_dict() == {
        "K1": "erp:王芳",
        "K2": "erp:张伟",
        "K3": "H2",
    }


def test_ids_that_two_systems_share_stay_apart():
    both = systems()
    both["chat"]["opportunities"] = raw("deals.csv", opportunity_id=["12"], outcome=["open"], owner_id=["wangfang"])
    both["chat"]["activities"] = raw(
        "acts.csv",
        activity_id=["a"],
        person_id=["wangfang"],
        kind=["call"],
        occurred_at=["2024-01-01"],
        opportunity_id=["12"],
    )
    contract = hold_to_contract(merge(client(), both))
    assert contract.frame("opportunities")["opportunity_id"].tolist() == ["12", "chat:12"]
    assert contract.frame("activities")["opportunity_id"].tolist() == ["chat:12"]
    assert contract.frame("contracts")["opportunity_id"].dropna().tolist() == ["12"]


def test_the_list_of_people_must_be_there():
    without = systems()
    del without["hr"]["people"]
    with pytest.raises(InputError, match="hr should give the list of people"):
        merge(client(), without)
