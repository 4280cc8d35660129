"""Bulk lead ingestion: rows, batches, verdicts, doors, lanes.

A lead becomes a row (``row``), rows of one campaign wait in calls (``call``), a lane asks its door for a turn
(``door``), fills a batch (``agenda``, ``batch``) and sends it (``lane``); what the attempt proved (``verdict``)
decides what becomes of the rows (``reckoning``), and each ends in exactly one outcome (``outcome``, ``books``).
"""
