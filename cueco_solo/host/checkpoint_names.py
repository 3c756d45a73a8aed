"""Names of solo-learn's checkpoints, which its ``Checkpointer`` fills in by ``str.format``."""

_EPOCH = "-ep={}.ckpt"


def literal_name(placeholder: str) -> str:
    """A placeholder of solo-learn's in which braces of the run's name stand for themselves."""
    name = placeholder.removesuffix(_EPOCH)
    return name.replace("{", "{{").replace("}", "}}") + _EPOCH
