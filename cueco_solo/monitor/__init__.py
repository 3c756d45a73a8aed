"""What is computed of the representation while a run trains; see :mod:`.callback`."""
