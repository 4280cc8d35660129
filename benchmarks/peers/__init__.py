"""The peers: what users would write without this package, at their best."""
