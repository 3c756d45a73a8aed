"""``python -m cueco_solo.cli``, where the console script isn't on the path."""

import sys

from cueco_solo.cli import main

sys.exit(main())
