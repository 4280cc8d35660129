"""What users would write without this package, as well as they can."""
