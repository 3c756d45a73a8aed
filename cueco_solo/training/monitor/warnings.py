"""What the monitor's callbacks have to say, once."""

from lightning.pytorch import Callback
from lightning.pytorch.utilities import rank_zero_warn

from cueco_solo.training.monitor.settings import SECTION


class WarningCallback(Callback):
    """A callback of the monitor that warns of each thing once."""

    def __init__(self) -> None:
        self._warned: set[str] = set()

    def _warn_once(self, text: str) -> None:
        if text not in self._warned:
            self._warned.add(text)
            rank_zero_warn(f"{SECTION}: {text}")
