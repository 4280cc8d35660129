"""What the library says, in the words of this command: options for arguments, commands for calls."""

import re
from collections.abc import Mapping

from voiso_async.cli.show import counted
from voiso_async.errors import InputFileError, SourceError, VoisoError

__all__ = ["cause_of", "in_words", "not_there", "said"]

MOST_NAMED = 20

WORDS = [
    (re.compile(pattern), words)
    for pattern, words in (
        (r"\b(encoding|format|delimiter|sheet|region)='([^'\s]*)'", r"--\1 \2"),
        (r"\bVOISO_API_KEY or the api_key argument\b", "VOISO_API_KEY, or the file that --key-file names"),
        (r"^base_url\b", "--base-url or VOISO_BASE_URL"),
        (r"^cluster\b", "--cluster or VOISO_CLUSTER"),
        (r"\bgive account\b", "give --talkdesk-account"),
        (r"\bgive client_id\b", "give --talkdesk-client-id"),
        (r"\bgive key_id\b", "give --talkdesk-key-id"),
        (r"\bgive client_secret or private_key\b", "give --talkdesk-secret-file or --talkdesk-key-file"),
        (r"\btry the client option update_verb\b", "the Python client can use another (update_verb)"),
        (r"\blist its jobs\b", "voiso leads status lists them"),
        (
            r"\bsettle or withdraw them, or purge by force\b",
            "voiso leads withdraw ends it, --force removes it",
        ),
        (r"\bcall retry again to go on\b", "voiso leads retry goes on with it"),
    )
]
"""What library texts say of arguments and calls, and what stands for it at the shell."""

HINTS = {
    "no_phone_column": "--map phone_number=COLUMN",
    "ambiguous_phone_column": "--map phone_number=COLUMN",
}
"""The option that answers a fault of a file."""


def cause_of(error: BaseException) -> BaseException:
    """Look behind a source that failed: what a person can fix is what it met."""
    while isinstance(error, SourceError) and isinstance(error.__cause__, VoisoError):
        error = error.__cause__
    return error


def said(error: BaseException) -> str:
    """Say what went wrong."""
    error = cause_of(error)
    hint = HINTS.get(error.reason) if isinstance(error, InputFileError) else None
    return f"{in_words(str(error))}{f' ({hint})' if hint else ''}"


def in_words(text: str) -> str:
    """Translate a text of the library."""
    for pattern, words in WORDS:
        text = pattern.sub(words, text)
    return text


def not_there(campaigns: Mapping[int, int | None]) -> str:
    """Say that campaigns are missing, and how many rows go to each where that is known."""
    rows = [
        f"{campaign}" if count is None else f"{campaign} ({counted(count, 'row')})"
        for campaign, count in campaigns.items()
    ]
    named = ", ".join(rows[:MOST_NAMED])
    if len(rows) == 1:
        return f"campaign {named} does not exist, or this key cannot see it: voiso campaigns list shows the others"
    more = f" and {counted(len(rows) - MOST_NAMED)} more" if len(rows) > MOST_NAMED else ""
    return (
        f"{counted(len(rows))} campaigns do not exist, or this key cannot see them: {named}{more}; "
        "voiso campaigns list shows the others"
    )
