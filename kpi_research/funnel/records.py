"""What every view of the funnel is made from: cases, their passages through the stages, and first visits."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import ibis.expr.types as ir
import numpy as np
import pandas as pd

from kpi_research.crm.engine import selections_apart
from kpi_research.crm.roster import UNASSIGNED
from kpi_research.funnel.passages import CONTEXT, deal_rows, lead_rows
from kpi_research.funnel.stages import Part, Stage, StageModel, stage_model
from kpi_research.kpis.crm import Crm
from kpi_research.kpis.process import first_visits
from kpi_research.periods import ONE_DAY

CASE_COLUMNS = [
    "part", "case_id", "owner_id", "team_id", "tier", "industry", "region", "product", "source", "amount",
    "shown_stage", "opened_at", "closed_at", "outcome", "linked",
]  # fmt: skip
PASSAGE_COLUMNS = [
    "part", "case_id", "place", "stage", "kind", "entered_at", "left_at", "to", "skipped", "reopened",
]  # fmt: skip
CONTACT_COLUMNS = ["account_id", "owner_id", "team_id", "visited_at", "next_at"]
BREAKDOWNS = {"team": "team_id", "person": "owner_id", "segment": "tier", "source": "source"} | {
    name: name for name in ("industry", "region", "product")
}


@dataclass(frozen=True)
class Records:
    """The funnel's rows.

    Parameters
    ----------
    model
        The stages.
    cases
        One row a lead or deal, in `CASE_COLUMNS`. `part` is `leads` or `deals`; `team_id` is the owner's team on the
        day of opening; `amount` as it stands on the last day; `closed_at` null while open; `linked`: a won deal with a
        contract, so that its payments would be seen.
    passages
        One row a case and stage that it reached, in `PASSAGE_COLUMNS`. `left_at` is null while it stands there; `to` is
        `next`, `lost`, or empty while it stands there; `skipped` was never entered by name; `reopened`, how often it
        was entered again after it had been reached.
    contacts
        First visits to accounts, in `CONTACT_COLUMNS`, with the next contact of any kind.
    since, until
        First and last day that the data cover.
    undated
        Deals that were decided without a day of closing, or closed without a day of opening: they are in no view.
    """

    model: StageModel
    cases: pd.DataFrame
    passages: pd.DataFrame
    contacts: pd.DataFrame
    since: dt.date
    until: dt.date
    undated: int = 0
    parts: tuple[Part, ...] = field(default=("leads", "deals"))

    @property
    def end(self) -> pd.Timestamp:
        """The moment up to which anything is known."""
        return pd.Timestamp(self.until + ONE_DAY)

    def of(self, *, teams: Sequence[str] | None = None, people: Sequence[str] | None = None) -> Records:
        """Only what these teams or people own."""
        cases, contacts = self.cases, self.contacts
        for ids, column in ((teams, "team_id"), (people, "owner_id")):
            if ids is not None:
                cases, contacts = cases[cases[column].isin(ids)], contacts[contacts[column].isin(ids)]
        return self.among(cases, contacts)

    def among(self, cases: pd.DataFrame, contacts: pd.DataFrame | None = None) -> Records:
        """Only these cases; with the contacts given, or all."""
        passages = self.passages[_keys(self.passages).isin(_keys(cases))]
        return replace(self, cases=cases, passages=passages, contacts=self.contacts if contacts is None else contacts)

    def as_of(self, day: dt.date) -> Records:
        """What was known at the end of a day, amounts and owners apart: these are as they stand on the last day."""
        if day >= self.until:
            return self
        end = pd.Timestamp(day + ONE_DAY)
        cases = self.cases[self.cases["opened_at"] < end]
        still = ~(cases["closed_at"] < end)
        outcome = cases["outcome"].where(~still, "open")
        cases = cases.assign(closed_at=cases["closed_at"].mask(still), outcome=outcome, shown_stage=None)
        passages = self.passages[self.passages["entered_at"] < end]
        stands = ~(passages["left_at"] < end)
        passages = passages.assign(left_at=passages["left_at"].mask(stands), to=passages["to"].where(~stands, ""))
        contacts = self.contacts[self.contacts["visited_at"] < end]
        contacts = contacts.assign(next_at=contacts["next_at"].where(contacts["next_at"] < end))
        return replace(self, cases=cases, passages=passages, contacts=contacts, until=day)


def read_records(
    tables: Mapping[str, ir.Table],
    *,
    stages: Sequence[str] = (),
    roster: pd.DataFrame,
    since: dt.date,
    until: dt.date,
) -> Records | None:
    """The funnel's rows of a client, None where it has no opportunities.

    Parameters
    ----------
    tables
        Canonical tables by name, typed, on one engine.
    stages
        The client file's `stages`.
    roster
        `person_id, team_id, day`: who was in which team on which day.
    """
    if "opportunities" not in tables:
        return None
    crm, end = Crm(dict(tables)), pd.Timestamp(until + ONE_DAY)
    with selections_apart():
        model = stage_model(tables, stages)
        deals = deal_rows(crm, model, end).to_pandas()
        leads = lead_rows(crm, end).to_pandas() if model.leads else pd.DataFrame()
        contacts = _contacts(crm, end) if "activities" in tables else pd.DataFrame(columns=CONTACT_COLUMNS)
    undated = deals["is_undated"] | (deals["opened_at"].isna() & (deals["outcome"] != "open"))
    dated = deals[~undated]
    cases = pd.concat([_cases(dated, "deals"), *([_cases(leads, "leads")] if len(leads) else [])])
    cases = _with_team(cases, roster, "opened_at").sort_values(["part", "case_id"], ignore_index=True)
    passages = pd.concat([_of_deals(dated, model), *([_of_leads(leads, model)] if len(leads) else [])])
    passages = passages.sort_values(["part", "case_id", "place"], ignore_index=True)[PASSAGE_COLUMNS]
    contacts = _with_team(contacts, roster, "visited_at").sort_values("account_id", ignore_index=True)
    return Records(
        model, cases[CASE_COLUMNS], passages, contacts[CONTACT_COLUMNS], since, until, undated=int(undated.sum())
    )


def write_records(records: Records, folder: Path) -> None:
    """Keep them in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("cases", "passages", "contacts"):
        getattr(records, name).to_parquet(folder / f"{name}.parquet")
    meta = {
        "model": records.model.meta,
        "undated": records.undated,
        "since": f"{records.since}",
        "until": f"{records.until}",
    }
    (folder / "meta.json").write_text(json.dumps(meta, ensure_ascii=False, indent=1), encoding="utf-8")


