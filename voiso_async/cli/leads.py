"""``voiso leads``: files of leads into campaigns, in bulk, paced and kept until they have arrived."""

from cyclopts import App

from voiso_async.cli.jobs import purge, results, status, withdraw
from voiso_async.cli.plan import plan
from voiso_async.cli.push import push, update
from voiso_async.cli.resume import resume, retry, settle

__all__ = ["leads"]

leads: App = App(
    name="leads", help="Push files of leads into campaigns: in bulk, paced, and so that none is lost."
)

for _command in (plan, push, update, resume, status, results, retry, settle, withdraw, purge):
    leads.command(_command)
