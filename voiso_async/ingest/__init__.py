"""Bulk lead ingestion: the engine behind ``leads.add()``, ``leads.update()`` and the outboxes.

Leads pass these modules in this order::

    caller -> source -> prepare -> submission -> accumulator -> gate -> lane -> POST
                                                                                  |
    caller <- report <- submission <------------ handler <- verdict <-------------+

    source        reads any iterable in bursts, no further ahead than two batches
    prepare       makes a row of a lead, or says why it is INVALID
    submission    one caller: rows that wait, outcomes that are unread
    accumulator   decides what goes in the next batch, and fills it fairly
    gate          one POST at a time for each campaign, then the cooldown
    lane          the sender task of one campaign
    verdict       what a status and a reply prove
    bisection     searches a refused batch for the rows that caused it
    handler       what the verdict means for rows, gate and lane
    report        counts every row exactly once

``rows``, ``batch``, ``outcome`` and ``policy`` are the values that they share. ``batcher`` keeps the lanes of one
client, ``ingestion`` is what a caller awaits or iterates. Start reading at ``lane``.

An outbox takes part at two places: its submissions are ``QueuedSubmission``s whose rows are ``durable``, and its
gate adds rows to a slot. Nothing here imports it.
"""
