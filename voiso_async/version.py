"""The version, as a constant: a copied folder, a zipapp or a frozen program has no package metadata to ask."""

__all__ = ["VERSION"]

VERSION = "0.4.0"
