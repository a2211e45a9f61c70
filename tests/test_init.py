"""`init`: a folder of exports becomes a client file that runs, with every reason and every open question in it."""

import csv
import io
import json
import re
from pathlib import Path

import pytest
from conftest import ROOT
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import kpi_research as kr
from kpi_research.errors import InputError
from kpi_research.language import LANGUAGES
from kpi_research.run.onboarding import onboard, print_onboarding, sentence
from kpi_research.run.settings import read_client_file
from kpi_research.sources.mapping import parts_of

DATA = ROOT.parent / "shared" / "data"

DEALS = """deal id,customer,sales rep,stage,amount,created at,closed at
D1,Acme,Ann,Won,100,2025-01-02,2025-02-01
D2,Acme,Bob,Lost,50,2025-01-05,2025-02-11
D3,Beta,Ann,Won,70,2025-01-08,2025-03-31
D4,Beta,Bob,Proposal,30,2025-03-01,
"""
STAFF = """sales rep,team
Ann,East
Bob,West
"""
CALLS = """call id,sales rep,customer,start time,duration
1,Ann,Acme,2025-01-03 09:00,10
2,Bob,Acme,2025-01-06 09:00,12
"""


@pytest.fixture
def exports(tmp_path):
    """A folder of plain CSV files of no known system."""
    folder = tmp_path / "exports"
    folder.mkdir()
    for name, text in (("deals", DEALS), ("sales reps", STAFF), ("calls", CALLS)):
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


def written(folder: Path, client: str = "acme"):
    return read_client_file(folder / f"{client}.yaml")


def test_plain_files_become_a_client_that_runs_as_it_is(exports, tmp_path):
    found = onboard("acme", exports, params_folder=tmp_path / "params")
    made = written(tmp_path / "params")
    assert set(made.source.tables) == {"opportunities", "people", "activities", "contracts", "teams", "assignments"}
    assert (made.language, made.currency, made.timezone, made.calendar) == ("en", "USD", "UTC", "US")
    assert made.stages == ["Proposal", "Won"] and made.outcome == "signed_amount"
    assert {"calls", "win_rate"} <= set(made.predictors) and "signed_amount" not in made.predictors
    assert ("appraisal", "team") in {(report.notebook, report.per) for report in made.reports}
    assert not [doubt for doubt in found.doubts if doubt.essential]
    client = kr.open_client(tmp_path / "params" / "acme.yaml")
    kept = client.data.row_counts.groupby("table")["kept"].sum().to_dict()
    assert kept == {"people": 2, "teams": 2, "assignments": 2, "opportunities": 4, "activities": 2, "contracts": 2}
    total = client.panel(every="quarter", level="company").set_index(["period", "kpi"])
    assert total.loc[("2025Q1", "signed_amount"), "value"] == 170
    assert tuple(total.loc[("2025Q1", "win_rate"), ["numerator", "denominator"]]) == (2, 3)


def test_reasons_stand_beside_columns_and_questions_at_the_end(exports, tmp_path):
    found = onboard("acme", exports, params_folder=tmp_path)
    text = (tmp_path / "acme.yaml").read_text(encoding="utf-8")
    assert re.search(r"^ +amount: amount # a common name", text, re.MULTILINE)
    assert re.search(r"^ +stage: \[stage, outcome\] # stage: .*; outcome: by what the cells say", text, re.MULTILINE)
    (doubt,) = found.doubts
    unwrapped = " ".join(text.replace("\n# ", " ").split())
    assert doubt.topic == "taken_as_open" and sentence(doubt, "en") in unwrapped
    assert text.startswith("# Made by kpi-research init from 3 exports in exports.")


def test_unused_columns_and_exports_are_named(exports, tmp_path):
    text = DEALS.splitlines()
    (exports / "deals.csv").write_text(
        "\n".join([text[0] + ",mood", *(line + ",x" for line in text[1:])]), encoding="utf-8"
    )
    (exports / "weather.csv").write_text("day,rain\nMonday,3\n", encoding="utf-8")
    found = onboard("acme", exports, params_folder=tmp_path).as_dict()
    assert found["not_used"] == ["weather.csv"]
    assert all(each["not_used"] == ["mood"] for each in found["tables"] if each["export"] == "deals.csv")
    said = (tmp_path / "acme.yaml").read_text(encoding="utf-8")
    assert "# Columns not used: mood\n" in said and "# Exports not used: weather.csv\n" in said


