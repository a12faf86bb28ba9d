"""XML that nobody vouches for: features are found in every shape, and nothing can be made to grow."""

import os
import traceback
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors import gml
from connectors.base import Malformed
from connectors.gml import Bounds, Document

# the samples that lupapiste publishes, where somebody has them
SAMPLES = Path(os.environ.get("HUB_TEST_KRYSP_SAMPLES") or "not given")
HOSTS = ("www.paikkatietopalvelu.fi", "www.kuntatietopalvelu.fi")
ANY = settings(deadline=None, max_examples=150)
SMALL = Bounds(depth=8, elements=50, text=100, attributes=40)
FEATURE = '<r:F xmlns:r="http://{host}/gml/x" r:id="f1"><r:a>yksi</r:a><r:a>kaksi</r:a></r:F>'


def read(body: bytes | str, bounds: Bounds | None = None) -> Document:
    whole = body.encode() if isinstance(body, str) else body
    return gml.read(whole, {"F"}, "GET x/wfs", bounds)


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(
    ("shape", "root"),
    [
        ('<r:Whole xmlns:r="u"><r:about/><r:wrapper>{}</r:wrapper></r:Whole>', "Whole"),
        ("<FeatureCollection><featureMember>{}</featureMember></FeatureCollection>", "FeatureCollection"),
        (
            "<w:FeatureCollection xmlns:w='w'><g:featureMembers xmlns:g='g'>{}</g:featureMembers></w:FeatureCollection>",
            "FeatureCollection",
        ),
    ],
)  # fmt: skip
def test_features_are_found_in_each_of_the_three_shapes_whatever_the_namespace(
    shape: str, root: str, host: str
) -> None:
    found = read(shape.format(FEATURE.format(host=host) * 2))
    assert (found.root, [f.name for f in found.features]) == (root, ["F", "F"])
    assert found.features[0].attributes["id"] == "f1"
    assert [a.text() for a in found.features[0].each("a")] == ["yksi", "kaksi"]


def test_an_empty_answer_has_no_features_and_is_no_fault() -> None:
    found = read("<Rakennusvalvonta><toimituksenTiedot>2026</toimituksenTiedot></Rakennusvalvonta>")
    assert (found.root, found.features) == ("Rakennusvalvonta", [])


def test_a_feature_within_a_feature_is_a_part_of_it() -> None:
    (outer,) = read("<x><F><b><F><c>sisin</c></F></b></F></x>").features
    assert outer.text("b", "F", "c") == "sisin"


def test_texts_are_one_line_and_blank_ones_are_none() -> None:
    (found,) = read("<x><F><a>  Mäki\n tie </a><b> </b><c/><a>toinen</a></F></x>").features
    assert found.text("a") == "Mäki tie"
    assert [found.text(n) for n in ("b", "c", "d")] == [None, None, None]
    assert found.one("d") is None


