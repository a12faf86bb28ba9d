"""Plain clients of the town's servers; they share no code with the hub's connectors."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import asyncssh
import requests

from connectors.sandbox.town import Town

T = TypeVar("T")


def ask(town: Town, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
    """One request to the town's DVV, with the credentials it gave out."""
    door = town.addresses["dvv"]
    given: dict[str, Any] = {
        "auth": (door["username"], door["password"]),
        "headers": {"X-Road-Client": door["client"]},
    } | options
    url = f"{door['base_url']}/api/v1{path}"
    return requests.request(method, url, json=body, timeout=given.pop("timeout", 5), **given)


def control(town: Town, method: str, path: str, body: Any = None) -> requests.Response:
    return requests.request(method, town.addresses["control"] + path, json=body, timeout=5)


def at(
    town: Town, where: str, work: Callable[[asyncssh.SFTPClient], Awaitable[T]], **options: Any
) -> T:
    """Do something over SFTP at a counterparty, holding it to the host key it published."""
    door = town.addresses[where]
    given: dict[str, Any] = {
        "username": door["username"],
        "password": door["password"],
        "known_hosts": asyncssh.import_known_hosts(
            f"[127.0.0.1]:{door['port']} {door['host_key']}\n"
        ),
        "client_keys": None,
        "agent_path": None,
        "config": None,
    } | options

    async def visit() -> T:
        async with (
            asyncssh.connect(door["host"], door["port"], **given) as connection,
            connection.start_sftp_client() as client,
        ):
            return await work(client)

    return asyncio.run(visit())


def delivery(
    columns: tuple[str, ...], rows: list[dict[str, str]], delivery_id: str, sequence: int
) -> tuple[bytes, bytes]:
    """A data file and its manifest, written the way FORMATS 7.6 and the brief of the hub say."""
    lines = [list(columns)] + [[row.get(c, "") for c in columns] for row in rows]
    data = "".join(
        ";".join('"' + value.replace('"', '""') + '"' for value in line) + "\r\n" for line in lines
    ).encode()
    manifest = {
        "delivery_id": delivery_id,
        "sequence": sequence,
        "rows": len(rows),
        "sha256": hashlib.sha256(data).hexdigest(),
        "columns": list(columns),
    }
    return data, json.dumps(manifest).encode()


def publish(
    town: Town,
    where: str,
    data: bytes,
    manifest: bytes,
    delivery_id: str,
    sequence: int,
    wait: float = 3.0,
) -> dict[str, Any] | None:
    """Publish aside-and-rename, then wait for the acknowledgement; None when none came."""
    name = f"sisaan/laskutus_{sequence:08d}_{delivery_id}"

    async def work(client: asyncssh.SFTPClient) -> dict[str, Any] | None:
        for suffix, payload in ((".csv", data), (".json", manifest)):
            async with client.open(f"{name}{suffix}.part", "wb") as file:
                await file.write(payload)
            await client.rename(f"{name}{suffix}.part", f"{name}{suffix}")
        answer = f"kuittaus/{delivery_id}.json"
        for _ in range(int(wait / 0.05)):
            if await client.exists(answer):
                async with client.open(answer, "rb") as file:
                    return dict(json.loads(await file.read()))
            await asyncio.sleep(0.05)
        return None

    return at(town, where, work)