def test_an_export_that_cannot_be_read_is_named_and_the_others_are_taken(exports, tmp_path, capsys):
    (exports / "broken.csv").write_text("a,b\n1,2,3\n", encoding="utf-8")
    found = onboard("acme", exports, params_folder=tmp_path)
    (told,) = found.as_dict()["not_read"]
    assert "broken.csv" in told["text_zh"] and "broken.csv" in told["text_en"]
    assert "# Not read: broken.csv" in (tmp_path / "acme.yaml").read_text(encoding="utf-8")
    print_onboarding(found, "en")
    assert "Not read: broken.csv" in capsys.readouterr().out
    for path in exports.glob("*.csv"):
        path.write_text("a,b\n1,2,3\n", encoding="utf-8")
    with pytest.raises(InputError, match="deals.csv"):
        onboard("other", exports, params_folder=tmp_path)


def test_what_is_found_is_plain_values_and_prints_in_both_languages(exports, tmp_path, capsys):
    found = onboard("acme", exports, params_folder=tmp_path)
    plain = json.loads(json.dumps(found.as_dict()))
    assert plain["file"] == "acme.yaml" and plain["systems"] == []
    assert {"column", "header", "reason"} == set(plain["tables"][0]["columns"][0])
    assert all(each["text_zh"] and each["text_en"] for each in plain["to_decide"])
    for language, said in (("zh", "需要您决定的(1 项)"), ("en", "For you to decide (1)")):
        print_onboarding(found, language)
        assert said in capsys.readouterr().out


def test_a_file_that_is_there_is_never_touched(exports, tmp_path):
    (tmp_path / "acme.yaml").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="never overwritten"):
        onboard("acme", exports, params_folder=tmp_path)
    assert (tmp_path / "acme.yaml").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("name", ["../evil", "Acme", "", "a" * 42, "a.b", "安科", "-a", "a\nb"])
def test_a_name_that_is_no_slug_writes_nothing(exports, tmp_path, name):
    with pytest.raises(InputError, match="small letters"):
        onboard(name, exports, params_folder=tmp_path / "params")
    assert not (tmp_path / "params").exists()


def test_a_missing_folder_names_its_neighbours(exports, tmp_path):
    with pytest.raises(InputError, match="Did you mean exports"):
        onboard("acme", tmp_path / "export", params_folder=tmp_path / "params")