def records_in(folder: Path) -> Records | None:
    """What was kept in a folder, None where nothing was."""
    if not (folder / "meta.json").is_file():
        return None
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    frames = {name: pd.read_parquet(folder / f"{name}.parquet") for name in ("cases", "passages", "contacts")}
    since, until = (dt.date.fromisoformat(meta[name]) for name in ("since", "until"))
    return Records(
        StageModel.from_meta(meta["model"]), **frames, since=since, until=until, undated=meta["undated"]
    )  # fmt: skip


def _keys(rows: pd.DataFrame) -> pd.Index:
    return pd.Index(rows["part"] + "\0" + rows["case_id"])


def _cases(rows: pd.DataFrame, part: Part) -> pd.DataFrame:
    given = {
        "outcome": "open",
        "closed_at": pd.NaT,
        "linked": False,
        "amount": np.nan,
        "product": None,
        "shown_stage": None,
    }
    missing = {name: value for name, value in given.items() if name not in rows}
    kept = rows.assign(part=part, **missing)
    texts = ["case_id", "owner_id", "product", "source", "shown_stage", "outcome", *CONTEXT]
    kept[texts] = kept[texts].astype("str")
    times = {name: kept[name].astype("datetime64[us]") for name in ("opened_at", "closed_at")}
    return kept.assign(**times, amount=kept["amount"].astype(float), linked=kept["linked"].fillna(False).astype(bool))


