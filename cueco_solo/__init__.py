"""CueCo, RCL and Self-Classifier for solo-learn.

Importing this package registers nothing and imports no torch: each name of ``__all__`` is imported
on its first use. Call :func:`register` to add the methods to solo-learn's ``METHODS``; the Hydra
plugin and ``cueco-solo`` do so by themselves. How it is used: docs/python.md.
"""

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cueco_solo.checked import Hierarchy as Hierarchy
    from cueco_solo.checked import KeyQueue as KeyQueue
    from cueco_solo.checked import MomentumGrouping as MomentumGrouping
    from cueco_solo.checked import centroid_contrastive as centroid_contrastive
    from cueco_solo.checked import info_nce as info_nce
    from cueco_solo.checked import relative_contrastive as relative_contrastive
    from cueco_solo.checked import relative_keys as relative_keys
    from cueco_solo.checked import self_classification as self_classification
    from cueco_solo.checked import variance_loss as variance_loss
    from cueco_solo.errors import ConfigError as ConfigError
    from cueco_solo.errors import HostError as HostError
    from cueco_solo.evaluation.cluster import cluster_scores as cluster_scores
    from cueco_solo.evaluation.embedding import embed as embed
    from cueco_solo.evaluation.embedding import embed_folder as embed_folder
    from cueco_solo.evaluation.features import Features as Features
    from cueco_solo.evaluation.features import load_backbone as load_backbone
    from cueco_solo.evaluation.features import load_transform as load_transform
    from cueco_solo.evaluation.few_shot import few_shot_accuracies as few_shot_accuracies
    from cueco_solo.evaluation.image_folder import FolderFeatures as FolderFeatures
    from cueco_solo.evaluation.knn import knn_accuracies as knn_accuracies
    from cueco_solo.methods.cueco import CueCo as CueCo
    from cueco_solo.methods.rcl import RCL as RCL
    from cueco_solo.methods.self_classifier import SelfClassifier as SelfClassifier
    from cueco_solo.numerics import rank_me as rank_me
    from cueco_solo.training.build import model_from_config as model_from_config
    from cueco_solo.training.run_folder import Run as Run
    from cueco_solo.training.run_folder import load_run as load_run

__version__ = "0.1.0"

# the public names, by module
_PUBLIC = {
    name: module
    for module, names in {
        "checked": "Hierarchy KeyQueue MomentumGrouping centroid_contrastive "
        "info_nce relative_contrastive relative_keys self_classification variance_loss",
        "errors": "ConfigError HostError",
        "evaluation.cluster": "cluster_scores",
        "evaluation.embedding": "embed embed_folder",
        "evaluation.features": "Features load_backbone load_transform",
        "evaluation.few_shot": "few_shot_accuracies",
        "evaluation.image_folder": "FolderFeatures",
        "evaluation.knn": "knn_accuracies",
        "methods.cueco": "CueCo",
        "methods.rcl": "RCL",
        "methods.self_classifier": "SelfClassifier",
        "numerics": "rank_me",
        "training.build": "model_from_config",
        "training.run_folder": "Run load_run",
    }.items()
    for name in names.split()
}
__all__ = [*_PUBLIC, "register"]

# modules of 0.1.0 by their new names: two where one was split
MOVED = {
    f"{__name__}.{old}": " and ".join(f"{__name__}.{name}" for name in new.split())
    for old, new in {
        "checkpoints": "training.checkpoints",
        "cli.command": "arguments",
        "cli.compose": "training.compose",
        "cli.evaluate": "evaluation.commands",
        "cli.finetune": "evaluation.commands",
        "cli.fit": "training.pretrain",
        "cli.quickstart": "cli.compare",
        "cli.quiet": "training.log_filters",
        "cli.session": "evaluation.run_evaluation",
        "cli.trainer": "training.trainer",
        "comparison.finished": "comparison.results",
        "comparison.published": "results.published",
        "comparison.render": "results.text",
        "comparison.rows": "results.figures",
        "comparison.statistics": "results.statistics",
        "comparison.tables": "results.table",
        "evaluation.cache": "evaluation.feature_cache",
        "evaluation.figures": "evaluation.run_evaluation",
        "hardware": "training.hardware",
        "host.release.lifted": "host.release.adapters",
        "host.release.surface": "host.release.api",
        "methods.common": "methods.base",
        "methods.cueco_config": "methods.cueco_options",
        "methods.rcl_config": "methods.rcl_options",
        "methods.self_classifier_config": "methods.self_classifier_options",
        "metrics": "numerics",
        "monitor": "training.monitor",
        "precision": "numerics",
        "report.folders": "training.run_folder",
        "report.inside": "report.features",
        "report.maps": "report.features",
        "report.origin": "report.reproduction",
        "report.page": "report.html",
        "report.pictures": "report.thumbnails",
        "report.tables": "results.table",
        "runs": "training.run_folder training.environment",
        "schema": "options",
        "settings": "training.settings",
    }.items()
}


class _Moved:
    """Lets the import of such a module fail with its new name."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> None:
        if name in MOVED:
            raise ModuleNotFoundError(f"{name} is now {MOVED[name]}", name=name)


# in front: a folder of the old name that only holds __pycache__ would be a package to the others
sys.meta_path.insert(0, _Moved)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def register() -> None:
    """Add this package's methods to solo-learn's ``METHODS``, and what all bring (idempotent).

    To be called in every process; without it methods bring no monitor and no guard.

    Raises:
        cueco_solo.errors.HostError: no solo-learn is installed, or one that is too old.
    """
    from cueco_solo.host import METHODS, bring_callbacks
    from cueco_solo.host.lightning_shims import keep_out_of_working_folder, write_whole
    from cueco_solo.methods import plugin_methods
    from cueco_solo.training.divergence import divergence_callbacks
    from cueco_solo.training.monitor import online_callbacks
    from cueco_solo.training.resume import same_settings

    METHODS.update(plugin_methods())
    bring_callbacks(online_callbacks)
    bring_callbacks(divergence_callbacks)
    bring_callbacks(same_settings)
    bring_callbacks(write_whole)
    keep_out_of_working_folder()
