"""Which connectors there are, and what each may be told in its counterparty's file.

Belongs here: a connector's options, how its file tells where it is, what its questions carry. Does not belong here:
the files' common keys (`contracts`), what a connector makes of its options (`connectors`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from pydantic import JsonValue


@dataclass(frozen=True)
class Connector:
    """The keys a connector takes beside the common ones, and how its file tells where to connect.

    A file that gives no address is of a counterparty that is not there yet. makes: words a column may
    be mapped to that are no fields, and the fields the connector makes of them. asks_with: the fields
    its questions about named people carry, for the disclosure log. may_ask_with: where its file says which, the
    fields there may be. on_demand: what a refresh does with it: `asks` about one customer and leaves the
    cursor, `drains` what is new as a night would, or None. asks_in_batches: it is sent files of questions and
    answers later (`connectors.base.Correspondent`). needs_agreement: nothing is asked of it without one (R15).
    brings: records of customers, or reference data, which tells of nobody and which no notice covers.
    """

    options: frozenset[str]
    has_address: Callable[[Mapping[str, JsonValue]], bool]
    makes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    asks_with: tuple[str, ...] = ()
    may_ask_with: frozenset[str] = frozenset()
    on_demand: Literal["asks", "drains"] | None = None
    asks_in_batches: bool = False
    needs_agreement: bool = False
    columns: frozenset[str] | None = None
    brings: Literal["records", "reference"] = "records"


def _has_url(options: Mapping[str, JsonValue]) -> bool:
    return bool(options.get("base_url"))


def _has_folder(options: Mapping[str, JsonValue]) -> bool:
    folder = options.get("folder")
    if not isinstance(folder, Mapping):
        return False
    return bool(folder.get("host") if folder.get("kind") == "sftp" else folder.get("path"))


_DVV_OPTIONS = frozenset(
    ["base_url", "username", "password", "client", "ca_file", "client_cert", "client_key", "timeout",
     "changes_batch", "base_data_batch", "selection", "permit_confirmed_by"]
)  # fmt: skip
# What an address-update company may be asked with: never what identifies beyond a letter's envelope (R13).
ENVELOPE = (
    "family_name", "given_names", "care_of", "street_line", "postal_code", "post_office", "country",
)  # fmt: skip


def _has_either(options: Mapping[str, JsonValue]) -> bool:
    return _has_url(options) or _has_folder(options)


SOURCE_CONNECTORS: Mapping[str, Connector] = MappingProxyType(
    {
        "registrations": Connector(
            frozenset(
                {
                    "folder",
                    "format",
                    "encoding",
                    "delimiter",
                    "files",
                    "manifest",
                    "keep",
                    "complete",
                }
            ),
            _has_folder,
            {"identity": ("person_key", "birth_key", "key_id", "identity_fault", "business_id")},
        ),
        "dvv": Connector(
            _DVV_OPTIONS,
            _has_url,
            asks_with=("identity_code",),
            on_demand="asks",
        ),
        "ytj": Connector(
            frozenset({"base_url", "timeout", "per_night"}),
            _has_url,
            asks_with=("business_id",),
            on_demand="asks",
        ),
        "ryhti": Connector(
            frozenset(
                {
                    "base_url",
                    "client_id",
                    "client_secret",
                    "municipalities",
                    "persons",
                    "ca_file",
                    "client_cert",
                    "client_key",
                    "timeout",
                    "attempts",
                }
            ),
            _has_url,
            on_demand="drains",
        ),
        "kuntagml": Connector(
            frozenset(
                {
                    "base_url",
                    "folder",
                    "username",
                    "password",
                    "features",
                    "together",
                    "max_features",
                    "ca_file",
                    "timeout",
                    "attempts",
                }
            ),
            _has_either,
        ),
        "postal": Connector(frozenset({"folder"}), _has_folder, brings="reference"),
        "address_batch": Connector(
            frozenset(
                ["folder", "sends_to", "reads_from", "encoding", "delimiter", "asks", "files"]
            ),
            _has_folder,
            {"grade": ("protection", "is_deceased"), "moved_on": ("addresses",)},
            may_ask_with=frozenset(ENVELOPE),
            asks_in_batches=True,
            needs_agreement=True,
        ),
    }
)
RECIPIENT_CONNECTORS: Mapping[str, Connector] = MappingProxyType(
    {
        "sftp_file": Connector(frozenset({"folder", "prefix"}), _has_folder),
        "netvisor": Connector(
            frozenset(
                {
                    "base_url",
                    "sender",
                    "customer_id",
                    "customer_secret",
                    "partner_id",
                    "partner_secret",
                    "organisation_id",
                    "language",
                    "timeout",
                    "attempts",
                }
            ),
            _has_url,
            columns=frozenset(
                {
                    "event",
                    "customer_number",
                    "customer_state",
                    "party_kind",
                    "invoice_name",
                    "street_line",
                    "postal_code",
                    "post_office",
                    "country",
                    "business_id",
                    "delivery_channel",
                    "channel_address",
                    "channel_operator",
                    "withdrawn",
                }
            ),
        ),
    }
)
