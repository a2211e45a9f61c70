"""A made-up company whose people begin to work to a number once it has weight, and one whose people do not."""

import datetime as dt
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from conftest import small_tables, write_client

from kpi_research import open_client
from kpi_research.crm.contract import hold_to_contract
from kpi_research.evidence.grid import grid_of
from kpi_research.integrity.signs import GamingSigns, Sign, gamed, is_seen, together
from kpi_research.kpis.catalogue import catalogue
from kpi_research.language import LANGUAGES
from kpi_research.periods import Period, working_days
from kpi_research.report.data import PageData
from kpi_research.report.html import block_html
from kpi_research.report.sections.gaming import build, shown
from kpi_research.report.tables import block_json
from kpi_research.run import entry_rows, gaming_file
from kpi_research.run.gaming import _effective, kinds_of, signs_for
from kpi_research.run.gaming_file import gaming_of
from kpi_research.sources.read import read_source
from kpi_research.sources.workspace import Workspace

PEOPLE, MONTHS, SINCE, TARGET = 16, 24, 12, 14
"""The number has weight from the thirteenth month on."""
BROKEN = re.compile(r"\bnan\b|\bNone\b|NaT|\{[a-z_]+\}|p-value|bootstrap|密度|置换|显著")
CLIENT = """\
client: made-up
title: {zh: 某公司, en: Some company}
source: {kind: canonical, path: data}
predictors: [visits, calls]
plan: {lags: 1}
schemes:
  - scheme: {name: first, label: {zh: 甲, en: A}, items: [{kpi: signed_amount, weight: 100}]}
    effective_from: 2024-01-01
  - scheme: {name: second, label: {zh: 乙, en: B}, items: [{kpi: signed_amount, weight: 40}, {kpi: visits, weight: 40}, {kpi: calls, weight: 20}]}
    effective_from: 2025-01-01
    reason: 过程也要看
    approved_by: 王总
    approved_at: 2024-12-20T10:00
    announced_on: 2024-12-22
reports:
  - {notebook: evidence, per: company, every: quarter, audience: analyst}
"""


def rows_of(seed: int, *, is_gamed: bool) -> dict[str, list[str]]:
    """Activities, contracts and targets; once it counts, gamers make up visits to the target, typed in at the end."""
    rng = np.random.default_rng(seed)
    activities = ["activity_id,person_id,kind,occurred_at,recorded_at"]
    contracts = ["contract_id,account_id,owner_id,signed_at,amount,kind"]
    targets = ["scope,scope_id,kpi,period,base,version"]
    for person in range(PEOPLE):
        who, real_before = f"P{person:02d}", 0
        for month in range(MONTHS):
            name = str(np.datetime64("2024-01", "M") + month)
            days = np.arange(np.datetime64(name, "D"), np.datetime64(str(np.datetime64(name, "M") + 1), "D"))
            work = days[np.is_busday(days)]
            real = rng.poisson(12 + 2 * (month >= SINCE) * (not is_gamed))
            counts = is_gamed and month >= SINCE
            entered = max(real + rng.poisson(4), TARGET) if counts and rng.random() < 0.7 else real
            at = np.sort(rng.choice(work, entered)).astype("M8[s]") + rng.integers(9 * 3600, 17 * 3600, entered)
            at = np.sort(at.astype("M8[s]"))
            typed = at.astype("M8[D]").astype("M8[s]") + 18 * 3600 + rng.integers(0, 3000, entered)
            if counts and rng.random() < 0.4:
                typed = np.full(entered, work[-1].astype("M8[s]") + 19 * 3600 + 20 * person) + np.arange(entered) * 60
            activities += [
                f"V-{who}-{name}-{i},{who},visit,{a},{max(a, t)}"
                for i, (a, t) in enumerate(zip(at, typed, strict=True))
            ]
            calls = rng.choice(work, rng.poisson(20)).astype("M8[s]")
            calls = np.sort(calls + rng.integers(9 * 3600, 17 * 3600, len(calls)))
            activities += [f"C-{who}-{name}-{i},{who},call,{a},{a + 3600}" for i, a in enumerate(calls)]
            amount = 20_000 + 4_000 * real_before + rng.normal(0, 6_000)
            contracts.append(f"K-{who}-{name},A1,{who},{name}-15 10:00,{max(amount, 1):.0f},new")
            targets += [f"person,{who},visits,{name},{TARGET},1", f"person,{who},calls,{name},20,1"]
            real_before = real
    return {"activities": activities, "contracts": contracts, "targets": targets}


