"""CueCo, RCL and Self-Classifier for solo-learn.

Importing this package registers nothing and imports no torch. Call :func:`register` to add the
methods to solo-learn's ``METHODS``; the Hydra plugin and ``cueco-solo`` do so by themselves.
"""

import sys
from typing import Any

__version__ = "0.1.0"

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

    METHODS.update(plugin_methods())
    bring_callbacks(online_callbacks)
    bring_callbacks(divergence_callbacks)
    bring_callbacks(write_whole)
    keep_out_of_working_folder()
