from tests.journeys.crashing import *
def test_x(founded,tmp_path):
    r=run_trials([Trial(str(n),founded,(Attempt(days=1,fills_disk_at=n),)) for n in (40000,65536,130000,600000,1806336)],tmp_path/"t")
    for k in r: print(k,r[k].endings)
    assert 0