def client_in(folder, *, is_gamed: bool, seed: int = 7):
    (folder / "params" / "data").mkdir(parents=True)
    people = ["person_id,name,hired_on", *(f"P{n:02d},某{n:02d},2024-01-01" for n in range(PEOPLE))]
    tables = rows_of(seed, is_gamed=is_gamed) | {"people": people, "accounts": ["account_id,name", "A1,客户"]}
    for name, lines in tables.items():
        (folder / "params" / "data" / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    path = folder / "params" / "made-up.yaml"
    path.write_text(CLIENT, encoding="utf-8")
    client = open_client(path)
    keep_entries(client, folder)
    return client


def keep_entries(client, folder):
    """Keep the rows that `run.store` keeps when it reads a client."""
    with Workspace(folder / "workspace") as workspace:
        source = read_source(client.settings.source, client.path.parent, workspace)
        tables = hold_to_contract(source, timezone="Asia/Shanghai").tables
        entry_rows.write(entry_rows.fetch(tables), client.data.folder)


@pytest.fixture(scope="module")
def working_to_it(tmp_path_factory):
    client = client_in(tmp_path_factory.mktemp("gamed"), is_gamed=True)
    return client, signs_for(client, Period.parse("2025Q4"))


@pytest.fixture(scope="module")
def honest(working_to_it):
    """The end of the first year: nobody works to the number yet."""
    return signs_for(working_to_it[0], Period.parse("2024Q4"))


@pytest.mark.parametrize(
    "lacking",
    [
        (),
        pytest.param(("activities.csv",), marks=pytest.mark.slow),
        pytest.param(("targets.csv", "opportunities.csv"), marks=pytest.mark.slow),
    ],
)
def test_a_client_with_few_people_or_fewer_tables_gets_reasons(tmp_path, lacking):
    tables = {name: text for name, text in small_tables().items() if name not in lacking}
    client = open_client(write_client(tmp_path, tables))
    keep_entries(client, tmp_path)
    found = signs_for(client, Period.parse("2026Q1"))
    assert gamed(found) == {} and found.signs
    assert {sign.kpi for sign in found.signs if not sign.reason} <= {
        "visits",
        "calls",
        "signed_contracts",
        "new_customers",
    }
    (block,) = told(found, "en")
    assert block.status in ("ok", "no_data") and block.notes


def by_detector(found: GamingSigns, kpi: str) -> dict[str, Sign]:
    return {sign.detector: sign for sign in found.signs_of(kpi)}


def test_what_was_made_up_is_found_and_only_in_the_kpi_that_counts(working_to_it):
    found = working_to_it[1]
    assert set(gamed(found)) == {"visits"}
    assert {"bunching", "entry_bursts", "dilution"} <= set(gamed(found)["visits"])
    of = by_detector(found, "visits")
    assert of["bunching"].rate > 1.3 * of["bunching"].expected
    assert 0.15 < of["entry_bursts"].rate < 0.25 and of["entry_bursts"].expected == 0
    assert of["dilution"].high < 1


def test_a_kpi_of_the_same_people_that_nobody_works_to_is_left_in_peace(working_to_it):
    of = by_detector(working_to_it[1], "calls")
    tested = [of[name] for name in ("bunching", "period_end", "entry_bursts", "dilution")]
    assert [sign.reason for sign in tested] == [""] * 4 and not [sign for sign in tested if is_seen(sign)]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_an_honest_company_is_left_in_peace(tmp_path, seed):
    found = signs_for(client_in(tmp_path, is_gamed=False, seed=seed), Period.parse("2025Q4"))
    assert gamed(found) == {}
    of = by_detector(found, "visits")
    assert not of["bunching"].reason and not of["entry_bursts"].reason and not of["dilution"].reason


def test_every_kpi_has_every_detector_or_its_reason(working_to_it):
    found = working_to_it[1]
    assert len(found.signs) == 5 * 3
    reasons = {
        kpi: {name: sign.reason for name, sign in by_detector(found, kpi).items()} for kpi in ("calls", "signed_amount")
    }
    assert reasons["calls"]["heaping"] == "too_few"
    assert reasons["signed_amount"]["dilution"] == "shares_records"
    assert reasons["signed_amount"]["entry_bursts"] == "not_a_kind"
    assert all(np.isnan(sign.p) for sign in found.signs if sign.reason)


def test_signs_are_made_once_and_read_again_as_they_were(working_to_it, monkeypatch):
    client, found = working_to_it
    made = gaming_of(client, Period.parse("2025Q4"))
    monkeypatch.setattr(gaming_file, "signs_for", None)
    again = gaming_of(client, Period.parse("2025Q4"))
    for each in (made, again):
        assert repr(each.signs) == repr(found.signs) and gamed(each) == gamed(found)
        assert list(each.histograms) == list(found.histograms)
        np.testing.assert_array_equal(each.histograms["visits"].smooth, found.histograms["visits"].smooth)


def test_bursts_are_those_counted_by_hand(working_to_it):
    """Two roads: months of which the largest hour holds more than half, from the stored rows one by one."""
    client, found = working_to_it
    rows = entry_rows.read(client.data.folder)
    rows = rows[rows["kind"] == "visit"]
    months = bursts = 0
    for _, own in rows.groupby([rows["person_id"], rows["occurred_at"].dt.to_period("M")]):
        if len(own) >= 10:
            times = own["recorded_at"].sort_values().tolist()
            most = max(sum(start <= time <= start + pd.Timedelta(hours=1) for time in times) for start in times)
            months, bursts = months + 1, bursts + (most > len(own) / 2)
    sign = by_detector(found, "visits")["entry_bursts"]
    assert sign.n == months and sign.rate == pytest.approx(bursts / months)


def test_ends_are_those_counted_by_hand(working_to_it):
    """Two roads: the last ten working days before each end of a quarter, from the stored rows one by one."""
    client, found = working_to_it
    rows = entry_rows.read(client.data.folder)
    days = rows.loc[rows["kind"] == "visit", "occurred_at"].dt.date
    work = [day.astype(dt.date) for day in working_days("CN", dt.date(2024, 1, 1), dt.date(2025, 12, 31))]
    ten = three = 0
    for end in [quarter.end for quarter in client.periods("quarter")[:-1]]:
        last = [day for day in work if day < end][-10:]
        # what was done on a day of rest counts on the working day before it
        ten += int(((days >= last[0]) & (days < end)).sum())
        three += int(((days >= last[-3]) & (days < end)).sum())
    sign = by_detector(found, "visits")["period_end"]
    assert sign.n == ten and sign.rate == pytest.approx(three / ten)


def test_nothing_after_the_period_is_used(honest):
    """At the end of the first year nobody had worked to the number yet."""
    assert gamed(honest) == {}
    assert by_detector(honest, "visits")["entry_bursts"].rate == 0
    assert by_detector(honest, "visits")["dilution"].reason == "no_change"


@pytest.mark.parametrize(
    ("kpi", "kinds"),
    [("visits", ("visit",)), ("booked_meetings", ("appointment", "meeting")), ("effective_visits", ()),
     ("signed_amount", ()), ("response_hours", ()), ("success_cases", ("case",))],
)  # fmt: skip
def test_the_kinds_of_a_kpi_are_read_from_its_definition(kpi, kinds):
    assert kinds_of(catalogue()[kpi]) == kinds


def page(language: str, audience: str = "analyst") -> PageData:
    empty = pd.DataFrame()
    return PageData(
        client_title="", language=language, audience=audience, currency="CNY", period=Period.parse("2025Q4"),
        level="company", entity_id="company", entity_name="某公司", outcome="signed_amount", kpis=catalogue(),
        history=empty, people=empty, names={f"P{n:02d}": f"某{n:02d}" for n in range(PEOPLE)}, study=None, quality=None,
        until=dt.date(2025, 12, 31),
    )  # fmt: skip


def told(found: GamingSigns, language: str, audience: str = "analyst") -> list:
    blocks = list(shown(page(language, audience), found))
    for block in blocks:
        html = block_html(block, language, currency="CNY")
        said = [
            block.title,
            *block.text,
            *block.notes,
            *([block.figure.alt, block.figure.caption] if block.figure else []),
        ]
        assert not [text for text in said if BROKEN.search(text)], said
        assert not re.search(r"某\d\d|P\d\d\b", html + str(block_json(block, language, currency="CNY"))), "a name"
    return blocks


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_analyst_sees_everything_that_was_looked_at(working_to_it, language):
    blocks = told(working_to_it[1], language)
    assert [block.name for block in blocks] == ["gaming", "gaming_target_1"]
    main = blocks[0]
    assert main.status == "warning" and len(main.table.frame) == sum(not sign.reason for sign in working_to_it[1].signs)
    assert blocks[1].figure.svg.count("<path") >= 3 and "gaming" not in main.title
    assert {"zh": "数值上升但单位效果下降", "en": "The count rises while each unit is worth less"}[
        language
    ] in main.text[-1]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_manager_reads_a_sentence_where_there_is_an_m_and_else_nothing(working_to_it, honest, language):
    (block,) = told(working_to_it[1], language, "manager")
    assert block.table is None and block.figure is None and len(block.text) == 2
    assert told(honest, language, "manager") == []
    assert told(working_to_it[1], language, "person") == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_without_m_the_analyst_is_told_so(honest, language):
    main = told(honest, language)[0]
    assert main.status == "ok" and not [
        text for text in main.text if "“为指标而指标”" in text or "signs of working" in text
    ]


def test_the_second_half_of_the_sentence_is_said_of_dilution_alone(working_to_it):
    signs = [sign for sign in working_to_it[1].signs if sign.detector != "dilution"]
    block = told(GamingSigns(together(signs)), "en", "manager")[0]
    assert "worth less" not in block.text[0] and "within one hour" in block.text[0]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("measure", ["worth", "effective"])
def test_both_roads_to_dilution_have_their_sentence(language, measure):
    sign = Sign("dilution", 0.4, 0.2, 0.7, 0.6, 0.01, 500, kpi="visits", measure=measure)
    assert "40.0%" in told(GamingSigns((sign,)), language, "manager")[0].text[0]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_single_sign_makes_no_m_and_says_so(language):
    sign = Sign("heaping", 0.3, 0.25, 0.35, 0.2, 0.0001, 500, kpi="visits", q=0.0002)
    main = told(GamingSigns((sign,)), language)[0]
    assert gamed(GamingSigns((sign,))) == {} and main.status == "ok" and "M" in main.text[2]


@pytest.mark.parametrize("language", LANGUAGES)
def test_where_nothing_could_be_looked_at_the_reasons_stand_there(language):
    signs = tuple(Sign(name, reason="too_few", kpi="visits") for name in ("bunching", "heaping"))
    (main,) = told(GamingSigns(signs), language)
    assert main.status == "no_data" and len(main.notes) == 2 and main.table is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_rush_that_nothing_pays_for_is_explained(language):
    sign = Sign("period_end", 0.34, 0.32, 0.36, 0.3, 0.6, 2000, kpi="visits")
    (main,) = told(GamingSigns(together([sign])), language)
    assert main.status == "ok" and {"zh": "没有看到下一期", "en": "not seen to have less"}[language] in main.notes[0]
    even = Sign("period_end", 0.3, 0.28, 0.32, 0.3, 0.6, 2000, kpi="visits")
    assert told(GamingSigns(together([even])), language)[0].notes == ()


def test_who_is_in_no_month_of_the_study_is_not_taken_for_somebody_else():
    rows = [
        ("person", person, f"2025-0{month}", kpi, 3.0, 2.0, 4.0, "ok", days)
        for person, days in (("A", 20.0), ("B", 20.0), ("gone", 4.0)) for month in (1, 2)
        for kpi in ("visits", "effective_visit_rate") if (person, month) != ("B", 2)
    ]  # fmt: skip
    names = ["level", "entity_id", "period", "kpi", "value", "numerator", "denominator", "status", "working_days"]
    months = pd.DataFrame(rows, columns=names)
    effective, judged = _effective(SimpleNamespace(months=months, grid=grid_of(months)), catalogue()["visits"])
    assert judged == pytest.approx(np.array([[4, 4], [4, np.nan]]), nan_ok=True)
    assert effective == pytest.approx(np.array([[2, 2], [2, np.nan]]), nan_ok=True)


def test_how_few_people_show_it_is_not_told():
    signs = [Sign("entry_bursts", 0.3, 0.2, 0.4, 0, 0.001, 90, people, found, kpi="visits")
             for people, found in ((9, 5), (40, 2), (40, 7))]  # fmt: skip
    shown_ = told(GamingSigns(together(signs)), "en")[0].table.frame["people"].tolist()
    assert sorted(shown_) == ["", "7 of 40", "fewer than 3 of 40"]


def test_a_page_without_signs_has_no_block():
    assert list(build(page("en"))) == []


def test_of_people_no_more_is_told_beside_the_page_than_on_it():
    from kpi_research.report.sections.gaming import _told

    for n_people, found in ((5, 1), (12, 1), (12, 4)):
        sign = Sign(
            "entry_bursts", kpi="visits", rate=0.2, low=0.1, high=0.3, n=300, n_people=n_people, n_people_found=found
        )
        told = _told(SimpleNamespace(language="en"), sign)
        assert not {"n_people", "n_people_found"} & set(told)
        assert ("4" in told["people"]) == (found == 4) and (told["people"] == "") == (n_people == 5)
