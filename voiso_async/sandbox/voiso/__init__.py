"""The Voiso API of the sandbox.

A request passes ``routes`` (which checks the key) and one of ``campaigns``, ``leads`` and ``users`` (the
endpoints). ``request`` is what they have in common, ``checks`` reads query and body, ``state`` holds the data.
"""
