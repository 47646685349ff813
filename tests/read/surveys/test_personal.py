from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbwork.read.surveys.personal import (
    KEY_FILE,
    find_personal_content,
    find_personal_name,
    hash_ids,
    make_key,
)
from sbwork.specs.errors import InputError
from sbwork.specs.masks import mask_text


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("name of a person", ["RecipientFirstName", "Name", "surname", "Full name", "Vorname"]),
        ("e-mail address", ["RecipientEmail", "e-mail", "Email Address", "E_MAIL"]),
        ("phone number", ["Phone", "mobile number", "Telefon", "Contact number"]),
        ("IP address", ["IPAddress", "ipaddr. IP address", "ip"]),
        ("exact location", ["LocationLatitude", "postcode", "Home address", "Q3_lat", "Easting"]),
        ("exact location", ["inputzip", "ZIP5", "Postcode1", "post_code", "pc", "pcds", "outcode"]),
        ("device or browser", ["UserAgent", "Meta_Info_Browser", "Q1_Resolution", "device"]),
        (
            "id of a person or of a response",
            [
                "ResponseId",
                "workerId",
                "ExternalReference",
                "collar number",
                "token",
                "ID",
                "refurl",
            ],
        ),
        ("date of birth", ["DOB", "date of birth"]),
        ("free text", ["comments", "Q7_TEXT", "Any other comments?"]),
        ("name of a person", ["What is your full name, please?"]),
        ("exact location", ["What is your postcode, so that we can place you?"]),
    ],
)
def test_names_of_columns_tell_what_is_personal(kind: str, names: list[str]) -> None:
    assert [find_personal_name(name) for name in names] == [kind] * len(names)


def test_names_of_questions_about_policing_are_not_personal() -> None:
    names = ["site name", "trust_1", "How long have you lived here, in years?", "age", "ward"]
    names += ["I feel safe on my street after dark", "The police address what matters to me"]
    names += ["pid3", "party_id", "ward of residence", "Trust in PC", "occupancy"]
    names += ["hb_t_First.Click", "I would give the police my phone if they asked me to"]
    assert [find_personal_name(name) for name in names] == [""] * len(names)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("e-mail address", ["3", "4", "ann@example.org"]),
        ("phone number", ["yes", "0191 498 0123"]),
        ("phone number", ["+44 7700 900123"]),
        ("IP address", ["192.0.2.44"]),
        ("IP address", ["2001:db8:0:0:1:0:0:1"]),
        ("exact location", ["North", "DH1 5UZ"]),
        ("exact location", [f"54.77{i}51" for i in range(10)]),
        ("device or browser", ["Mozilla/5.0 (Windows NT 10.0; Win64)"]),
        ("id of a person or of a response", [f"R_3r0t3UbFJ3bi{i}rR" for i in range(10)]),
        ("name of a person", ["Ann Lee", "Bo Day", "Cy Fox", "Di Ash", "Ed Oak", "Flo Elm"]),
        ("free text", [f"they came by {i} times last year" for i in range(10)]),
    ],
)
def test_cells_tell_what_is_personal(kind: str, values: list[str]) -> None:
    assert find_personal_content(values) == kind


