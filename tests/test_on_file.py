"""What a client's study knows of late records: only where the records say when they were made."""

import pandas as pd
import pytest

from kpi_research.run.client import open_client
from kpi_research.run.on_file import latest_teams
from kpi_research.sources.simulated import Company, simulate

CLIENT = """\
client: timed
title: {zh: 有时间, en: Timed}
source: {kind: canonical, path: data}
predictors: [visits, calls, proposals]
plan: {grain: month, lags: 1}
reports:
  - {notebook: evidence, per: company, every: quarter, audience: analyst}
"""


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return simulate(Company(people=8, teams=2, first_month="2025-01", months=8, seed=4)).tables


def client_of(folder, tables: dict[str, pd.DataFrame], timed: float):
    """The client, with the time of recording in a share of its activities."""
    (folder / "data").mkdir(parents=True)
    for name, rows in tables.items():
        if name == "activities":
            rows = rows.assign(recorded_at=rows["recorded_at"].where(rows.index < timed * len(rows)))
        rows.to_parquet(folder / "data" / f"{name}.parquet")
    (folder / "timed.yaml").write_text(CLIENT, encoding="utf-8")
    return open_client(folder / "timed.yaml")


def test_records_with_their_time_are_held_against_what_was_on_file(tables, tmp_path):
    client = client_of(tmp_path, tables, 1.0)
    assert {kpi.name for kpi in client.data.on_file.kpis} == {"visits", "calls", "proposals"}
    verdicts = client.study().verdicts.set_index("kpi")
    assert verdicts.loc["proposals", "late_share"] > verdicts.loc["calls", "late_share"] > 0


def test_records_that_mostly_lack_their_time_are_unknown_and_not_late(tables, tmp_path):
    client = client_of(tmp_path, tables, 0.9)
    assert client.data.on_file is None
    assert client.study().verdicts["late_share"].isna().all()


def test_everybody_is_in_the_team_of_their_last_day(tables, tmp_path):
    client = client_of(tmp_path, tables, 1.0)
    last = tables["assignments"].sort_values("since").groupby("person_id")["team_id"].last()
    found = latest_teams(client.data.parts, None)
    assert found and all(last[person] == team for person, team in found.items())
