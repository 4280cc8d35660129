"""Files of leads, read and written row by row; nothing here is loaded by ``import voiso_async``.

A file passes ``disk`` (opening it), ``sniff`` (format and encoding by its first bytes), then one reader of rows:
``csv_rows``, ``jsonl`` or ``xlsx``; ``table_rows`` and ``table`` give all three one form. ``columns`` says which
column is which field, ``lead_builder`` makes a lead of each row, ``leadfile`` is what users open. ``suppression``
reads lists of numbers that must not be called, by ``number_list``. ``writing`` writes results and rejects into an
``atomic_file``.
"""

from voiso_async.files.columns.mapping import ColumnSummary
from voiso_async.files.csv_rows import DEFAULT_ENCODING
from voiso_async.files.leadfile import LeadFile, OpenLeads, open_leads
from voiso_async.files.sniff import FileFormat
from voiso_async.files.suppression import Suppression
from voiso_async.files.table_rows import FileShape
from voiso_async.files.writing import write_rejects, write_results

__all__ = [
    "DEFAULT_ENCODING",
    "ColumnSummary",
    "FileFormat",
    "FileShape",
    "LeadFile",
    "OpenLeads",
    "Suppression",
    "open_leads",
    "write_rejects",
    "write_results",
]
