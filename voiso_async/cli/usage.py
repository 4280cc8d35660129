"""What is wrong with a command line, in plain words."""

from difflib import get_close_matches

from cyclopts import CoercionError, CycloptsError, MissingArgumentError, UnusedCliTokensError

__all__ = ["usage_fault"]


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
