"""How long a million addresses take to be read, keyed and held against the post's file; by hand: `make bench`.

Prints seconds of CPU and ratios to an anchor in the same run, a bare `str.split` of the same lines; asserts
nothing about time. HUB_BENCH_ADDRESSES sets how many. Lines are as varied as a register's: half stand alone,
the rest are shared by a household, written in several ways.
"""

import json
import os
import time
from collections.abc import Callable
from random import Random

import pandas as pd

from pipelines.domain.address import Address, Stated, address_key, read_address
from pipelines.domain.postal import grades

STREETS = 4000
CODES = 300
FORMS = ("{0} {1}", "{0} {1} {2} {3}", "{0} {1}{2} {3}", "{0} {1} as. {3}", "{0} {1}, {2} {3}")


def lines(count: int) -> pd.DataFrame:
    """Street lines with their postal codes, and which street of the file each was made of."""
    chance = Random(1)
    kinds = ("tie", "katu", "kuja", "polku", "vägen", "gatan")
    names = [f"{a}{b}{kinds[n % 6]}" for n, (a, b) in enumerate(_stems(chance))]
    made = []
    while len(made) < count:
        street = chance.randrange(STREETS)
        form = chance.choice(FORMS)
        line = form.format(
            names[street], chance.randrange(1, 120), chance.choice("ABCDE"), chance.randrange(1, 90)
        )
        if chance.random() < 0.1:
            line = line.upper()
        for _ in range(chance.choice((1, 1, 2, 3))):
            made.append((line, f"{10_000 + street % CODES:05}"))
    return pd.DataFrame(made[:count], columns=["line", "postal_code"], dtype="str")


def _stems(chance: Random) -> list[tuple[str, str]]:
    first = ("Koivikko", "Tervahauta", "Mäntylä", "Hämeen", "Ylä-", "Kuusikko", "Lähde", "Sorsa")
    return [(chance.choice(first), _word(chance)) for _ in range(STREETS)]


def _word(chance: Random) -> str:
    return "".join(chance.choice("aeiouyäö" if n % 2 else "hjklmnprstv") for n in range(6))


def spent(work: Callable[[], object]) -> tuple[float, object]:
    """Seconds of this process's CPU, and what came of it."""
    started = time.process_time()
    made = work()
    return time.process_time() - started, made


def read(stated: pd.DataFrame) -> pd.DataFrame:
    """As `domain.standardise` reads them: each different line once."""
    told = [Stated(line=line, postal_code=code) for line, code in stated.itertuples(index=False)]
    known = {one: read_address(one) for one in set(told)}
    rows = [known[one] for one in told]
    columns = zip(Address._fields, zip(*rows, strict=True), strict=True)
    return pd.DataFrame({name: pd.Series(list(values), dtype="str") for name, values in columns})


def test_a_million_addresses_beside_a_bare_split() -> None:
    count = int(os.environ.get("HUB_BENCH_ADDRESSES", "1000000"))
    stated = lines(count)
    anchor, _ = spent(lambda: stated["line"].str.split(" "))
    reading, addresses = spent(lambda: read(stated))
    assert isinstance(addresses, pd.DataFrame)
    keying, keys = spent(lambda: address_key(addresses))
    assert isinstance(keys, pd.Series)
    names = addresses[["postal_code", "street_name"]].drop_duplicates()
    side = pd.DataFrame({"side": ["odd", "even"], "lowest": [1, 2], "highest": [99, 98]})
    file = names.rename(columns={"street_name": "street_fi"}).merge(side, how="cross")
    file = file.assign(street_sv=pd.Series(None, file.index, dtype="str"))
    file = file.astype({"lowest": "Int64", "highest": "Int64"})
    codes = names[["postal_code"]].drop_duplicates()
    grading, graded = spent(lambda: grades(addresses, codes, file))
    assert isinstance(graded, pd.Series)
    print(
        json.dumps(
            {
                "addresses": count,
                "different_lines": len(stated.drop_duplicates()),
                "split_cpu_s": round(anchor, 2),
                "read_cpu_s": round(reading, 2),
                "key_cpu_s": round(keying, 2),
                "grade_cpu_s": round(grading, 2),
                "streets_in_file": len(file),
                "read_and_key_over_split": round((reading + keying) / anchor, 1),
                "different_keys": int(keys.nunique()),
                "exact": round(float((graded == "exact").mean()), 3),
            }
        )
    )
