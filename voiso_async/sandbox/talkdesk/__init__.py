"""The Talkdesk account of the sandbox.

A request passes ``routes`` (which checks the token) and one of ``tokens``, ``campaigns`` and ``records`` (the
endpoints). ``request`` is what endpoints have in common, also error envelopes and pages; ``account`` holds rules
and data.
"""
