"""The settings of the momentum encoder, the section ``momentum``, and rules for predictors."""

from typing import Any, Self

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


def check_predictor(options: Any, output_bn: bool) -> None:
    """Refuse an identity start that wouldn't be one.

    Args:
        options: CueCo's or RCL's.
        output_bn: whether the projector ends with a batch norm.

    Raises:
        ConfigError: the predictor is no MLP or too narrow, or its input isn't standardised.
    """
    if options.predictor_init != "identity":
        return
    key = "method_kwargs.predictor_init"
    if options.predictor != "mlp":
        allowed = f"is for method_kwargs.predictor=mlp, not {options.predictor}"
        raise config_error(key, "identity", allowed, "set it to random")
    if not output_bn:
        allowed = "needs a projector that ends with a batch norm"
        remedy = "set method_kwargs.proj_output_bn=True, or method_kwargs.predictor=residual"
        raise config_error(key, "identity", allowed, remedy)
    least = 2 * options.proj_output_dim
    if options.pred_hidden_dim < least:
        raise config_error(
            "method_kwargs.pred_hidden_dim",
            options.pred_hidden_dim,
            f"must be at least {least}, twice proj_output_dim, with predictor_init=identity",
            "raise it or lower proj_output_dim",
        )
