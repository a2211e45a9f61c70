"""The second client: a real export that nobody here made, to the digit."""

import pytest

import kpi_research as kr
from kpi_research.report.page import build, sections
from kpi_research.run.pages import open_page

MANAGERS = {
    "Melvin Marxen": (1418, 882, 2_251_930), "Summer Sewald": (1287, 828, 1_964_750), "Rocco Neubert": (1113, 691, 1_960_545),
    "Celia Rouche": (962, 610, 1_603_897), "Cara Losch": (745, 480, 1_130_049), "Dustin Brinkmann": (1186, 747, 1_094_363),
}  # fmt: skip
QUARTERS = {
    "2017Q1": (647, 531, 1_134_672),
    "2017Q2": (2032, 1254, 3_086_111),
    "2017Q3": (2047, 1257, 2_982_255),
    "2017Q4": (1985, 1196, 2_802_496),
}


@pytest.fixture(scope="module")
def client(maven_folder, tmp_path_factory):
    from conftest import ROOT

    project = tmp_path_factory.mktemp("maven")
    (project / "params").mkdir()
    text = (ROOT / "params" / "maven_crm.yaml").read_text(encoding="utf-8")
    path = project / "params" / "maven_crm.yaml"
    path.write_text(text.replace("../../shared/data/maven_crm", maven_folder.as_posix()), encoding="utf-8")
    return kr.open_client(path)


@pytest.fixture(scope="module")
def blocks(client):
    page = open_page(client.path, period="2017Q4", language="en", audience="analyst")
    return {
        block.name: block for name in ("league", "quality", "findings") for block in build(sections()[name], page.data)
    }


def test_win_rate_and_revenue_of_the_company(blocks):
    facts = blocks["league"].facts
    assert (facts["won"], facts["closed"], facts["signed_amount"]) == (4238, 6711, 10_005_534)
    assert facts["win_rate"] == pytest.approx(0.63150, abs=5e-6)
    assert "4,238 won of 6,711 closed (won or lost)" in blocks["league"].text[0]


def test_every_manager_and_agent(blocks):
    teams = blocks["league_team"].table.frame.set_index("label")
    for manager, (closed, won, revenue) in MANAGERS.items():
        assert tuple(teams.loc[manager, ["denominator", "numerator", "outcome"]]) == (closed, won, revenue)
    agents = blocks["league_person"].table.frame.set_index("label")
    assert tuple(agents.loc["Darcel Schlecht", ["denominator", "numerator", "outcome"]]) == (553, 349, 1_153_214)
    with_deals = agents[agents["denominator"] > 0]["value"]
    assert len(with_deals) == 30
    assert with_deals.idxmax() == "Hayden Neloms" and with_deals.max() == pytest.approx(0.7039, abs=5e-5)
    assert with_deals.idxmin() == "Lajuana Vencill" and with_deals.min() == pytest.approx(0.5498, abs=5e-5)


def test_the_league_of_agents_is_no_ranking(blocks):
    facts = blocks["league_person"].facts
    assert (round(facts["chi2"], 2), facts["df"], round(facts["p"], 3)) == (33.35, 29, 0.264)
    assert not facts["distinguishable"] and "not distinguishable" in blocks["league_person"].text[0]
    names = list(blocks["league_person"].table.frame["label"])
    assert names == sorted(names), "in order of names, not of rates"
    assert (
        round(blocks["league_team"].facts["chi2"], 3) == 2.436 and round(blocks["league_team"].facts["p"], 3) == 0.786
    )


@pytest.mark.parametrize(("quarter", "numbers"), QUARTERS.items(), ids=QUARTERS)
def test_quarters(client, quarter, numbers):
    rows = client.panel(every="quarter", level="company").set_index(["period", "kpi"])
    rate = rows.loc[(quarter, "win_rate")]
    assert (rate["denominator"], rate["numerator"], rows.loc[(quarter, "signed_amount"), "value"]) == numbers


def test_days_to_win(client):
    rows = client.panel(every="quarter", level="company")
    days = rows[rows["kpi"] == "won_cycle_days"]
    assert days["numerator"].sum() / days["denominator"].sum() == pytest.approx(51.782, abs=5e-4)


def test_what_does_not_join_is_counted_and_kept(client, blocks):
    counts = client.data.row_counts.set_index("table")
    assert tuple(counts.loc["opportunities", ["read", "rejected", "kept"]]) == (8800, 0, 8800)
    assert tuple(counts.loc["contracts", ["read", "left_out", "kept"]]) == (8800, 4562, 4238)
    found = client.data.counted.groupby(["table", "rule"])["value"].agg(["size", "first"]).to_dict("index")
    assert found == {("opportunities", "not_in_products"): {"size": 1480, "first": "GTXPro"}}
    assert "activities" in " ".join(blocks["quality"].text)


def test_what_cannot_be_said_is_not(blocks):
    codes = {row["kpi"]: row["code"] for row in blocks["findings"].facts["verdicts"]}
    assert codes["win_rate"] == codes["won_cycle_days"] == "H"
    assert {code for kpi, code in codes.items() if kpi not in ("win_rate", "won_cycle_days")} == {"N"}
