"""``voiso talkdesk push``: a file of people to call into a record list, and the list into a campaign."""

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Annotated, Any

import anyio
from attrs import define
from cyclopts import Parameter, validators
from rich.table import Table
from rich.text import Text

from voiso_async.cli.commands.talkdesk_account import OF_ENVIRONMENT, Account, account_client
from voiso_async.cli.common import Exit, Json, check_all
from voiso_async.cli.file_options import AS_IT_IS, File, FileOptions, check_rows
from voiso_async.cli.render.report import Group, Problems, as_json, show_problems
from voiso_async.cli.render.tables import agreed, complain, counted, grid, note, printable, show, show_json
from voiso_async.cli.render.words import translated
from voiso_async.cli.signals import Signals
from voiso_async.cli.units import TextId
from voiso_async.errors import ConfigurationError, DeadlineExceededError, InputFileError, VoisoError
from voiso_async.files import LeadFile
from voiso_async.files.columns.aliases import ALIASES, normalised
from voiso_async.ingest.outcome import Outcome
from voiso_async.ingest.prepare import FileRow, InvalidLead
from voiso_async.ingest.report import IngestReport
from voiso_async.outbox.jobs import JobOutcome
from voiso_async.talkdesk import RecordAddition, RecordList, TalkdeskClient

MOST_EXAMPLES = 5
MEANINGS: Mapping[Outcome, str] = {
    Outcome.CREATED: "are new in the list",
    Outcome.DUPLICATE: "were in the list before",
    Outcome.CONFIRMED: "are in the list; they went twice, as an answer was lost",
    Outcome.REPEATED: "have the phone of an earlier row",
    Outcome.REJECTED: "were refused by the server",
    Outcome.INVALID: "cannot be sent; fix them and push them again",
    Outcome.SUPPRESSED: "must not be called and were not sent",
    Outcome.UNREPORTED: "were sent, but the answer does not name them",
    Outcome.UNKNOWN: "were sent, and no answer came: they may be in the list",
    Outcome.NOT_SENT: "are not in the list: the push ended before",
}


async def push(
    file: File,
    /,
    *,
    list_name: Annotated[str | None, Parameter(name="--list")] = None,
    list_id: TextId | None = None,
    campaign: TextId | None = None,
    timeout: Annotated[float | None, Parameter(validator=validators.Number(gt=0))] = None,  # noqa: ASYNC109
    reading: FileOptions = AS_IT_IS,
    json: Json = False,
    account: Account = OF_ENVIRONMENT,
    signals: Annotated[Signals, Parameter(parse=False)],
) -> int:
    """Push a file into a record list, at most 100 rows a call, and let a campaign dial the list.

    Columns are understood as in voiso leads push; Talkdesk takes nobody without first and last name. Context
    headers (X-...) become extra data. A row that is not active is not sent. The same file again does no harm: what
    is in the list is counted as duplicate.

    Ctrl-C stops after the call in flight; twice, at once. The exit code is 0 if every row is in the list or
    suppressed, 3 if some are not, 1 after an error, 2 if nothing could be begun.

    Parameters
    ----------
    file
        The file: CSV, JSON Lines or XLSX; - is standard input.
    list_name
        Name of the record list; one that is not there is made.
    list_id
        Id of the record list, in place of its name.
    campaign
        Id of the campaign that is to dial the list, once the rows are in it.
    timeout
        Seconds after which to stop.
    """
    *_, made = check_all(partial(reading.check, file), partial(_check_list, list_name, list_id), account.client)
    async with await reading.open(file) as leads, account_client(made) as client:
        await check_rows(leads, file)
        if campaign is not None:
            await client.campaigns.get(campaign)
        target = await _target(client, list_name, list_id)
        run = _Run(leads, signals)
        addition = client.record_lists.add(target, run.records(), timeout=timeout)
        error = await run.watched(addition)
        if campaign is not None and error is None and signals.number is None:
            await client.campaigns.add_record_lists(campaign, [target.id])
            note("the campaign dials this list")
    report = addition.report
    problem = None if error is None else _in_short(error, timeout)
    _print(report, run, target, problem, json=json)
    if problem is not None:
        complain(problem)
        return Exit.ERROR
    return Exit.OK if report.ok else Exit.NOT_ALL


def _check_list(name: str | None, list_id: str | None) -> None:
    if (name is None) == (list_id is None):
        raise ConfigurationError("give --list with a name, or --list-id")


async def _target(client: TalkdeskClient, name: str | None, list_id: str | None) -> RecordList:
    if list_id is not None:
        return await client.record_lists.get(list_id)
    return await client.record_lists.ensure(name or "")


