"""Random canonical tables in which everything happens: all columns filled now and then, ties, borders, nulls.

Times fall on every sixth hour of few days, so that windows end exactly where something happens.
"""

import numpy as np
import pandas as pd

from kpi_research.crm.tables import TABLES
from kpi_research.kpis.catalogue import catalogue

SINCE, UNTIL = pd.Timestamp("2024-01-01"), pd.Timestamp("2026-07-01")
KINDS = ["visit", "call", "meeting", "appointment", "demo", "message", "proposal", "quote", "survey", "trial",
         "trial_lesson", "conference", "enquiry", "complaint", "feedback", "case", "usage", "login", "reception"]  # fmt: skip
SOURCES = ["自主开发", "老客户介绍", "转介绍", "referral", "self", "展会", "outbound", None]
LEVELS = ["高", "中", "低", "A", "B", "C", "1", "2", "3", None]


def random_crm(seed: int, scale: int = 1) -> dict[str, pd.DataFrame]:
    """All canonical tables; the same seed gives the same rows."""
    draw = _Draw(np.random.default_rng(seed), scale)
    made = {name: getattr(draw, name)() for name in TABLES}
    return {name: _typed(name, rows) for name, rows in made.items()}


def _typed(name: str, rows: list[dict]) -> pd.DataFrame:
    table = TABLES[name]
    frame = pd.DataFrame(rows, columns=list(table.columns)).drop_duplicates(list(table.key), ignore_index=True)
    for column, spec in table.columns.items():
        if spec.kind in ("date", "time"):
            frame[column] = pd.to_datetime(frame[column]).astype("datetime64[us]")
        elif spec.kind in ("money", "number", "share"):
            frame[column] = frame[column].astype(float)
    return frame