@pytest.mark.parametrize(
    "values",
    [
        ["Strongly agree", "Neither agree nor disagree", "Agree"] * 5,
        [str(i % 7) for i in range(100)],
        [f"{i}.{i % 1000:03d}" for i in range(100)],
        ["0.123456", "0.234567", "0.345678"],
        ["18-24", "25-34", "35-44", "65+"] * 3,
        ["North", "South East", "County Durham"] * 4,
        ["0", "1", "0", "1", "0", "1", "1", "1", "0", "0", "1", "1"],
    ],
)
def test_ordinary_answers_are_not_personal(values: list[str]) -> None:
    assert find_personal_content(values) == ""


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("write to Ann.Lee+x@mail.example.org!", "write to [e-mail removed]!"),
        ("write to ann (at) example.org", "write to [e-mail removed]"),
        ("call 07700 900123 or (0191) 498 0123", "call [phone removed] or [phone removed]"),
        ("see https://example.org/a?b=1 now", "see [link removed] now"),
        ("see www.example.org/a", "see [link removed]"),
        ("see facebook.com/ann.lee", "see [link removed]"),
        ("I live at DH1 5UZ", "I live at [postcode removed]"),
        ("I live at dh15uz", "I live at [postcode removed]"),
        ("thanks @ann_lee", "thanks [name removed]"),
        ("at 54.77525, -1.58485", "at [location removed]"),
        ("from 192.0.2.1", "from [address removed]"),
        ("mine is QQ 12 34 56 C", "mine is [number removed]"),
        ("ａｎｎ＠example.org", "[e-mail removed]"),
        ("3 visits in 2019. Crime fell by 12.5%", "3 visits in 2019. Crime fell by 12.5%"),
    ],
)
def test_stories_lose_what_points_to_a_person(text: str, masked: str) -> None:
    assert mask_text(text) == masked


@given(st.text(max_size=60), st.text(max_size=60))
def test_an_address_is_masked_whatever_stands_around_it(before: str, after: str) -> None:
    assert "ann.lee@example.org" not in mask_text(f"{before} ann.lee@example.org {after}")


def test_masking_long_text_takes_no_time() -> None:
    for part in ("a", "a.", "1 ", "0 ", "@", "www.", "a-", "[at]", "1:"):
        assert isinstance(mask_text(part * 20_000), str)


@given(st.lists(st.text(max_size=20), max_size=20))
def test_hashes_link_the_same_ids_and_only_those(ids: list[str]) -> None:
    key = b"k" * 32
    hashes = hash_ids(ids, key)
    plain = ["".join(written.split()).casefold() for written in ids]
    assert all(text for text, digest in zip(plain, hashes, strict=True) if digest)
    assert all(
        text not in digest for text, digest in zip(plain, hashes, strict=True) if len(text) > 3
    )
    plain_ids = [written for written in ids if written.isascii()]
    changed = [f" {written.upper().lower()}" for written in plain_ids]
    assert hash_ids(changed, key) == hash_ids(plain_ids, key)


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "00",
        "N/A",
        "n.a.",
        "unknown",
        "Anonymous",
        " - ",
        "don't know",
        "-1",
        "999",
        "No email",
        "none@none.com",
        "00000000-0000-0000-0000-000000000000",
    ],
)
def test_what_stands_for_a_blank_is_no_id(text: str) -> None:
    assert hash_ids([text], b"k" * 32) == [""]


def test_hashes_need_the_key_and_outlive_a_spreadsheet() -> None:
    assert hash_ids(["1042"], b"a" * 16) != hash_ids(["1042"], b"b" * 16)
    assert hash_ids(["1042.0", "01042"], b"a" * 16) == hash_ids(["1042"] * 2, b"a" * 16)
    digest = "ba0c9fe2bd637af0"  # openssl dgst -sha256 -hmac aaaaaaaaaaaaaaaa
    assert hash_ids(["1042"], b"a" * 16) == [digest]


def test_the_key_follows_the_data_unless_a_key_file_holds_one(tmp_path: Path) -> None:
    file = tmp_path / "wave.csv"
    file.write_text("a", encoding="utf-8")
    first = make_key(tmp_path, [file])
    assert make_key(tmp_path, [file]) == first
    file.write_text("b", encoding="utf-8")
    assert make_key(tmp_path, [file]) != first
    (tmp_path / KEY_FILE).write_text("a secret of twenty marks\n", encoding="utf-8")
    second = make_key(tmp_path, [file])
    file.write_text("c", encoding="utf-8")
    assert make_key(tmp_path, [file]) == second != first


def test_a_short_key_is_refused_without_being_shown(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_text("hunter2", encoding="utf-8")
    with pytest.raises(InputError, match="7 bytes") as caught:
        make_key(tmp_path, [])
    assert "hunter2" not in str(caught.value)
