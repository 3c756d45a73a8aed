"""Makes this package's methods and configurations known to every Hydra program."""

import sys

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin


class CuecoSoloSearchPath(SearchPathPlugin):
    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        search_path.append(provider="cueco-solo", path="pkg://cueco_solo.configs")
        if "solo.methods" in sys.modules:
            import cueco_solo

            cueco_solo.register()
