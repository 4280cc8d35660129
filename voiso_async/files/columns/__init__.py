"""Which column is which field (``aliases``, ``mapping``), and what a cell holds (``cells``, ``phones``)."""
