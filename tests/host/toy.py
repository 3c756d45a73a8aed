"""A small momentum method written against solo-learn main's API, as a user would write one."""

from typing import Any

import torch
import torch.nn.functional as F
from omegaconf import DictConfig
from torch import Tensor, nn

from cueco_solo.host import BaseMomentumMethod, gather, initialize_momentum_params, omegaconf_select


class ToyCo(BaseMomentumMethod):
    """Contrasts each crop's prediction with the momentum projections of the other large crops."""

    def __init__(self, cfg: DictConfig):
        super().__init__(cfg)
        dim, hidden = cfg.method_kwargs.proj_output_dim, cfg.method_kwargs.proj_hidden_dim
        self.temperature = cfg.method_kwargs.temperature
        self.projector, self.momentum_projector = (
            nn.Sequential(
                nn.Linear(self.features_dim, hidden),
                nn.BatchNorm1d(hidden),
                nn.ReLU(),
                nn.Linear(hidden, dim),
            )
            for _ in range(2)
        )
        initialize_momentum_params(self.projector, self.momentum_projector)
        self.predictor = nn.Linear(dim, dim)

    @staticmethod
    def add_and_assert_specific_cfg(cfg: DictConfig) -> DictConfig:
        cfg = super(ToyCo, ToyCo).add_and_assert_specific_cfg(cfg)
        cfg.method_kwargs.temperature = omegaconf_select(cfg, "method_kwargs.temperature", 0.2)
        return cfg

    @property
    def learnable_params(self) -> list[dict[str, Any]]:
        return [
            *super().learnable_params,
            {"name": "projector", "params": self.projector.parameters()},
            {"name": "predictor", "params": self.predictor.parameters(), "static_lr": True},
        ]

    @property
    def momentum_pairs(self) -> list[tuple[Any, Any]]:
        return [*super().momentum_pairs, (self.projector, self.momentum_projector)]

    def _project(self, out: dict[str, Any]) -> dict[str, Any]:
        z = F.normalize(self.projector(out["feats"]), dim=-1)
        out.update({"z": z, "p": F.normalize(self.predictor(z), dim=-1)})
        return out

    def forward(self, X: Tensor) -> dict[str, Any]:
        return self._project(super().forward(X))

    def multicrop_forward(self, X: Tensor) -> dict[str, Any]:
        return self._project(super().multicrop_forward(X))

    @torch.no_grad()
    def momentum_forward(self, X: Tensor) -> dict[str, Any]:
        out = super().momentum_forward(X)
        out.update({"z": F.normalize(self.momentum_projector(out["feats"]), dim=-1)})
        return out

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        out = super().training_step(batch, batch_idx)
        keys = gather(torch.cat(out["momentum_z"]))
        loss, n = 0.0, out["p"][0].size(0)
        for view, p in enumerate(out["p"]):
            for other in range(self.num_large_crops):
                if other != view:
                    target = torch.arange(n, device=p.device) + other * n
                    loss = loss + F.cross_entropy(p @ keys.T / self.temperature, target)
        self.log("train_toy_loss", loss, on_epoch=True, sync_dist=True)
        return loss + out["loss"]
