"""Every KPI's worked example is its test; so is what it is made of."""

from pathlib import Path

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


SHARE_RECORDS_WITH_REVENUE = set(
    """
        signed_contracts new_customers renewal_rate win_rate won_cycle_days active_account_rate attainment closed_as_expected_rate
        collection_days complaint_rate crm_filing_rate customer_churn customer_conversion_rate customer_retention
        effective_visit_rate effective_visits enrolments existing_customer_contact_rate first_order_conversion_rate
        first_year_customer_margin first_year_customer_value first_year_retention_rate follow_up_interval_days
        follow_up_rate follow_up_success_rate gross_margin improvement key_nodes_on_time_rate market_coverage market_share
        median_cycle_days net_customer_growth on_time_collection_rate order_profit_rate profit proposal_win_rate
        prospect_visits qualified_lead_win_rate qualified_leads_won ramp_days referred_wins renewed_amount_rate
        repeat_buyers_growth repeat_purchase_rate repurchase_amount_per_customer repurchase_rate second_purchases
        self_sourced_share signed_amount_from_recent_deals signed_amount_growth_on_quarter signed_amount_growth_on_year signed_amount_in_own_territory
        signed_amount_per_head signing_cycle_days staff_turnover stalled_share target_hit_rate team_attainment
        trial_conversion_rate trial_lesson_conversion_rate
    """.split()  # noqa: SIM905
)
"""Also what is counted only while a deal is open or of customers without one: signing decides of them."""


def test_what_shares_records_with_revenue():
    assert set(sharing_records("signed_amount", catalogue())) == SHARE_RECORDS_WITH_REVENUE


def test_every_kpi_of_the_articles_is_defined():
    ids = (Path(__file__).parent / "golden" / "kpi_ids.txt").read_text().split()
    assert len(ids) == 99
    assert set(ids) == {kpi.id for kpi in catalogue().values() if kpi.id}


def test_unknown_names_are_all_reported_with_the_nearest_one():
    with pytest.raises(InputError) as caught:
        find_kpis(["visit", "signed_amount", "np"])
    text = str(caught.value)
    assert "'visit'" in text and "Did you mean visits?" in text and "'np'" in text and "Did you mean nps?" in text
