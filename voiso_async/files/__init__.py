"""Leads out of files, row by row; nothing here is loaded by ``import voiso_async``."""

from voiso_async.files.columns import Columns
from voiso_async.files.csvfile import CsvLeads
from voiso_async.files.rows import DEFAULT_ENCODING

__all__ = ["DEFAULT_ENCODING", "Columns", "CsvLeads"]
