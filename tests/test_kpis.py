"""Every KPI's worked example is its test; so is what it is made of."""

import pytest
from examples import ALL_OLD_ENOUGH, assert_as_worked, tables_of

from kpi_research.errors import InputError
from kpi_research.kpis.catalogue import catalogue, find_kpis, lineage, sharing_records
from kpi_research.panel import contributions


@pytest.mark.parametrize("kpi", catalogue().values(), ids=catalogue())
def test_worked_example(kpi):
    assert_as_worked(contributions(tables_of(kpi.example), [kpi], until=ALL_OLD_ENOUGH), kpi)


def test_lineage_names_the_fields_of_the_definition():
    assert lineage("signed_amount") == {"contracts.amount", "contracts.cancelled_at", "contracts.signed_at"}
    assert lineage("calls") == {"activities.kind", "activities.occurred_at"}


def test_what_shares_records_with_revenue():
    assert set(sharing_records("signed_amount", catalogue())) == {
        "signed_contracts", "new_customers", "renewal_rate", "win_rate", "won_cycle_days",
    }  # fmt: skip


def test_unknown_names_are_all_reported_with_the_nearest_one():
    with pytest.raises(InputError) as caught:
        find_kpis(["visit", "signed_amount", "np"])
    text = str(caught.value)
    assert "'visit'" in text and "Did you mean visits?" in text and "'np'" in text and "Did you mean nps?" in text
