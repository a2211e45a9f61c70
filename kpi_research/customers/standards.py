"""What counts as lost, how far ahead is looked and when a model is refused, each with its reason, in one place."""

from __future__ import annotations

from typing import Literal

from kpi_research.kpis.customer_value_orders import BUYING_DAYS

Setting = Literal["contractual", "noncontractual"]
CONTRACTUAL: Setting = "contractual"
NONCONTRACTUAL: Setting = "noncontractual"
SETTINGS: tuple[Setting, ...] = (CONTRACTUAL, NONCONTRACTUAL)

LOST_AFTER_DAYS = BUYING_DAYS
"""So long without an order, and a customer without a running contract counts as lost; as the KPIs count it."""

HORIZON_MONTHS = 12
"""How far ahead customers are valued: a forecast of this length can be checked against months held back."""

DISCOUNT_YEARLY = 0.10
"""What a year's wait costs: a yuan in a year is worth 1 / 1.10 today."""

HELD_BACK_MONTHS = 6
"""Months at the end of the data that a forecast is tried on."""

AGES_MONTHS = (3, 6, 12, 24)
"""Ages at which cohorts are looked at."""

MIN_CUSTOMERS = 100
"""With fewer customers the four parameters of the BG/NBD hang on a handful of them."""

MIN_BUYING_AGAIN = 30
"""Fewer customers who bought again tell nothing of how rates differ between customers."""

MIN_AGE_WEEKS = 26.0
"""A model of coming back needs customers who had half a year to do so."""

MIN_RENEWALS_DUE = 20
"""With fewer contracts that fell due, a renewal rate is wider than 40 points and no forecast is made from it."""

MIN_COST_SHARE = 0.95
"""Where the cost of fewer purchases is known, values are amounts, not margins; the few without cost are left out."""

RESAMPLES = 100
"""Refits behind the range of a forecast, a fiftieth of a second each; the range's ends then move by about a
fifteenth of its width from seed to seed."""

DAYS_A_MONTH = 365.25 / 12
DAYS_A_WEEK = 7.0
