"""The version, as a constant: a copied folder, a zipapp or a frozen program has no package metadata to ask."""

VERSION = "0.5.0"