def test_a_folder_without_exports_is_said(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no export that can be read"):
        onboard("acme", tmp_path / "empty", params_folder=tmp_path)


def test_an_unknown_preset_is_said(exports, tmp_path):
    with pytest.raises(InputError, match="salesforce"):
        onboard("acme", exports, "salesforse", params_folder=tmp_path)
    assert not (tmp_path / "acme.yaml").exists()


def test_one_export_alone(exports, tmp_path):
    onboard("acme", exports / "deals.csv", params_folder=tmp_path)
    assert set(written(tmp_path).source.tables) == {"opportunities", "contracts", "people"}


def test_stages_are_ordered_by_probability_where_words_say_nothing(exports, tmp_path):
    cells = zip(DEALS.splitlines(), ["win rate", "100%", "0%", "100%", "20%"], strict=True)
    lines = [f"{line},{cell}" for line, cell in cells] + ["D5,Beta,Ann,Zeta,1,2025-03-02,,70%"]
    (exports / "deals.csv").write_text("\n".join(lines), encoding="utf-8")
    onboard("acme", exports, params_folder=tmp_path)
    assert written(tmp_path).stages == ["Proposal", "Zeta", "Won"]


def test_stages_are_ordered_by_the_time_of_entering_them(exports, tmp_path):
    history = "deal id,new stage,changed at\nD1,Zeta,2025-01-02\nD1,Proposal,2025-01-05\nD1,Won,2025-02-01\nD4,Zeta,2025-03-01\nD4,Proposal,2025-03-03\n"
    (exports / "stage history.csv").write_text(history, encoding="utf-8")
    (exports / "deals.csv").write_text(DEALS + "D5,Beta,Ann,Zeta,1,2025-03-02,\n", encoding="utf-8")
    onboard("acme", exports, params_folder=tmp_path)
    assert written(tmp_path).stages == ["Zeta", "Proposal", "Won"]


def test_an_order_that_cannot_be_seen_is_asked_for(exports, tmp_path):
    (exports / "deals.csv").write_text(DEALS + "D5,Beta,Ann,Zeta,1,2025-03-02,\n", encoding="utf-8")
    found = onboard("acme", exports, params_folder=tmp_path)
    (doubt,) = [doubt for doubt in found.doubts if doubt.topic == "stage_order"]
    assert written(tmp_path).stages == [] and set(doubt.candidates) == {"Proposal", "Won", "Zeta"}


def test_currency_is_seen_in_amounts(exports, tmp_path):
    (exports / "deals.csv").write_text(re.sub(r",(\d+),2025", r",€\1.00,2025", DEALS), encoding="utf-8")
    onboard("acme", exports, params_folder=tmp_path)
    assert written(tmp_path).currency == "EUR"


@pytest.mark.parametrize("language", LANGUAGES)
def test_chinese_headers_make_a_chinese_client(tmp_path, language):
    folder = tmp_path / "导出"
    folder.mkdir()
    orders = (
        "合同编号,客户名称,负责人,签订日期,合同金额(万元)\nK1,甲,王芳,2025年1月2日,1.5\nK2,乙,李雷,2025年3月31日,2\n"
    )
    (folder / "合同.csv").write_text(orders, encoding="gb18030")
    found = onboard("acme", folder, params_folder=tmp_path / "params")
    made = written(tmp_path / "params")
    assert (made.language, made.currency, made.timezone, made.calendar) == ("zh", "CNY", "Asia/Shanghai", "CN")
    assert all(sentence(doubt, language) for doubt in found.doubts)
    assert kr.open_client(tmp_path / "params" / "acme.yaml").panel(every="quarter", level="company").set_index(
        "kpi"
    ).loc["signed_amount", "value"] == pytest.approx(35_000)


HOSTILE = ["a: b", "- x", "#no", "'q\"", "{x", "[y", "&z", "*w", "!t", "%d", "@a", "`b", "? k", "yes", "null", "~", "1e3", "2024-01-01", "a\nb", "a\tb", " # c", "x\u2028y", "<<", "k" * 10_000, "💥", "a\\b", "\u202eevil", "=1+1"]  # fmt: skip


def _csv(rows) -> str:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(rows)
    return text.getvalue()


def test_hostile_headers_and_values_stay_what_they_are(tmp_path):
    folder = tmp_path / "exports"
    folder.mkdir()
    rows = list(csv.reader(DEALS.splitlines()))
    rows[0] += HOSTILE
    for number, row in enumerate(rows[1:], 1):
        row[3] = HOSTILE[number] if row[3] == "Proposal" else row[3]
        row += [f"{cell}{number}" for cell in HOSTILE]
    (folder / "deals.csv").write_text(_csv(rows), encoding="utf-8")
    onboard("acme", folder, params_folder=tmp_path)
    made = written(tmp_path)
    (deals,) = [mapping for table, mapping in parts_of(made.source.tables) if table == "opportunities"]
    assert deals.values["outcome"] == {"Won": "won", "Lost": "lost", HOSTILE[4]: "open"}
    assert "\u202e" not in (tmp_path / "acme.yaml").read_text(encoding="utf-8")
    assert kr.open_client(tmp_path / "acme.yaml").data.row_counts["rejected"].sum() == 0


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    owner=st.text(
        st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\x85\u2028\u2029"),
        min_size=1,
        max_size=30,
    ),
    stage=st.text(min_size=1, max_size=20),
)
@example(owner=":0", stage="?0")
@example(owner="0", stage="a\x85b\u2028c")
def test_any_text_gives_a_file_that_says_the_same(tmp_path_factory, owner, stage):
    """Written without a reader in between: whatever stands in a mapping comes back out of the file."""
    from ruamel.yaml import YAML

    from kpi_research.run.onboarding_choices import Choice
    from kpi_research.run.onboarding_yaml import client_file, plain_source
    from kpi_research.sources.mapping import TableMapping
    from kpi_research.sources.proposal import Guess, Look, Proposal

    look = Look("x.csv", None, None, (owner, stage), {})
    mapping = TableMapping(file="x.csv", columns={owner: ["person_id", "name"]}, where={stage: [owner, stage]})
    guesses = (Guess("person_id", owner, "derived"), Guess("name", owner, "synonym"))
    parts = [Proposal(look, "people", mapping, guesses), Proposal(look, "people", mapping, guesses)]
    text = client_file(
        {"client": Choice("x", owner)},
        plain_source({"kind": "files", "path": "y"}, parts, "en"),
        head=owner,
        tail=[stage, owner],
    )
    read = YAML(typ="safe").load(text)["source"]["tables"]["people"]
    assert [TableMapping.model_validate(part) for part in read] == [mapping, mapping]


