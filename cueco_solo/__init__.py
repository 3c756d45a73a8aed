"""CueCo, RCL and Self-Classifier for solo-learn.

Importing this package registers nothing and imports no torch. Call :func:`register` to add the
methods to solo-learn's ``METHODS``; the Hydra plugin and ``cueco-solo`` do so by themselves.
"""

__version__ = "0.1.0"


def register() -> None:
    """Add this package's methods to solo-learn's ``METHODS``, and the monitor to all (idempotent).

    Raises:
        cueco_solo.errors.HostError: no solo-learn is installed, or one that is too old.
    """
    from cueco_solo.host import METHODS, bring_callbacks
    from cueco_solo.methods import plugin_methods
    from cueco_solo.training.monitor import online_callbacks

    METHODS.update(plugin_methods())
    bring_callbacks(online_callbacks)
