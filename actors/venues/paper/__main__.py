"""`python -m actors.venues.paper`: the paper exchange alone, as `strikemaker paper`."""

import sys

from actors.venues.paper.run import main

sys.exit(main())
