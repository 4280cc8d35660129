"""An outbox in one SQLite file, shared by any number of processes of one machine.

A call passes ``outbox`` (the public face), ``thread`` (the one thread that uses the file) and ``database``
(connection, transactions), then one module per transaction, in the order of a row's life: ``load`` and ``insert``
put it there, ``claim`` gives it to a slot of ``gate``, ``complete`` commits its outcome, ``reap`` takes it back
from a worker that died, ``lifecycle`` withdraws, requeues and expires it, ``retry`` copies it, ``maintenance``
removes it. ``queries`` only reads. ``schema`` has the tables, ``presence`` tells which workers live, ``dedupe``
finds repeated phones, ``faults`` says what went wrong.
"""

from voiso_async.outbox.sqlite.outbox import SqliteOutbox as SqliteOutbox
