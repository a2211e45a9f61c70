"""`python -m kpi_research`."""

import sys

from kpi_research.cli import main

if __name__ == "__main__":
    sys.exit(main())
