import pytest, attrs
from pathlib import Path
from cli_runner import *
from cli_runner import sandbox_shell, shell
@pytest.mark.parametrize("n", range(60))
def test_loop(voiso_sandbox, tmp_path, n):
    voiso_sandbox.add_campaign(id=3)
    rows=[*phones(2000), *(f"1{area}55501{place:02}" for area in (201, 202, 203, 204, 205) for place in range(100))]
    path=write_leads(tmp_path/"leads.csv", rows)
    ended=end(begin("leads","push",path,"--campaign",3,"--json",env=settings_for(voiso_sandbox,tmp_path/"state"),quick=True))
    assert 0==ended.code, (ended.err, ended.lines[-1])
