import gzip
import logging
import socket
import ssl
import traceback
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from connectors.base import ConnectorError, Malformed, OutcomeUnknown, Refused, Unavailable
from connectors.http import Http, HttpSettings
from tests.connectors.fake_http import FakeServer, Reply, as_json

CANARY = "Kanarialintu-010180-999A"
GOOD = as_json({"ok": True})


def settings(url: str, **more: object) -> HttpSettings:
    return replace(HttpSettings(base_url=url, read_timeout=5.0, attempts=3), **more)


def waits_and_answers(
    script: list[Reply], method: str = "GET", is_query: bool = False, **more: object
) -> tuple[list[float], object]:
    """What was slept, and the answer or the error."""
    slept: list[float] = []
    with FakeServer(script) as server, Http(settings(server.url, **more), slept.append) as http:
        try:
            answer = http.request(method, "thing", body={"q": 1}, is_query=is_query).json()
        except ConnectorError as error:
            return slept, error
    return slept, answer


def test_a_passing_failure_is_tried_again_with_growing_waits() -> None:
    slept, answer = waits_and_answers([Reply(500), Reply(503), GOOD], first_wait=2.0)
    assert answer == {"ok": True}
    assert slept == [2.0, 4.0]


def test_a_service_that_stays_down_is_unavailable_after_the_last_attempt() -> None:
    slept, error = waits_and_answers([Reply(502), Reply(504), Reply(503)])
    assert isinstance(error, Unavailable)
    assert len(slept) == 2
    assert "503, 3 times" in str(error)


@pytest.mark.parametrize(
    ("told", "waited"),
    [
        ({"Retry_After": "7"}, 7.0),
        ({"Retry_After": "0"}, 0.0),
        ({"Retry_After": "86400"}, 60.0),
        ({"Retry_After": "soon"}, 2.0),
        ({"Retry_After": "-5"}, 2.0),
        ({"Retry_After": "9" * 400}, 60.0),
        ({}, 2.0),
    ],
)
def test_the_service_may_say_how_long_to_wait_up_to_our_limit(
    told: dict[str, str], waited: float
) -> None:
    slept, answer = waits_and_answers([Reply(429, headers=told), GOOD])
    assert answer == {"ok": True}
    assert slept == [waited]


def test_a_date_to_wait_for_is_measured_by_the_services_own_clock() -> None:
    """Their clock may be years off ours: only the difference of their two dates counts."""
    later = Reply(
        503,
        headers={
            "Date": "Mon, 01 Jan 2001 00:00:00 GMT",
            "Retry_After": "Mon, 01 Jan 2001 00:00:09 GMT",
        },
    )
    slept, answer = waits_and_answers([later, GOOD])
    assert answer == {"ok": True}
    assert slept == [9.0]


@pytest.mark.parametrize("status", [404, 409, 422, 418])
def test_another_4xx_is_refused_at_once(status: int) -> None:
    slept, error = waits_and_answers([Reply(status)])
    assert isinstance(error, Refused)
    assert str(status) in str(error)
    assert slept == []


@pytest.mark.parametrize("status", [401, 403])
def test_wrong_credentials_are_refused_as_such(status: int) -> None:
    _, error = waits_and_answers([Reply(status)])
    assert isinstance(error, Refused)
    assert "credentials" in str(error)


def test_a_redirect_is_refused_naming_both_hosts() -> None:
    with FakeServer([GOOD]) as elsewhere:
        there = elsewhere.url.replace("127.0.0.1", "localhost")
        reply = Reply(307, headers={"Location": f"{there}/x?{CANARY}"})
        _, error = waits_and_answers([reply], "POST", is_query=True)
        assert elsewhere.asked == []
    assert isinstance(error, Refused)
    assert "localhost" in str(error)
    assert "127.0.0.1" in str(error)
    assert CANARY not in str(error)


def test_the_body_of_a_redirect_is_not_read() -> None:
    half = Reply(302, b"", {"Location": "http://["}, promised=10**9)
    _, error = waits_and_answers([half])
    assert isinstance(error, Refused)
    assert "302" in str(error)


def test_a_question_sent_by_post_is_repeated_an_order_is_not() -> None:
    slept, answer = waits_and_answers([Reply(500), GOOD], "POST", is_query=True)
    assert (slept, answer) == ([2.0], {"ok": True})
    slept, error = waits_and_answers([Reply(500)], "POST")
    assert slept == []
    assert isinstance(error, OutcomeUnknown)


def test_an_order_that_was_plainly_declined_is_no_unknown_outcome() -> None:
    assert isinstance(waits_and_answers([Reply(503)], "POST")[1], Unavailable)
    assert isinstance(waits_and_answers([Reply(400)], "POST")[1], Refused)


def test_an_order_whose_answer_broke_off_has_an_unknown_outcome() -> None:
    half = Reply(200, b'{"ok"', promised=100)
    assert isinstance(waits_and_answers([half], "POST")[1], OutcomeUnknown)


