"""Give the disclosure log a new signing key.

Belongs here: the order in which old key, log and new key change places, so that a crash loses none. Does not
belong here: what a key is (`pipelines.keys`), signing (`seal`).

    1  the new key is written beside the old one, as KEY.next
    2  in one transaction: the leaf that names it, the old key's last signature over it, the new public key
    3  KEY.next takes the old one's place

Killed between 2 and 3, the hub finds that KEY.next is the key the log expects, and puts it in place.
"""

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pipelines.domain.checkpoint import vkey
from pipelines.domain.disclosure import leaf
from pipelines.keys import NEXT, Place, mint, read
from pipelines.steps.night import Night
from pipelines.steps.seal import seal_in
from pipelines.store import checkpoints, disclosures
from pipelines.store.engine import one_at_a_time, transaction


def rotate(night: Night, key_file: Path, name: str, *, lost: bool = False) -> str:
    """Sign with a new key from now on; returns its public half (`domain.checkpoint.vkey`).

    lost: the old key can't be read any more, and signs nothing.
    """
    old = None if lost else night.log_keys()
    fresh = key_file.with_name(key_file.name + NEXT)
    mint(fresh)
    signing = Ed25519PrivateKey.from_private_bytes(
        read(Place("new log", "", fresh), fresh.parent, {})
    )
    public = vkey(name, signing.public_key())
    with transaction(night.engine) as conn:
        one_at_a_time(conn, disclosures.LOCK)
        line = leaf(
            "policy-change",
            operation="key-lost" if lost else "key-rotated",
            key=signing.public_key().public_bytes_raw().hex(),
        )
        disclosures.append_leaves(conn, [line], night.now())
        if old is not None:
            seal_in(conn, night, old)
        checkpoints.add_key(conn, name, public, night.now())
    night.reached("rotate:committed")
    os.replace(fresh, key_file)
    return public
