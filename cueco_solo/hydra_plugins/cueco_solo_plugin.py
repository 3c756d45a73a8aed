"""Makes this package's methods and configurations known to solo-learn's Hydra programs.

Hydra imports this module at the start of every Hydra program of the environment, and runs it twice
if something else has imported it before. So it does nothing in programs of others, imports no
solo-learn by itself, can be repeated, and lets no exception out.
"""

import sys

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin


class CuecoSoloSearchPath(SearchPathPlugin):
    """Adds the configurations to the search path, and the methods to solo-learn's ``METHODS``."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Called by Hydra once the program has imported what it needs."""
        is_solo_program = "solo.methods" in sys.modules
        if not is_solo_program and "cueco_solo" not in sys.modules:
            return
        search_path.append(provider="cueco-solo", path="pkg://cueco_solo.configs")
        if not is_solo_program:
            return
        try:
            import cueco_solo

            cueco_solo.register()
        except Exception as error:
            reason = " ".join(str(error).split()) or "no reason given"
            print(
                f"cueco-solo: its methods are not available here: {type(error).__name__}: {reason}",
                file=sys.stderr,
            )
