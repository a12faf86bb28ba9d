"""Tokens, and the key they are made with."""

import base64
import os
import pickle
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Tokens
from pipelines import keys
from pipelines.keys import HubKeys, KeyMismatch, KeyMissing, KeysError

KEY = bytes(range(32))
CODE = "010180-999A"


def test_a_token_is_the_same_every_time_and_another_with_another_key() -> None:
    assert HubKeys(KEY).person(CODE) == HubKeys(KEY).person(CODE)
    assert HubKeys(KEY).person(CODE) != HubKeys(KEY[::-1]).person(CODE)


def test_a_token_is_known_from_outside() -> None:
    """Tokens outlive the code that made them: a change would part every person from the register.

    (printf 'person\\0'; printf CODE) | openssl dgst -sha256 -mac HMAC -macopt hexkey:000102…1f
    """
    made = HubKeys(KEY)
    assert made.person(CODE) == "aa4f7453c80e47f4995386ab383fee82b9e3b2740a26ce0c1062931846a09d71"
    assert len(made.key_id) == 8


@given(st.text(max_size=20))
def test_a_birth_date_and_an_identity_code_never_share_a_token(text: str) -> None:
    made = HubKeys(KEY)
    tokens = {made.person(text), made.birth(text), made.fingerprint, made.person("x" + text)}
    assert len(tokens) == 4


def test_the_keys_satisfy_what_connectors_ask_for() -> None:
    tokens: Tokens = HubKeys(KEY)
    assert tokens.key_id


def test_neither_repr_nor_pickle_nor_an_attribute_list_shows_the_key() -> None:
    made = HubKeys(KEY)
    assert repr(made) == "HubKeys(…)"
    assert not hasattr(made, "__dict__")
    with pytest.raises(TypeError):
        pickle.dumps(made)


def test_a_minted_key_is_for_its_owner_alone_and_can_be_loaded(tmp_path: Path) -> None:
    assert keys.init(tmp_path)
    path = tmp_path / "keys" / "person.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {p.name for p in path.parent.iterdir()} == {"person.key", "log.key", "details.key"}
    HubKeys.load(tmp_path, {})


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    keys.init(tmp_path)
    before = HubKeys.load(tmp_path, {}).fingerprint
    assert not keys.init(tmp_path)
    assert HubKeys.load(tmp_path, {}).fingerprint == before


def test_of_many_who_mint_at_once_one_wins(tmp_path: Path) -> None:
    minted: list[str] = []
    threads = [
        threading.Thread(target=lambda: minted.extend(keys.init(tmp_path))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(minted) == ["details", "log", "person"]


@pytest.mark.parametrize(
    "text", [KEY.hex(), base64.b64encode(KEY).decode(), f" {KEY.hex().upper()}\n"]
)
def test_the_environment_may_hold_the_key_in_hex_or_base64(tmp_path: Path, text: str) -> None:
    assert HubKeys.load(tmp_path, {"HUB_PERSON_KEY": text}).fingerprint == HubKeys(KEY).fingerprint


@pytest.mark.parametrize(
    "text", ["secret", "00" * 31, base64.b64encode(KEY + b"x").decode(), "ä" * 44]
)
def test_a_key_of_another_kind_is_refused_without_being_shown(tmp_path: Path, text: str) -> None:
    with pytest.raises(KeysError) as refused:
        HubKeys.load(tmp_path, {"HUB_PERSON_KEY": text})
    assert text not in str(refused.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    keys.init(tmp_path)
    (tmp_path / "keys" / "person.key").chmod(mode)
    with pytest.raises(KeysError, match="chmod 600"):
        HubKeys.load(tmp_path, {})


def test_a_missing_key_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(KeyMissing, match="hub keys init"):
        HubKeys.load(tmp_path, {})


def test_another_key_than_the_registers_does_not_start() -> None:
    HubKeys(KEY).check(HubKeys(KEY).fingerprint)
    with pytest.raises(KeyMismatch):
        HubKeys(KEY).check(HubKeys(os.urandom(32)).fingerprint)