def _of_deals(rows: pd.DataFrame, model: StageModel) -> pd.DataFrame:
    """Passages of deals: each stage reached, and what came next."""
    times = [rows[f"reached_{place}"] for place in range(len(model.open))]
    own = [rows[f"own_{place}"] for place in range(len(model.open))]
    entries = [rows[f"entries_{place}"].fillna(0).astype(int) for place in range(len(model.open))]
    won = rows["closed_at"].where(rows["outcome"] == "won")
    times, own, entries = [*times, won], [*own, won], [*entries, won.notna().astype(int)]
    if model.has_collection:
        times.append(rows["collected_at"])
        own.append(rows["collected_at"])
        entries.append(rows["collected_at"].notna().astype(int))
    lost = rows["closed_at"].where(rows["outcome"] == "lost")
    return _long(rows["case_id"], "deals", model.deals, (times, own, entries), lost)


def _of_leads(rows: pd.DataFrame, model: StageModel) -> pd.DataFrame:
    times = [rows["opened_at"], rows["qualified_at"], rows["converted_at"]]
    entries = [time.notna().astype(int) for time in times]
    never = pd.Series(pd.NaT, index=rows.index, dtype="datetime64[us]")
    return _long(rows["case_id"], "leads", model.leads, (times, times, entries), never)


def _long(
    case_id: pd.Series,
    part: Part,
    stages: Sequence[Stage],
    seen: tuple[list[pd.Series], list[pd.Series], list[pd.Series]],
    lost: pd.Series,
) -> pd.DataFrame:
    times, own, entries = seen
    never = pd.Series(pd.NaT, index=case_id.index, dtype="datetime64[us]")
    frames = []
    for place, stage in enumerate(stages):
        following = times[place + 1] if place + 1 < len(stages) else never
        goes = following.notna()
        frame = pd.DataFrame(
            {
                "part": part, "case_id": case_id, "place": place, "stage": stage.name, "kind": stage.kind,
                "entered_at": times[place].astype("datetime64[us]"),
                "left_at": following.where(goes, lost).astype("datetime64[us]"),
                "to": np.where(goes, "next", np.where(lost.notna(), "lost", "")),
                "skipped": own[place].isna() & (place > 0),
                # a first stage is reached when the deal is created: its first entry by name is no return
                "reopened": (entries[place] - ((own[place] == times[place]) | (place == 0))).clip(lower=0),
            }
        )  # fmt: skip
        frames.append(frame[frame["entered_at"].notna()])
    return pd.concat(frames, ignore_index=True)


def _contacts(crm: Crm, end: pd.Timestamp) -> pd.DataFrame:
    visits = first_visits(crm)
    visits = visits.filter(visits.occurred_at < end).select(
        "account_id", owner_id="person_id", visited_at="occurred_at", next_at="next_contact"
    )
    found = visits.to_pandas()
    return found.assign(next_at=found["next_at"].where(found["next_at"] < end))


def _with_team(rows: pd.DataFrame, roster: pd.DataFrame, time: str) -> pd.DataFrame:
    """The owner's team on the day, or the nearest day on which they were in one: a deal may be older than its owner."""
    if rows.empty or roster.empty:
        return rows.assign(team_id=UNASSIGNED)
    days = roster[["person_id", "team_id", "day"]].astype({"person_id": "str", "day": "datetime64[us]"})
    days = days.sort_values("day")
    rows = rows.assign(owner_id=rows["owner_id"].astype("str").fillna(""), row=np.arange(len(rows)))
    dated = rows[rows[time].notna()].astype({time: "datetime64[us]"}).sort_values(time)
    found = [
        pd.merge_asof(
            dated[["row", time, "owner_id"]], days,
            left_on=time, right_on="day", left_by="owner_id", right_by="person_id", direction=side,
        ).set_index("row")["team_id"]
        for side in ("backward", "forward")
    ]  # fmt: skip
    team = found[0].fillna(found[1]).reindex(rows["row"])
    last = days.drop_duplicates("person_id", keep="last").set_index("person_id")["team_id"]
    team = pd.Series(team.to_numpy(), index=rows.index).fillna(rows["owner_id"].map(last)).fillna(UNASSIGNED)
    owner = rows["owner_id"].mask(rows["owner_id"] == "")
    return rows.assign(team_id=team, owner_id=owner).drop(columns="row")