def test_a_half_answer_is_fetched_again() -> None:
    half = Reply(200, b'{"ok": tr', promised=100)
    assert waits_and_answers([half, GOOD])[1] == {"ok": True}
    assert isinstance(waits_and_answers([half, half, half])[1], Unavailable)


def test_silence_is_unavailable() -> None:
    _, error = waits_and_answers([Reply(silent=True)] * 2, read_timeout=0.05, attempts=2)
    assert isinstance(error, Unavailable)
    assert "timed out, 2 times" in str(error)


def test_nobody_listening_is_unavailable_even_for_an_order() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    with Http(settings(url), lambda _: None) as http:
        for method in ("GET", "POST"):
            with pytest.raises(Unavailable, match="can't be connected to"):
                http.request(method, "thing")


def test_an_answer_that_is_not_json_is_malformed() -> None:
    for body in (b"<html>", b"\xff\xfe\xfd", b"[" * 100_000, b"", b"9" * 5000):
        assert isinstance(waits_and_answers([Reply(200, body)])[1], Malformed)


def test_too_large_an_answer_is_malformed_also_when_it_unpacks_to_that() -> None:
    bomb = gzip.compress(bytes(5_000_000))
    reply = Reply(200, bomb, {"Content_Encoding": "gzip"})
    for one in (reply, Reply(200, bytes(200_000))):
        _, error = waits_and_answers([one], max_bytes=100_000)
        assert isinstance(error, Malformed)
        assert "100000 bytes" in str(error)


def test_a_body_that_does_not_unpack_is_malformed() -> None:
    reply = Reply(200, b"not gzip at all", {"Content_Encoding": "gzip"})
    assert isinstance(waits_and_answers([reply])[1], Malformed)


def test_proxies_and_passwords_of_the_environment_are_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with FakeServer([GOOD]) as server, Http(settings(server.url)) as http:
        http.request("GET", "thing")
    assert "Authorization" not in server.asked[0].headers


def test_a_proxy_in_the_settings_is_used() -> None:
    with FakeServer([GOOD]) as proxy:
        beyond = settings("http://127.0.0.1:9", proxy=proxy.url)
        with Http(beyond) as http:
            http.request("GET", "thing")
    assert proxy.asked[0].path == "http://127.0.0.1:9/thing"


def test_credentials_and_headers_travel_with_each_request() -> None:
    with FakeServer([GOOD, GOOD]) as server:
        mine = settings(
            server.url, username="hubi", password="öljy", headers={"X-Road-Client": "A/B"}
        )
        with Http(mine) as http:
            http.request("GET", "a", params={"name": "Päivi Ä"}, headers={"Accept": "text/xml"})
            http.request("POST", "b", body={"nimi": "Åsa"}, is_query=True)
    first, second = server.asked
    assert first.path == "/a?name=P%C3%A4ivi+%C3%84"
    assert first.headers["Accept"] == "text/xml"
    assert second.json == {"nimi": "Åsa"}
    for one in (first, second):
        assert one.headers["X-Road-Client"] == "A/B"
        assert one.headers["Authorization"] == "Basic aHViaTrDtmxqeQ=="


@pytest.mark.parametrize(
    "reply",
    [
        Reply(500, CANARY.encode()),
        Reply(403, CANARY.encode()),
        Reply(404, CANARY.encode()),
        Reply(200, CANARY.encode()),
        Reply(200, CANARY.encode(), promised=900),
        Reply(200, CANARY.encode(), {"Content_Encoding": "gzip"}),
        Reply(302, headers={"Location": f"http://[{CANARY}/"}),
        Reply(200, b"{}", {"Bad": f"{CANARY}\r\n broken"}),
        Reply(silent=True),
    ],
)
def test_no_error_and_no_log_line_repeats_what_was_sent_or_answered(
    reply: Reply, caplog: pytest.LogCaptureFixture
) -> None:
    """R56, HOUSE_STYLE: the whole traceback is looked at, since a scheduler keeps all of it."""
    caplog.set_level(logging.DEBUG)
    told = ""
    with FakeServer(lambda _: reply) as server:
        mine = settings(server.url, password=CANARY, username="u", read_timeout=0.1, attempts=2)
        with Http(mine, lambda _: None) as http:
            try:
                body = {"name": CANARY}
                http.request(
                    "POST", f"thing/{CANARY}", params={"q": CANARY}, body=body, is_query=True
                ).json()
            except ConnectorError as error:
                told = "".join(traceback.format_exception(error))
                assert error.__context__ is None
                assert error.__cause__ is None
        assert CANARY not in repr(mine)
    assert CANARY not in told
    assert CANARY not in caplog.text
    assert "010180" not in told + caplog.text


@pytest.mark.parametrize(
    "url",
    [
        "http://dvv.example/",
        "ftp://dvv.example/",
        "dvv.example",
        "https://",
        "https://u:p@dvv.example",
        "https://dvv.example/?a=b",
        "http://10.0.0.1/",
    ],
)
def test_an_address_that_would_show_passwords_or_means_nothing_is_not_accepted(url: str) -> None:
    with pytest.raises(ValueError, match=r"base_url|plain http"):
        HttpSettings(base_url=url)


