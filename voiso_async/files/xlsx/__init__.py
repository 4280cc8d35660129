"""Excel workbooks: ``archive`` unpacks their parts, ``workbook`` finds a sheet, ``sheet`` reads its rows."""