@define
class _Run:
    """One push: the rows on their way, and where each came from."""

    leads: LeadFile
    signals: Signals
    stopping: bool = False

    async def records(self) -> AsyncIterator[Any]:
        """Give the records of the file until it ends, or a signal comes."""
        first, last = (_place(self.leads.header, field) for field in ("first_name", "last_name"))
        async for row in self.leads:
            yield _record(row, first, last)
            if self.stopping:
                return

    async def watched(self, addition: RecordAddition) -> VoisoError | None:
        """Wait for its end: the first signal lets the call in flight end, the second does not."""
        error = None
        async with anyio.create_task_group() as group:
            with self.signals.stoppable():
                group.start_soon(self._stop_gently)
                try:
                    await addition
                except VoisoError as stopped:
                    error = stopped
            group.cancel_scope.cancel()
        return error

    async def _stop_gently(self) -> None:
        with self.signals.stoppable():
            await anyio.sleep_forever()
        self.stopping = True
        note("finishing the call in flight (once more to leave at once)")


def _place(header: Sequence[str], field: str) -> int | None:
    names = [normalised(name) for name in header]
    return next((names.index(name) for name in ALIASES[field] if name in names), None)


def _record(row: FileRow, first: int | None, last: int | None) -> Any:
    """Make a record of a lead; what Talkdesk has no place for goes to ``extra_data``, or makes the row invalid."""
    lead = row.lead
    if isinstance(lead, InvalidLead):
        return lead
    if lead.get("active") is False:
        return InvalidLead(
            field="active",
            reason="not_active",
            detail="Talkdesk has no such mark: a row that must not be called is left out",
            key=lead.get("key"),
        )
    source = lead.get("source") or {}
    record = {
        "phone_number": lead["phone_number"],
        "name": lead.get("name"),
        "priority": lead.get("priority"),
        "external_provider": source.get("system"),
        "external_id": lead.get("key") if source.get("system") else None,
        "external_url": source.get("url"),
        "extra_data": lead.get("context_headers"),
        "key": lead.get("key"),
    }
    for field, place in (("first_name", first), ("last_name", last)):
        if place is not None and place < len(row.cells) and row.cells[place].strip():
            record[field] = row.cells[place]
    return {field: value for field, value in record.items() if value is not None}


def _in_short(error: VoisoError, timeout: float | None) -> str:
    if isinstance(error, DeadlineExceededError):
        return f"the {timeout:g} s of --timeout were over before every row was sent"
    if isinstance(error.__cause__, InputFileError):
        return f"{translated(error)}; what was sent before that is in the report"
    return translated(error)


def _print(report: IngestReport, run: _Run, target: RecordList, error: str | None, *, json: bool) -> None:
    name = run.leads.name
    problems = [_placed(problem, run) for problem in report.problems]
    if json:
        for problem in problems:
            show_json({"event": "problem", **as_json(problem)})
        shown = {"event": "report", "list": target.id, "file": name, **report.as_dict()}
        show_json(shown | {"error": error})
        return
    show(Text(printable(f"{name} → list {target.name or target.id}"), style="bold"), _counts(report))
    if problems:
        show(Text("\nRows to look at", style="bold"), show_problems(_grouped(problems)))
    if report.counts[Outcome.NOT_SENT] or report.counts[Outcome.UNKNOWN]:
        show("", "Push the same file again to finish: what has arrived comes back as duplicate.")


def _placed(problem: Any, run: _Run) -> JobOutcome:
    """Say which row of the file it was."""
    fields = ("index", "outcome", "phone", "key", "reason", "field", "detail", "first")
    values = {name: getattr(problem, name) for name in fields}
    return JobOutcome(**values, campaign=None, row=run.leads.row_of(problem.index))


def _grouped(problems: Sequence[JobOutcome]) -> Problems:
    groups: dict[tuple[Any, ...], Group] = {}
    for problem in problems:
        group = groups.setdefault((problem.outcome, problem.field, problem.reason), Group(problem))
        group.count += 1
        if len(group.rows) < MOST_EXAMPLES:
            group.rows.append(problem.row or 0)
    return Problems(groups=sorted(groups.values(), key=lambda group: -group.count))


def _counts(report: IngestReport) -> Table:
    table = grid("n#t")
    for outcome, count in report.counts.items():
        if count:
            style = "green" if outcome.ok else "yellow"
            name = outcome.value.replace("_", " ")
            table.add_row(
                Text(f"  {name}", style=style), counted(count), Text(agreed(count, MEANINGS[outcome]), style="dim")
            )
    accounted = (
        "all rows accounted for" if report.balanced else f"{counted(report.unaccounted, 'row')} without an outcome"
    )
    table.add_row(Text("  rows", style="bold"), Text(counted(report.rows), style="bold"), accounted)
    return table
