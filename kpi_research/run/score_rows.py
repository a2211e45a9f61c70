"""The single records behind people's scores, read from the source once and kept beside the client's data.

They are needed for a few KPIs and by few readers, so they are not among what every reading of a client computes.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from kpi_research.appraisal.scheme import Scheme
from kpi_research.crm.contract import hold_to_contract
from kpi_research.kpis.crm import Crm
from kpi_research.kpis.definition import Kpi
from kpi_research.panel.build import covered
from kpi_research.panel.records import counted_in, no_records, records_behind
from kpi_research.periods import Period
from kpi_research.run.store import reads_database
from kpi_research.sources.read import read_source
from kpi_research.sources.workspace import Workspace

if TYPE_CHECKING:
    from kpi_research.run.client import Client

GIVEN_BY_OTHERS = frozenset({"ratings", "surveys"})
"""Tables of what others say, customers included: which record it is would tell who said it."""


def may_be_named(kpi: Kpi) -> bool:
    """Whether the records of a KPI are a person's own work, and not what others said of them."""
    return kpi.kind != "collaboration" and not GIVEN_BY_OTHERS & set(kpi.needs)


def own_records(client: Client, period: Period, person: str) -> pd.DataFrame:
    """A person's records behind the KPIs that people are scored on, in the columns of `panel.records`; nobody else's.

    Empty where the client's rows lie in a database: reading it anew for a page would take long and find other rows than
    the score was computed from.
    """
    kpis = _scored_on(client)
    if not kpis or reads_database(client.settings.source):
        return no_records()
    mine = pd.read_parquet(_kept(client, kpis), filters=[("person_id", "==", person)])
    return pd.concat(
        [counted_in(mine, kpi, period, client.data.parts.until) for kpi in kpis.values()], ignore_index=True
    )


def _scored_on(client: Client) -> dict[str, Kpi]:
    schemes = [each for each in (client.scheme, *(version.scheme for version in client.versions)) if each is not None]
    items = [item for scheme in schemes if isinstance(scheme, Scheme) for item in scheme.items if not item.raters]
    names = sorted({item.kpi for item in items if item.scope == "person"})
    return {name: kpi for name in names if may_be_named(kpi := client.kpis[name])}


def _kept(client: Client, kpis: dict[str, Kpi]) -> Path:
    """The file with everybody's records; made if it is not there yet, and then there as a whole at once."""
    asked = hashlib.sha256(" ".join(kpis).encode()).hexdigest()[:16]
    path = client.data.derived / "records" / f"{asked}.parquet"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        building = path.with_suffix(f".{os.getpid()}.part")
        _read(client, kpis).to_parquet(building)
        building.replace(path)
    return path


def _read(client: Client, kpis: dict[str, Kpi]) -> pd.DataFrame:
    settings, until = client.settings, client.data.parts.until
    with Workspace() as workspace:
        contract = hold_to_contract(
            read_source(settings.source, client.path.parent, workspace), timezone=settings.timezone
        )
        crm = Crm({name: covered(name, table, until) for name, table in contract.tables.items()})
        return records_behind(crm, kpis.values(), until)
