"""What commands print: tables, listings, progress, reports, advice, and library texts in words of the shell."""
