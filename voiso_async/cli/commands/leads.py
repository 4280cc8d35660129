"""``voiso leads``: files of leads into campaigns, in bulk, paced and kept until they have arrived."""

from cyclopts import App

from voiso_async.cli.commands.jobs import purge, results, status, withdraw
from voiso_async.cli.commands.plan import plan
from voiso_async.cli.commands.push import push, update
from voiso_async.cli.commands.resume import requeue, resume, retry

leads: App = App(
    name="leads", help="Push files of leads into campaigns: in bulk, paced, and so that none is lost."
)

for _command in (plan, push, update, resume, status, results, retry, requeue, withdraw, purge):
    leads.command(_command)
