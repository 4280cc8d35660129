"""What the library says, in the words of this command: options for arguments, commands for calls."""

import re
from collections.abc import Mapping
from difflib import get_close_matches

from cyclopts import CoercionError, CycloptsError, MissingArgumentError, UnusedCliTokensError

from voiso_async.cli.render.tables import counted
from voiso_async.errors import InputFileError, SourceError, VoisoError

MOST_NAMED = 20

WORDS = [
    (re.compile(pattern), words)
    for pattern, words in (
        (r"\b(encoding|format|delimiter|sheet|region)='([^'\s]*)'", r"--\1 \2"),
        (r"\bhidden_rows='(send|skip)'", r"--hidden-rows \1"),
        (r"\bname another by sheet=", "--sheet names another"),
        (r"\bby suppress_lenient=True\b", "by --suppress-lenient"),
        (r"\bby suppress_column=", "by --suppress-column"),
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
            r"\brequeue or withdraw them, or purge by force\b",
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


def translated(error: BaseException) -> str:
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


def usage_fault(error: CycloptsError) -> str:
    """Say it in one sentence."""
    if isinstance(error, UnusedCliTokensError):
        return f"Unexpected argument: {' '.join(error.unused_tokens or ())}."
    if isinstance(error, MissingArgumentError) and error.argument is not None:
        name = error.keyword or error.argument.name
        return f"{name} needs a value." if error.keyword else f"{name} is missing."
    if isinstance(error, CoercionError) and (option := _taken_for_a_file(error)):
        return option
    text = " ".join(str(error).split())
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _taken_for_a_file(error: CoercionError) -> str | None:
    """Name an option that was mistyped where a file may stand: any name can be one."""
    if error.token is None or error.token.keyword is not None or not error.token.value.startswith("--"):
        return None
    typed = error.token.value.partition("=")[0]
    arguments = error.app.assemble_argument_collection() if error.app is not None else ()
    close = get_close_matches(typed, [name for argument in arguments for name in argument.names], n=1)
    return f"Unknown option: {typed}.{f' Did you mean {close[0]}?' if close else ''}"
