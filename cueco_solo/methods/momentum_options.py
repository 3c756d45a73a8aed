"""The settings of the momentum encoder, the section ``momentum``."""

from typing import Self

from pydantic import model_validator

from cueco_solo.errors import config_error
from cueco_solo.options import Options, Share, derived, option


class MomentumOptions(Options):
    """As any method with a momentum encoder has them; ours have a ``base_tau`` of their own."""

    section = "momentum"

    base_tau: Share = derived(
        "EMA coefficient at the start: 0.996 for CueCo, 0.99 for RCL and solo-learn's methods"
    )
    final_tau: Share = option(1.0, "EMA coefficient at the end")
    classifier: bool = option(
        False, "train solo-learn's online classifier on the momentum backbone as well"
    )

    @model_validator(mode="after")
    def _check_rise(self) -> Self:
        if self.base_tau is not None and self.base_tau > self.final_tau:
            raise config_error(
                "momentum.base_tau",
                self.base_tau,
                f"must be at most momentum.final_tau={self.final_tau}",
                "lower base_tau or raise final_tau",
            )
        return self
