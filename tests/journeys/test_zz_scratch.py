import time,os,json
import tests.journeys.crashing as c
from tests.journeys.crashing import *
from tests.journeys.conftest import continued
def test_x(founded, tmp_path):
    with answers_remembered():
        with continued(founded, tmp_path/"r") as l:
            l.next_night()
        T=[Trial("two",founded,(Attempt(days=1),Attempt(days=1)))]
        for b in ("ingest:dvv:committed", "match:committed", "extract:finance:committed", HALF_A_FILE):
            T.append(Trial("forgotten "+b,founded,(Attempt(b,days=1),Attempt(days=1))))
        T.append(Trial("one",founded,(Attempt(days=1),)))
        for n in (4096, 65536,200_000,400_000,600_000,800_000,1_000_000, 1_500_000):
            T.append(Trial(f"full {n}",founded,(Attempt(days=1,fills_disk_at=n),Attempt())))
        r=run_trials(T,tmp_path/"trials",2)
    two=r["two"]; one=r["one"]
    print(os.stat(founded/"home/hub.db").st_size)
    for n,a in r.items():
        ref=two if n.startswith("forgotten") else one
        d={k:(len(x),len(y)) for k,(x,y) in a.differs_from(ref).items()}
        print("==",n,[(e.killed,e.status,e.failures) for e in a.endings],d,a.people==ref.people,a.broken, {k:a.finance[k]==ref.finance[k] for k in ref.finance}, a.arrived==ref.arrived)
        if n.startswith("forgotten ing"):
            for k,(x,y) in a.differs_from(ref).items():
                print(k); [print("   -",q[:700]) for q in x[:4]];[print("   +",q[:700]) for q in y[:4]]
    assert 0
