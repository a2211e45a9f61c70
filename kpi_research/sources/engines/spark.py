"""A Spark session, through Ibis; the work is done there. Reading of clients from it **has not been tested**."""

from __future__ import annotations

from typing import ClassVar

import ibis

from kpi_research.sources.engines.generic import IbisEngine


class SparkEngine(IbisEngine):
    """Tables of a Spark catalogue: `pyspark://warehouse`."""

    in_place: ClassVar[bool] = True

    def connect(self, address: str) -> ibis.BaseBackend:
        """Open the session."""
        return ibis.connect(f"pyspark://{address.split('://', 1)[1]}")


ENGINE = SparkEngine
