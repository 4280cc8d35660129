"""What an error of this package carries, as the type that a test expects there."""

from voiso_async import AddedUsers, IngestReport, VoisoError


def report_in(error: VoisoError) -> IngestReport:
    assert error.report is not None
    return error.report


def added_users_in(error: VoisoError) -> AddedUsers:
    assert error.added_users is not None
    return error.added_users