@pytest.mark.parametrize("encoding", ["iso-8859-1", "windows-1252", "utf-8"])
def test_a_declared_encoding_is_followed(encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?><x><F>Äyräpää</F></x>'
    assert read(text.encode(encoding)).features[0].text() == "Äyräpää"


LAUGHS = (
    '<!DOCTYPE r [<!ENTITY a "lol">'
    + "".join(
        f'<!ENTITY {new} "{f"&{old};" * 10}">'
        for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )
    + "]><r><F>&i;</F></r>"
)
QUADRATIC = f'<!DOCTYPE r [<!ENTITY a "{"x" * 50_000}">]><r><F>{"&a;" * 50_000}</F></r>'  # 2.5 GB if it grew
BOMBS: dict[str, tuple[str | bytes, str]] = {
    "billion laughs": (LAUGHS, "DOCTYPE"),
    "quadratic blow-up": (QUADRATIC, "DOCTYPE"),
    "external entity": ('<!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/passwd">]><F>&e;</F>', "DOCTYPE"),
    "external DTD": ('<!DOCTYPE r SYSTEM "http://127.0.0.1:1/r.dtd"><F/>', "DOCTYPE"),
    "a harmless DOCTYPE": ("<!DOCTYPE html><html></html>", "DOCTYPE"),
    "an entity from nowhere": ("<F>&nbsp;</F>", "can be read"),
    "deep": ("<a>" * 1_000_000, "deep"),
    "deep features": ("<F>" * 1_000_000, "deep"),
    "wide": (f"<r>{'<a/>' * 600_000}</r>", "elements"),
    "a huge attribute": (f'<F a="{"x" * 5_000_000}"/>', "attributes"),
    "many attributes": ("<F " + " ".join(f'a{n}="x"' for n in range(50_000)) + "/>", "attributes"),
    "a huge text": (f"<F>{'x' * 5_000_000}</F>", "text"),
    "broken off": ("<x><F><a>yks", "can be read"),
    "nothing": ("", "can be read"),
    "no XML": ('{"features": []}', "can be read"),
    "two roots": ("<F/><F/>", "can be read"),
    "not in its encoding": ('<?xml version="1.0" encoding="UTF-8"?><F>ä</F>'.encode("latin-1"), "can be read"),
    "an encoding of Python's": (b'<?xml version="1.0" encoding="unicode_escape"?><F>\\x41</F>', "encoding"),
    "an encoding of nobody's": (b'<?xml version="1.0" encoding="x-own"?><F/>', "encoding"),
    "UTF-7": (b'<?xml version="1.0" encoding="utf-7"?>+ADw-F/+AD4-', "encoding"),
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_what_is_made_to_hurt_is_malformed_and_shows_nothing_of_itself(name: str) -> None:
    body, reason = BOMBS[name]
    with pytest.raises(Malformed, match=reason) as caught:
        read(body)
    assert str(caught.value).startswith("GET x/wfs: ")
    assert caught.value.__context__ is None
    shown = "".join(traceback.format_exception(caught.value)[-1:])
    assert "lol" not in shown
    assert "xxx" not in shown


@pytest.mark.parametrize(
    "body",
    [
        "<F>" + "<a>" * 7 + "</a>" * 7 + "</F>",
        "<F>" + "<a/>" * 49 + "</F>",
        f"<F>{'x' * 100}</F>",
        f'<F a="{"x" * 40}"/>',
    ],
)
def test_what_is_just_within_the_bounds_is_read(body: str) -> None:
    assert len(read(body, SMALL).features) == 1


@pytest.mark.parametrize(
    "body",
    [
        "<F>" + "<a>" * 8 + "</a>" * 8 + "</F>",
        "<F>" + "<a/>" * 50 + "</F>",
        f"<F>{'x' * 101}</F>",
        f'<F a="{"x" * 41}"/>',
    ],
)
def test_what_is_just_outside_them_is_not(body: str) -> None:
    with pytest.raises(Malformed, match="more than"):
        read(body, SMALL)


@ANY
@given(st.binary(max_size=300))
def test_any_bytes_are_a_document_or_malformed(body: bytes) -> None:
    try:
        assert isinstance(read(body), Document)
    except Malformed as error:
        assert error.__context__ is None


@ANY
@given(
    st.integers(0, 400), st.binary(max_size=6), st.sampled_from(["cut", "put in", "written over"])
)
def test_a_document_with_a_piece_spoilt_is_a_document_or_malformed(
    at: int, piece: bytes, how: str
) -> None:
    whole = (
        '<?xml version="1.0" encoding="UTF-8"?><w:FeatureCollection xmlns:w="w"><m>'
        f"{FEATURE.format(host=HOSTS[0])}</m></w:FeatureCollection>"
    ).encode()
    at %= len(whole)
    spoilt = {
        "cut": whole[:at],
        "put in": whole[:at] + piece + whole[at:],
        "written over": whole[:at] + piece + whole[at + len(piece) :],
    }[how]
    try:
        assert isinstance(read(spoilt), Document)
    except Malformed as error:
        assert error.__context__ is None


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the official samples are not here")
@pytest.mark.parametrize(
    ("file", "root", "features"),
    [
        ("building.xml", "Rakennusvalvonta", ["ValmisRakennus"] * 2),
        ("verdict-2.2.4.xml", "Rakennusvalvonta", ["RakennusvalvontaAsia"] * 2),
        ("verdict-r-not-found.xml", "Rakennusvalvonta", []),
        ("verdict-vvvl.xml", "FeatureCollection", ["Vapautus"]),
        ("capabilities.xml", "WFS_Capabilities", []),
    ],
)
def test_the_published_samples_are_read(file: str, root: str, features: list[str]) -> None:
    wanted = {"ValmisRakennus", "RakennusvalvontaAsia", "Vapautus"}
    found = gml.read((SAMPLES / file).read_bytes(), wanted, file)
    assert (found.root, [f.name for f in found.features]) == (root, features)
