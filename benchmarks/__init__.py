"""How fast, beside what a careful user would write without this package, and beside what physics allows."""
