"""Commands about the keys that stand outside database and configuration: init, check, rotate.

Does not belong here: what each is used for (`pipelines.keys`), the rest of setting a hub up (`setup`).
"""

from collections.abc import Mapping
from pathlib import Path

import click

from pipelines.cli import Failed, Invocation, answer, json_option
from pipelines.keys import DETAILS, LOG, PERSON, PLACES, HubKeys, KeysError, Place, mint, read

MEANING: Mapping[str, str] = {
    PERSON.name: "the key of the pseudonyms",
    LOG.name: "the key that signs the disclosure log",
    DETAILS.name: "the key of what the disclosure log holds of persons",
}


def whereabouts(invocation: Invocation) -> list[tuple[Place, Path | str]]:
    """Each key's place, and the file or the variable where this hub looks for it."""
    home = invocation.home.absolute()
    files = {place: home / place.file for place in PLACES}
    files[PERSON] = invocation.settings.hub.key_file
    return [
        (place, place.variable if invocation.environ.get(place.variable) else file)
        for place, file in files.items()
    ]


def mint_missing(invocation: Invocation) -> tuple[str, ...]:
    """Mint what stands in neither file nor variable; the names of those minted."""
    return tuple(
        place.name
        for place, where in whereabouts(invocation)
        if isinstance(where, Path) and mint(where)
    )


def state_of_keys(invocation: Invocation) -> list[dict[str, str | None]]:
    """Of each key its name, id, where it is from, and what is wrong with it; never the key."""
    return [
        {"name": place.name, "from": str(where), **_state(invocation, place)}
        for place, where in whereabouts(invocation)
    ]


def _state(invocation: Invocation, place: Place) -> dict[str, str | None]:
    file = invocation.settings.hub.key_file if place is PERSON else None
    try:
        key = read(place, invocation.home.absolute(), invocation.environ, file)
        return {"key_id": _key_id(invocation, place, key), "fault": None}
    except KeysError as fault:
        return {"key_id": None, "fault": str(fault)}


def _key_id(invocation: Invocation, place: Place, key: bytes) -> str:
    if place is PERSON:
        return HubKeys(key).key_id
    if place is DETAILS:
        from pipelines.store.vault import Vault

        return Vault(key).key_id
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from pipelines.domain.checkpoint import key_id

    public = Ed25519PrivateKey.from_private_bytes(key).public_key().public_bytes_raw()
    return key_id(invocation.settings.hub.log.name, public).hex()


@click.group()
def keys() -> None:
    """The keys that stand outside database and configuration.

    \b
    person     identity codes and birth dates leave a connector only as tokens made with it
    log        signs the disclosure log's checkpoints
    details    encrypts what the disclosure log holds of persons

    \b
    Examples:
      hub keys init       mint those there are none of
      hub keys check      see that they can be used
      hub keys rotate     a new key for signing the log
    """


@keys.command("init")
@json_option
@click.pass_obj
def keys_init(invocation: Invocation, as_json: bool) -> None:
    """Mint the keys that there are none of; those that are there stay.

    \b
    Examples:
      hub keys init
      hub keys init --json
    """
    minted = mint_missing(invocation)
    answer(
        as_json,
        {
            "key_file": str(invocation.settings.hub.key_file),
            "minted": bool(minted),
            "keys": {place.name: str(where) for place, where in whereabouts(invocation)},
            "keys_minted": list(minted),
        },
        [
            f"minted {where}: copy it into a safe"
            if place.name in minted
            else f"{where} is there already; it was left as it is"
            for place, where in whereabouts(invocation)
        ],
    )


@keys.command("check")
@json_option
@click.pass_obj
def keys_check(invocation: Invocation, as_json: bool) -> None:
    """See that the keys can be used; shows their names, never a key.

    Where there is a database, they have to be the ones it was built with.

    \b
    Examples:
      hub keys check
      HUB_PERSON_KEY=… hub keys check --json
    """
    states = state_of_keys(invocation)
    faults = [state["fault"] for state in states if state["fault"]]
    if not faults:
        faults += _strangers(invocation)
    answer(
        as_json,
        {
            "key_id": states[0]["key_id"],
            "from": states[0]["from"],
            "keys": states,
            "fault": faults[0] if faults else None,
        },
        [
            f"key {s['key_id']} from {s['from']} can be used: {MEANING[str(s['name'])]}"
            for s in states
            if not s["fault"]
        ],
    )
    if faults:
        raise Failed(str(faults[0]))


def _strangers(invocation: Invocation) -> list[str]:
    """What is wrong with a key in the eyes of the store, where there is one."""
    from pipelines.house import open_house
    from pipelines.store.engine import OldSchema

    try:
        house = open_house(invocation.home, invocation.environ, clock=invocation.clock)
    except OldSchema:
        return []  # no database yet, or one that has to be brought up first
    try:
        _ = house.keys, house.log_keys
    except KeysError as fault:
        return [str(fault)]
    finally:
        house.close()
    return []


@keys.command()
@click.option("--lost", is_flag=True, help="The old key is gone and can't sign the change.")
@json_option
@click.pass_obj
def rotate(invocation: Invocation, lost: bool, as_json: bool) -> None:
    """Give the disclosure log a new signing key; what the old one signed stays verifiable.

    The old key signs a last checkpoint over a leaf that names the new one; its public half stays in the log.
    With --lost there is no such signature: whoever compares sees that the change was not vouched for. Tell
    your witnesses the new key (hub disclosures witnesses). The other keys are not rotated: tokens and
    details could no longer be read.

    \b
    Examples:
      hub keys rotate
      hub keys rotate --lost
    """
    from pipelines.house import open_house
    from pipelines.steps.rotate import rotate as give_new_key

    where = dict(whereabouts(invocation))[LOG]
    if isinstance(where, str):
        raise Failed(
            f"the log key comes from {where}: put it into {invocation.home.absolute() / LOG.file}, unset "
            "the variable, rotate, and set it to the new file's content"
        )
    house = open_house(invocation.home, invocation.environ, clock=invocation.clock)
    try:
        if not house.lock.acquire():
            raise Failed(f"already running: {house.lock.holder()}; run it again afterwards")
        public = give_new_key(house.night(), where, house.log_name, lost=lost)
    finally:
        house.close()
    answer(
        as_json,
        {"vkey": public, "lost": lost},
        [f"the log is signed with a new key: {public}", f"copy {where} into a safe"],
    )
