"""The commands: leads (plan, push, jobs, resume), worker, campaigns, users, talkdesk, demo, doctor, sandbox."""