class _Draw:
    def __init__(self, rng: np.random.Generator, scale: int) -> None:
        self.rng, self.scale = rng, scale
        self.who = [f"P{i}" for i in range(7)]
        self.where = [f"A{i}" for i in range(70 * scale)]
        self.often = [*self.where[:20], *self.where[:20], *self.where[:20], *self.where]

    def one(self, among: list, empty: float = 0.0) -> object:
        return None if self.rng.random() < empty else among[self.rng.integers(len(among))]

    def time(self, empty: float = 0.0, since: pd.Timestamp = SINCE, days: int = 911) -> pd.Timestamp | None:
        moment = since + pd.Timedelta(hours=6 * int(self.rng.integers(4 * days)))
        return None if self.rng.random() < empty or moment >= UNTIL else moment

    def after(self, time: pd.Timestamp | None, days: int, empty: float = 0.0) -> pd.Timestamp | None:
        return None if time is None else self.time(empty, time, days)

    def date(self, empty: float = 0.0) -> pd.Timestamp | None:
        time = self.time(empty)
        return None if time is None else time.normalize()

    def ids(self, letter: str, count: int) -> list[str]:
        return [f"{letter}{i:04d}" for i in range(count * self.scale)]

    def people(self) -> list[dict]:
        hired = [self.date(0.4) for _ in self.who]
        left = [None, None, None, pd.Timestamp("2026-02-10"), None, pd.Timestamp("2025-11-30"), None]
        return [
            {"person_id": who, "name": who, "role": self.one(["销售", "售前支持", "support", "presales", None]),
             "hired_on": day if end is None or day is None or day < end else None, "left_on": end}
            for who, day, end in zip(self.who, hired, left, strict=True)
        ]  # fmt: skip

    def teams(self) -> list[dict]:
        return [
            {"team_id": f"T{i}", "name": f"T{i}", "region": region} for i, region in enumerate(["华东", "华南", None])
        ]

    def assignments(self) -> list[dict]:
        rows = [{"person_id": who, "team_id": f"T{i % 3}", "since": SINCE} for i, who in enumerate(self.who)]
        moves = [("P1", "T0", "2025-05-15"), ("P4", "T2", "2026-04-20"), ("P6", "T1", "2026-06-30")]
        return rows + [{"person_id": who, "team_id": team, "since": pd.Timestamp(day)} for who, team, day in moves]

    def accounts(self) -> list[dict]:
        return [
            {"account_id": account, "name": account, "owner_id": self.one(self.who, 0.1), "created_at": self.time(0.1),
             "tier": self.one(["A", "B", None]), "region": self.one(["华东", "华南", None]),
             "industry": self.one(["医院", "hospital", "软件", None])}
            for account in self.where
        ]  # fmt: skip

    def products(self) -> list[dict]:
        return [{"product_id": "X", "name": "X", "series": "S", "list_price": 1.0}]

    def leads(self) -> list[dict]:
        rows = []
        for lead in self.ids("L", 70):
            created = self.time()
            qualified = self.after(created, 60, 0.4)
            rows.append(
                {"lead_id": lead, "source": self.one(SOURCES), "owner_id": self.one(self.who, 0.1),
                 "account_id": self.one(self.where, 0.3), "created_at": created, "qualified_at": qualified,
                 "converted_at": self.after(qualified, 120, 0.4), "opportunity_id": self.one(self.ids("O", 80), 0.4)}
            )  # fmt: skip
        return rows

    def opportunities(self) -> list[dict]:
        rows = []
        for opportunity in self.ids("O", 80):
            created = self.time(0.05)
            closed = self.after(created or self.time(), 200, 0.3)
            rows.append(
                {"opportunity_id": opportunity, "account_id": self.one(self.where, 0.1), "owner_id": self.one(self.who, 0.1),
                 "product": self.one(["X", None]), "amount": self.one([1e3, 2.5e4, 1e5, None]), "currency": "CNY",
                 "created_at": created, "stage": self.one(["s1", "s2", None]), "expected_close_on": self.date(0.3),
                 "closed_at": closed, "outcome": self.one(["won", "lost", "void"]) if closed else "open"}
            )  # fmt: skip
        return rows

    def stage_changes(self) -> list[dict]:
        rows = []
        for opportunity in self.ids("O", 80):
            entered = self.time(0.1)
            for stage in ("s1", "s2", "s3", "s2", "s4")[: self.rng.integers(1, 6)]:
                if entered is not None:
                    rows.append({"opportunity_id": opportunity, "stage": stage, "entered_at": entered,
                                 "recorded_at": entered + pd.Timedelta(days=int(self.rng.integers(0, 40)))})  # fmt: skip
                entered = self.after(entered, 50)
        return rows

    def activities(self) -> list[dict]:
        rows = []
        for activity in self.ids("N", 900):
            time = self.time()
            rows.append(
                {"activity_id": activity, "person_id": self.one(self.who, 0.03), "kind": self.one(KINDS),
                 "account_id": self.one(self.often, 0.2), "lead_id": self.one(self.ids("L", 70), 0.7),
                 "opportunity_id": self.one(self.ids("O", 80), 0.4), "occurred_at": time,
                 "recorded_at": self.one([time, time + pd.Timedelta(days=1), time + pd.Timedelta(days=25), None]),
                 "minutes": self.one([5.0, 60.0, None]), "effective": self.one([True, False, None]),
                 "longitude": self.one([120.0, None]), "latitude": 30.0, "note_hash": self.one(["x", None])}
            )  # fmt: skip
        return rows

    def contracts(self) -> list[dict]:
        rows = []
        for contract in self.ids("K", 110):
            signed = self.time()
            rows.append(
                {"contract_id": contract, "account_id": self.one(self.often, 0.05), "owner_id": self.one(self.who, 0.05),
                 "opportunity_id": self.one(self.ids("O", 80), 0.4), "signed_at": signed,
                 "amount": self.one([1e3, 5e3, 1.2e4, 0.0]), "cost": self.one([500.0, 7e3, None]), "currency": "CNY",
                 "kind": self.one(["new", "renewal", "repeat", None]), "approved_at": None,
                 "ends_on": (signed + pd.Timedelta(days=int(self.one([90, 365])))).normalize() if self.rng.random() < 0.6 else None,
                 "cancelled_at": self.after(signed, 60, 0.85)}
            )  # fmt: skip
        return rows

    def receivables(self) -> list[dict]:
        return [{"receivable_id": each, "contract_id": self.one(self.ids("K", 110)), "due_on": self.date(),
                 "amount_due": self.one([500.0, 1e3, 4e3])} for each in self.ids("R", 120)]  # fmt: skip

    def payments(self) -> list[dict]:
        return [{"payment_id": each, "contract_id": self.one(self.ids("K", 110)), "paid_at": self.time(),
                 "amount": self.one([500.0, 1e3, 250.0])} for each in self.ids("Y", 160)]  # fmt: skip

    def surveys(self) -> list[dict]:
        scales = {
            "csat": (1.0, 5.0),
            "nps": (0.0, 10.0),
            "peer": (1.0, 10.0),
            "delivery": (1.0, 5.0),
            "employee": (1.0, 5.0),
        }
        rows = []
        for survey in self.ids("S", 160):
            kind = str(self.one(list(scales)))
            low, high = scales[kind]
            rows.append(
                {"survey_id": survey, "kind": kind, "account_id": self.one(self.where, 0.2), "subject_id": self.one(self.who, 0.2),
                 "rater_id": self.one(self.who, 0.2), "score": float(self.rng.integers(int(low), int(high) + 1)),
                 "scale_min": low, "scale_max": high, "answered_at": self.time()}
            )  # fmt: skip
        return rows

    def learning(self) -> list[dict]:
        return [{"record_id": each, "person_id": self.one(self.who), "kind": self.one(["training", "sharing", "cross_team", "help"]),
                 "occurred_at": self.time(), "offered": self.one([1.0, 2.0, None]), "confirmed_by": self.one(self.who, 0.4)}
                for each in self.ids("G", 90)]  # fmt: skip

    def channels(self) -> list[dict]:
        rows = []
        for channel in self.ids("H", 12):
            target = float(self.rng.integers(0, 40))
            rows.append({"channel_id": channel, "name": channel, "owner_id": self.one(self.who, 0.1), "opened_at": self.time(0.1),
                         "stores_target": target, "stores_stocked": self.one([target, target // 2, None]),
                         "stores_selling": self.one([target // 3, 0.0, None])})  # fmt: skip
        return rows

    def targets(self) -> list[dict]:
        scopes = (
            [("person", who) for who in self.who] + [("team", f"T{i}") for i in range(3)] + [("company", "company")]
        )
        periods = [
            "2024Q4",
            "2025Q1",
            "2025Q2",
            "2025Q3",
            "2025Q4",
            "2026Q1",
            "2026Q2",
            "2026-01",
            "2026-02",
            "2026-03",
            "2026",
            "2025",
        ]
        return [
            {"scope": scope, "scope_id": each, "kpi": kpi, "period": period, "base": float(self.rng.integers(0, 20)) * 1e3,
             "version": version, "effective_from": None}
            for scope, each in scopes for period in periods for kpi in ("signed_amount", "visits", "market_sales")
            for version in ("1", "2") if self.rng.random() < 0.8
        ]  # fmt: skip

    def ratings(self) -> list[dict]:
        kpis = [
            "crm_accuracy",
            "kpi_audit",
            "joint_tasks_on_time",
            "cross_team_feedback",
            "proposal_quality",
            *list(catalogue())[:3],
        ]
        return [
            {"person_id": who, "kpi": kpi, "period": period, "rater": rater, "score": float(self.rng.integers(0, 10)),
             "scale_max": 10.0, "weight": None}
            for who in self.who for kpi in kpis for period in ("2026Q1", "2026Q2", "2026-05", "2025", "someday")
            for rater in ("self", "superior", "hr") if self.rng.random() < 0.5
        ]  # fmt: skip

    def changes(self) -> list[dict]:
        rows = []
        records = {"opportunities": self.ids("O", 80), "leads": self.ids("L", 70), "accounts": self.where}
        for _ in range(200 * self.scale):
            table = str(self.one(list(records)))
            rows.append({"table": table, "record_id": self.one(records[table]), "field": self.one(["intent", "intent_level", "level", "stage", "amount"]),
                         "old": self.one(LEVELS), "new": self.one(LEVELS), "changed_by": self.one([*self.who, "flow"], 0.1),
                         "changed_at": self.time()})  # fmt: skip
        return rows
