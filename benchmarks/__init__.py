"""Measures speed against what a careful user would write without this package, and against the physical limit."""
