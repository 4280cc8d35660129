"""Files of leads, read and written row by row; nothing here is loaded by ``import voiso_async``."""

from voiso_async.files.columns.mapping import Columns, Layout, Template, Wishes
from voiso_async.files.csv_rows import DEFAULT_ENCODING
from voiso_async.files.leadfile import LeadFile, open_leads
from voiso_async.files.sniff import FileFormat
from voiso_async.files.suppression import Suppression
from voiso_async.files.table_rows import Shape
from voiso_async.files.writing import write_rejects, write_results

__all__ = [
    "DEFAULT_ENCODING",
    "Columns",
    "FileFormat",
    "Layout",
    "LeadFile",
    "Shape",
    "Suppression",
    "Template",
    "Wishes",
    "open_leads",
    "write_rejects",
    "write_results",
]