def test_settings_that_make_no_request_are_refused_without_their_values() -> None:
    for bad in ({"headers": {"X": f"{CANARY}\r\n"}}, {"headers": {"X": f"{CANARY}\u2603"}}):
        with Http(settings("http://127.0.0.1:9", **bad)) as http, pytest.raises(Refused) as caught:
            http.request("GET", "thing")
        assert CANARY not in "".join(traceback.format_exception(caught.value))


# TLS


@dataclass
class Authority:
    """A certificate authority of our own, in a folder."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def found(cls, folder: Path, name: str) -> "Authority":
        folder.mkdir()
        key = ec.generate_private_key(ec.SECP256R1())
        made = _certificate(name, name, key, key, [x509.BasicConstraints(True, None)])
        (folder / "ca.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
        return cls(folder, key, made)

    @property
    def bundle(self) -> Path:
        return self.folder / "ca.pem"

    def issue(self, name: str, address: str) -> tuple[Path, Path]:
        """Certificate and key files."""
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = self.certificate.subject.rfc4514_string().removeprefix("CN=")
        alternatives = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(address))])
        use = x509.ExtendedKeyUsage(
            [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        )
        made = _certificate(name, issuer, key, self.key, [alternatives, use])
        cert_file, key_file = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return cert_file, key_file


def _certificate(
    name: str,
    issuer: str,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    extensions: list[x509.ExtensionType],
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=365 * 60))
    )
    for extension in extensions:
        builder = builder.add_extension(
            extension, critical=isinstance(extension, x509.BasicConstraints)
        )
    return builder.sign(signer, hashes.SHA256())


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    return Authority.found(tmp_path / "ours", "our-authority")


def _server_side(cert: tuple[Path, Path], clients: Path | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*map(str, cert))
    if clients:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(str(clients))
    return context


def test_a_certificate_is_verified_against_the_bundle_in_the_settings(ours: Authority) -> None:
    tls = _server_side(ours.issue("server", "127.0.0.1"))
    with FakeServer([GOOD], tls) as server, Http(settings(server.url, ca_file=ours.bundle)) as http:
        assert http.request("GET", "thing").json() == {"ok": True}


def test_a_certificate_nobody_vouches_for_is_refused(ours: Authority, tmp_path: Path) -> None:
    stranger = Authority.found(tmp_path / "stranger", "stranger")
    tls = _server_side(ours.issue("server", "127.0.0.1"))
    for bundle in (None, stranger.bundle):
        with FakeServer([GOOD], tls) as server, Http(settings(server.url, ca_file=bundle)) as http:
            with pytest.raises(Refused, match="does not vouch for"):
                http.request("GET", "thing")
            assert server.asked == []


def test_a_certificate_for_another_host_is_refused(ours: Authority) -> None:
    tls = _server_side(ours.issue("server", "127.0.0.2"))
    with FakeServer([GOOD], tls) as server:
        with Http(settings(server.url, ca_file=ours.bundle)) as http, pytest.raises(Refused):
            http.request("GET", "thing")
        assert server.asked == []


def test_a_client_certificate_is_shown_where_one_is_demanded(ours: Authority) -> None:
    tls = _server_side(ours.issue("server", "127.0.0.1"), clients=ours.bundle)
    # In TLS 1.3 the client learns of the refusal only after it has sent; 1.2 says so in the handshake.
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    cert, key = ours.issue("client", "127.0.0.1")
    with FakeServer([GOOD], tls) as server:
        without = Http(settings(server.url, ca_file=ours.bundle))
        with without as http, pytest.raises(Refused, match="client certificate"):
            http.request("GET", "thing")
        assert server.asked == []
        shown = settings(server.url, ca_file=ours.bundle, client_cert=cert, client_key=key)
        with Http(shown) as http:
            assert http.request("GET", "thing").json() == {"ok": True}


@pytest.mark.parametrize("setting", ["ca_file", "client_cert"])
def test_a_certificate_file_that_is_missing_is_refused_not_ignored(
    ours: Authority, setting: str
) -> None:
    tls = _server_side(ours.issue("server", "127.0.0.1"))
    files = {"ca_file": ours.bundle, setting: ours.folder / "absent.pem"}
    with FakeServer([GOOD], tls) as server, Http(settings(server.url, **files)) as http:
        with pytest.raises(Refused, match="certificate files"):
            http.request("GET", "thing")
        assert server.asked == []


def test_a_broken_key_file_is_refused(ours: Authority) -> None:
    cert, _ = ours.issue("client", "127.0.0.1")
    key = ours.folder / "broken.key"
    key.write_text("not a key\n")
    tls = _server_side(ours.issue("server", "127.0.0.1"))
    mine = {"ca_file": ours.bundle, "client_cert": cert, "client_key": key}
    with FakeServer([GOOD], tls) as server:
        with Http(settings(server.url, **mine)) as http, pytest.raises(Refused, match="TLS|files"):
            http.request("GET", "thing")
        assert server.asked == []
