"""Proposition 99, the published example of synthetic control: our weights beside the published estimates.

    pip download --no-deps causalpy==0.9.0 && unzip causalpy-0.9.0-py3-none-any.whl causalpy/data/california_prop99.csv
    python tests/golden/proposition_99.py causalpy/data/california_prop99.csv

Packs of cigarettes a head, 39 states, 1970-2000; California taxed them from 1989 on. Arkhangelsky, Athey, Hirshberg,
Imbens & Wager (2021, American Economic Review 111(12), table 1): difference in differences -27.3, synthetic control -19.6,
the same with an intercept -11.1. The data are read from a public package's file and not kept here.
"""

import sys

import numpy as np
import pandas as pd

from kpi_research.evidence.synthetic_control import simplex_weights, synthetic_control

PUBLISHED = {"difference in differences": -27.3, "synthetic control": -19.6, "with intercept": -11.1}


def estimates(packs: pd.DataFrame) -> dict[str, float]:
    """From packs by year and state: mean over 1989-2000 of California less its comparison."""
    own, others = packs["California"].to_numpy(), packs.drop(columns="California").to_numpy().T
    start = list(packs.index).index(1989)
    mixture = simplex_weights(own[:start], others[:, :start])
    moved = synthetic_control(own, others, start)
    equal = own - others.mean(axis=0)
    return {
        "difference in differences": float(equal[start:].mean() - equal[:start].mean()),
        "synthetic control": float((own - mixture @ others)[start:].mean()),
        "with intercept": float((moved.actual - moved.mixture)[start:].mean()),
    }


if __name__ == "__main__":
    found = estimates(pd.read_csv(sys.argv[1], index_col="Year"))
    for name, value in found.items():
        print(f"{name:26s} {value:8.3f}   published {PUBLISHED[name]:6.1f}")
    sys.exit(int(not np.allclose(list(found.values()), list(PUBLISHED.values()), atol=0.15)))