# --- the data that everybody may have beside the project ---


def shared(name: str) -> Path:
    if not (DATA / name).is_dir():
        pytest.skip(f"the folder {name} is not there")
    return DATA / name


def test_maven_needs_no_edit(tmp_path):
    onboard("maven", shared("maven_crm"), params_folder=tmp_path)
    client = kr.open_client(tmp_path / "maven.yaml")
    counts = client.data.row_counts.set_index("table")
    assert tuple(counts.loc["contracts", ["read", "left_out", "kept"]]) == (8800, 4562, 4238)
    rows = client.panel(every="quarter", level="company").set_index(["period", "kpi"])
    assert rows.loc[("2017Q2", "win_rate"), ["denominator", "numerator"]].tolist() == [2032, 1254]
    amounts = rows.xs("signed_amount", level="kpi")["value"]
    assert amounts.to_dict() == {"2017Q1": 1_134_672, "2017Q2": 3_086_111, "2017Q3": 2_982_255, "2017Q4": 2_802_496}
    assert len(client.data.teams) == 6


def test_a_chinese_order_list_needs_no_edit(tmp_path):
    source = shared("zh_sales_sample")
    onboard("zh", source, params_folder=tmp_path)
    client = kr.open_client(tmp_path / "zh.yaml")
    with (source / "sales_100.csv").open(encoding="utf-8-sig", newline="") as file:
        orders = list(csv.DictReader(file))
    first = [float(row["收入(折后)"]) for row in orders if row["订单日期"] < "2025-04-01"]
    rows = client.panel(every="quarter", level="company").set_index(["period", "kpi"])
    assert rows.loc[("2025Q1", "signed_amount"), "value"] == pytest.approx(sum(first))
    assert len(client.data.people) == len({row["销售员"] for row in orders}) == 8


def test_notes_hide_activities_and_one_edited_line_gives_the_closing_days(tmp_path):
    source = shared("workbench_crm")
    found = onboard("bench", source, params_folder=tmp_path)
    (doubt,) = [doubt for doubt in found.doubts if doubt.topic == "no_closing"]
    assert doubt.candidates[0] == "last_contact_date"
    path = tmp_path / "bench.yaml"
    lines = path.read_text(encoding="utf-8").splitlines()
    (place,) = [number for number, line in enumerate(lines) if line.strip().startswith("status: [stage, outcome]")]
    lines.insert(place + 1, lines[place].split("status:")[0] + "last_contact_date: closed_at")
    path.write_text("\n".join(lines), encoding="utf-8")
    client = kr.open_client(path)
    with (source / "customer_relationship_manager_data.csv").open(encoding="utf-8", newline="") as file:
        customers = list(csv.DictReader(file))
    notes = {
        (row["customer_id"], *note)
        for row in customers
        for note in re.findall(r"(\d{4}-\d\d-\d\d): ([^.]*)", row["notes"])
    }
    counts = client.data.row_counts.groupby("table")["kept"].sum()
    assert counts["opportunities"] == len(customers) and counts["activities"] == len(notes) + 300
    rows = client.panel(every="month", level="company")
    for kpi, said in (("calls", "Had a call"), ("visits", "Met in person"), ("demos", "Saw the demo")):
        whole = set(rows["period"])
        expected = sum(text == said and date[:7] in whole for _, date, text in notes)
        assert rows.loc[rows["kpi"] == kpi, "value"].sum() == expected
