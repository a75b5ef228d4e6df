"""`python -m qprep`."""

import sys

from qprep.cli import main

sys.exit(main())
