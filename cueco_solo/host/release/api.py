"""The names that the facade takes from the release, as ``main`` has them."""

from types import ModuleType

from solo.methods.base import BaseMethod as LegacyMethod
from solo.methods.base import BaseMomentumMethod as LegacyMomentumMethod
from solo.utils.metrics import weighted_mean
from solo.utils.momentum import MomentumUpdater, initialize_momentum_params

from cueco_solo.errors import HostError
from cueco_solo.host import images
from cueco_solo.host.detect import INSTALL_MAIN
from cueco_solo.host.lightning_shims import log_without_waiting
from cueco_solo.host.metrics import WeightedKNNClassifier, accuracy_at_k
from cueco_solo.host.release import classification_data, pretrain_data
from cueco_solo.host.release.base import BaseMethod, BaseMomentumMethod
from cueco_solo.host.release.baselines import METHODS
from cueco_solo.host.release.cfg import omegaconf_select, parse_linear_cfg, parse_pretrain_cfg
from cueco_solo.host.release.checkpointer import Checkpointer
from cueco_solo.host.release.linear import LinearModel
from cueco_solo.host.release.losses import gather, mocov2plus_loss_func, nnclr_loss_func
from cueco_solo.host.release.optim import LARS
from cueco_solo.host.unlabelled import leave_labels_out

leave_labels_out(LegacyMethod, LegacyMomentumMethod)
log_without_waiting(LegacyMethod)
images.replace_in_torchvision(pretrain_data.CustomDatasetWithoutLabels)


def load_dali() -> ModuleType:
    """Always raises HostError: 1.0.2's DALI pipelines have another API."""
    raise HostError(f"data.format='dali' can't be used with solo-learn 1.0.2; {INSTALL_MAIN}")
