"""Hydra configurations of cueco-solo, installed as the package ``cueco_solo.configs``."""
