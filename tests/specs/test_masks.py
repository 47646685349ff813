"""500 made-up sentences, with and without personal data: what is found, missed, falsely masked."""

# ruff: noqa: E501

from __future__ import annotations

import random
import time
from collections import Counter

import pytest

from sbwork.specs.masks import describe_cell, is_name, mask_name, mask_text

AROUND = (
    "{}", "{}.", "Please use {} to reach me.", "It was {}, I think", "we told them about {}; no reply",
    "Residents say ({}) every week", "Nobody listened. {}", 'He said "{}" twice', "see {}, thanks!",
)  # fmt: skip
PERSONAL = {
    "phone": (
        "07700 900{d}{d}{d}", "07700900{d}{d}{d}", "07700.900.{d}{d}{d}", "07700-900-{d}{d}{d}",
        "7700 900{d}{d}{d}", "7700900{d}{d}{d}", "+44 7700 900{d}{d}{d}", "+44(0)7700 900{d}{d}{d}",
        "00447700900{d}{d}{d}", "44 7700 900{d}{d}{d}", "0191 498 0{d}{d}{d}", "(0191) 4980{d}{d}{d}",
        "0191.498.0{d}{d}{d}", "191 498 0{d}{d}{d}", "020 7946 0{d}{d}{d}", "01632 960{d}{d}{d}",
        "0191/498/0{d}{d}{d}", "+49 30 1234{d}{d}{d}", "+353 1 496 0{d}{d}{d}",
        "+1 202-555-01{d}{d}", "+48 22 123 4{d} {d}{d}", "0049 30 90{d}{d}{d}{d}",
        "٠٧٧٠٠ ٩٠٠{d}{d}{d}", "०७७००९००{d}{d}{d}", "０７７００ ９００{d}{d}{d}",
        "ring me on 498 0{d}{d}{d}", "text 90{d}{d}{d}{d}", "oh seven seven double oh nine oh oh one two three",
    ),
    "e-mail": (
        "{n}.{n}@example.org", "{n}{d}{d}@mail.example.co.uk", "{n} dot {n} at example dot org",
        "{n} (at) example.org", "{n}[at]example[dot]com", "{n}{d} at gmail.com", "{n}_{n} at hotmail dot co dot uk",
        "{n} @ example.org", "{n} AT example DOT org", "{n}＠example.org", "{n}@example", "{n}(at)gmail",
    ),
    "link": (
        "https://example.org/{n}", "www.example.org/{n}", "fb.me/{n}", "t.me/{n}{d}", "facebook.com/{n}.{n}",
        "wa.me/4477009{d}{d}", "instagram.com/{n}", "example.police.uk", "HTTP://EXAMPLE.ORG/{n}", "bit.ly/3x{n}",
    ),
    "address": (
        "192.0.2.{d}{d}", "2001:db8::{d}{d}:{d}", "fe80::{d}a{d}{d}%eth0", "2001:0db8:0:0:1:0:0:{d}",
        "{d}{d} Sentinel Street", "Flat {d}, 1{d} North Park Road", "1{d}a High Street", "1{d} sentinel close",
    ),
    "date of birth": (
        "born 1{d}/05/1980", "born on 1{d}.05.80", "DOB 0{d}/11/1975", "d.o.b: 1{d}-02-1991",
        "date of birth is 1{d} March 1966", "born on the {d}th of June 1988", "birthday: May 1{d}, 1990", "1{d}/03/1985",
        "197{d}-04-12",
    ),
    "number": (
        "943 476 5919", "9434765919", "NHS number 123 456 789{d}", "QQ 12 34 5{d} C", "QQ1234{d}6C", "qq12345{d}c",
        "AB-12-34-5{d}-D", "4111 1111 1111 1111", "PC 12{d}4", "collar number 4{d}12",
    ),
    "number plate": (
        "AB1{d} CDE", "AB1{d}CDE", "ab1{d}cde", "AB1{d}-CDE", "ab1{d} cdf", "T12{d} BCD", "BCD 12{d}T",
        "reg A12{d} BCD", "the plate BCD 1{d}K",
    ),
    "location": (
        "54.77{d}1, -1.57{d}3", "54.776{d}5 -1.573{d}2", "54.77{d}°N 1.57{d}°W", "lat 54.77{d} long -1.57{d}",
        "54°46'3{d}\"N", "NZ 27{d} 424", "NZ27{d}24240"[:10], "///filled.count.soap", "48.85{d}61,2.35{d}22",
    ),
    "postcode": ("DH1 {d}LE", "dh1{d}le", "SW1A {d}AA", "NE61 {d}XX", "DH1-{d}LE", "M1 {d}AE"),
    "name": (
        "Mr {S}", "Mrs {S}", "Mrs. O'{S}", "Dr {S}-{S}", "PC {S}", "PC 12{d}4 {S}", "Sgt {S}", "Sgt. {S}",
        "Insp {S}", "Inspector {S}", "Det Sgt {S}", "DC {S}", "DCI {S}", "PCSO {S}", "Cllr {S}", "Councillor {S}",
        "Chief Constable {S}", "Constable {S}", "MRS {U}", "PC {U}", "mr {s}", "cllr {s}", "pc {s}",
        "Reverend {S}", "Miss {S}", "Prof. {S}", "Sarah {S}", "Mohammed {S}", "Agnieszka {S}", "my name is {S}",
        "@{n}_{n}", "Supt {S} {S}",
    ),
}  # fmt: skip
HARD = (
    """My mobile's 07700900123|Mob.07700 900 123|(+44) 7700 900123|0044 (0) 191 498 0001|0 7 7 0 0 9 0 0 1 2 3
077 0090 0123|Jo's no is 01325 742000|+33 6 12 34 56 78|+1 (202) 555-0143|0777 0900123/0777 0900124
07700 900123,07700 900124|no. 07700\u00a0900123|07700\u2011900\u2011123|0\u200b7700900123|jsmith@gmail,com
j smith @ gmail . com|write jo DOT smith AT btinternet DOT com|mail smith AT hotmail.co.uk|jo{at}x{dot}com
youtu.be/abc123|tiktok.com/@jo|insta: @jo_smith99|::ffff:192.0.2.1|192.168.0.1:8080|d.o.b 12/5/80|born 12 May '80
Date of Birth - 12.05.1980|born May 1980|NHS no. 943-476-5919|my NI number is AB 123456 C|in a blue Ford, YD21 ABC.
YD21abc|reg: P123 XYZ|lat: 54.7761|54,7761; -1,5733|N54.776 W1.573|grid ref NZ 27420 42400|what3words filled.count.soap
Mr J. Smith|Mr & Mrs Smith|Mr and Mrs Jones|PCs Smith and Jones|P.C. Smith|D.I. Smith|T/Insp Khan|Ch. Supt Smith
sergeant smith|councillor smith|Rev. Green|Mrs Lane|PC Hill|Father O'Malley|my name's Jo|this is Dave Jones
SARAH JONES|my son Adam|Flat 2b, 21 Acacia Ave|21, Acacia Avenue|221B Baker Street|House 7, 12 Park View
""".strip()
    .replace("\n", "|")
    .split("|")
)
HARMLESS = """the 10 to 12 bus|at 07:30|from 07:30 to 09:45:10|it cost £1,500|on 12 May 2016|PC told us|Mrs
the AB12 bus|Section 60 orders|Section 60AA|crime fell from 1,234 to 987|houses sell for £125,000|the A690
the A690 road|route M25|aged 35|2016-17|in 2016/17|01/02/2016|01/02/2016 10:30|since 3 March 2015
a scale of 0 1 2 3 4 5 6 7 8 9 10|meet at noon|they put a dot there at noon|meet @ 10pm|a good PC. Residents
2nd exit on the A1 2nd turning|the M25 3rd exit|0.123456 and 0.234567|1534 1622 89|an A19 RTC|the PC World shop
ON THE A690 AND BACK|MS Teams|I miss you|30 people in the street|a 2 way street|Victoria Park|St John's Road
2016 2017 2018 2019|call 101 or 999|they dial 999 in 2016|item 3.4.5|version 1.2.3|p = 0.0312, 0.0412
95% CI -0.12 to 0.34|1 2 3 4 5|10.30 to 11.30, 12.30|the PC arrived late|E01020634|Durham, North|30 miles away
sat at 6|the pc arrived|PC and Sgt came|Ward 12|bus 20A|the 12A bus|the X12 bus|A&E 24/7|safer.Me too|50/50
20-30 kids|2016-05-12|1.5 to 2.5|60 000 000 people|1 500 000|20,000,000|phases 1/2/3|the number 7 bus
I call 2 or 3 times|text 60,000 people|Chief Constable said|the Sergeant and the Inspector|Councillors came
Mr and Mrs|a doctor told me|Officers on Monday|our police officer in May|Detective work|Sgt Major|Dr who came
North Road|High Street|Sarah told us|thanks to Tom|George Street|Elizabeth Park|Peter told me|Lady Lane
the mark was 10|1 in 10|100 per 1,000|rate of 12.5|-3.2%|two hundred people|one two three|we are four
the B6532|junction 62|the 64 and 65 buses|5pm|6 am|10 o'clock|3rd of June 2017|June 2017|Friday 13th
look at this|at home|dot to dot at school|i.e. that|e.g. this|etc. and so on|and/or|he/she|https is safer
ask for John|the Rt Hon|PS we moved|DC and AC power|DI is short|a PCSO came|PCs and PCSOs|the Insp was kind
from 1 to 5|7 out of 10|10 000 steps|12 345 678|a 5 year plan|Year 9|Key Stage 2|Covid-19|MP3|B&B|4x4
PE12 kit|ISO 9001|BS 5750|level 3|CT scan 12|phase 2A|R2D2|the P45|a V8|H2O|2 x 4|1.75 m|0.5 km|50 mph
£10.50|£1.2m|$500|€20|10p|3/4 of us|1/2|24 hours|7 days|18-24|65+|25 to 34|0 to 10|-99|999|12:00 to 13:00
15.04 is my score|figures 07 and 08|rooms 101 to 110|in the 1980s|since 1945|by 2030|FY2016|Q12|q1_a|t-test
born here|born in 1980|a DOB is asked for|NHS staff|the NHS number|my number|phone calls|ring roads|tell Mum
burglary down 12% in 2017-18|ASB: 345, theft: 210|violence 1,024|n = 305|1.96 SD|chi2 = 3.84|r = .75
""".replace("\n", "|").split("|")  # fmt: skip
SURNAMES = ("Quibble", "Zaphod", "Łukasz", "Harding", "Singh", "Nowak", "Okafor", "Garcia", "Évora")


def generate_sentences(seed: int = 11) -> list[tuple[str, str, str]]:
    """Return 500 or more of kind ("" for none), personal part and sentence; half without any."""
    rng = random.Random(seed)  # noqa: S311
    sentences = []
    for kind, forms in PERSONAL.items():
        for form in forms * 2:
            said = form
            while "{" in said:
                name = rng.choice(SURNAMES)
                values = {
                    "S": name,
                    "U": name.upper(),
                    "s": "quibble",
                    "d": str(rng.randrange(1, 9)),
                }
                for mark, value in values.items():
                    said = said.replace(f"{{{mark}}}", value, 1)
                said = said.replace("{n}", rng.choice(("zaph", "quib", "ola")), 1)
            sentences.append((kind, said, rng.choice(AROUND).replace("{}", said)))
    sentences += [("hard", said, said) for said in HARD]
    harmless = [text.strip() for text in HARMLESS if text.strip()]
    for text in rng.choices(harmless, k=len(sentences) - len(harmless)) + harmless:
        sentences.append(("", "", rng.choice(AROUND).format(text)))
    return sentences


def find_left(said: str, masked: str) -> bool:
    """Whether something of the personal part can still be read."""
    return "removed]" not in masked or said.split()[-1].strip("().") in masked


def test_most_is_found_and_little_is_masked_that_is_nobodys() -> None:
    sentences = generate_sentences()
    missed, false, total = [], [], Counter(kind for kind, _, _ in sentences)
    for kind, said, sentence in sentences:
        masked = mask_text(sentence)
        if kind and find_left(said, masked):
            missed.append((kind, sentence, masked))
        elif not kind and "removed]" in masked:
            false.append((sentence, masked))
    assert len(sentences) >= 500
    assert total[""] >= len(sentences) / 2
    for kind in [*PERSONAL, "hard"]:
        here = [entry for entry in missed if entry[0] == kind]
        assert len(here) <= 0.03 * total[kind], here
    assert len(false) <= 0.01 * total[""], false


@pytest.mark.parametrize(
    "part",
    ["a", "0", "a@", "a.", "1 ", "0 ", "1:", "Mr ", "Mr. ", "A ", "www.", "a-", "[at]", "one ", "1/1/",
     "a dot ", "a at b dot ", "A1 ", "12 Main ", "Dr A. ", "AB12 ", "1.234 ", "John ", "DOB 1", "٠", "é"],
)  # fmt: skip
def test_time_grows_with_the_length_of_a_text_and_no_faster(part: str) -> None:
    def measure(length: int) -> float:
        text = part * (length // len(part))
        start = time.process_time()
        mask_text(text)
        return time.process_time() - start

    short = max(min(measure(50_000) for _ in range(2)), 0.02)
    assert measure(200_000) < 12 * short


@pytest.mark.parametrize(
    ("name", "masked"),
    [
        ("jane.smith@example.org.csv", "[e-mail removed]"),
        ("answers_07700900123.xlsx", "answers_[phone removed].xlsx"),
        ("Jane Smith.sav", "[name removed].sav"),
        ("smith_jane_2.csv", "[name removed] 2.csv"),
        ("PC Quibble", "PC [name removed]"),
        ("DH1 3LE", "[postcode removed]"),
        ("born 12-05-1980", "born [date of birth removed]"),
        ("survey_2016-05-12.csv", None),
        ("2016-17-durham-street.csv", None),
        ("residents-Baseline-2023 (1).csv", None),
        ("Q1_trust.1", None),
        ("Violence and sexual offences", None),
        ("results-survey123456.csv", None),
        ("St John Ward", None),
        ("durham-1", None),
        ("Victoria Park Road", None),
    ],
)
def test_names_are_masked_where_they_look_personal(name: str, masked: str | None) -> None:
    assert mask_name(name) == (masked or name)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("SMITH, Jane", True), ("Smith, Jane", True), ("Dr Quibble", True), ("Agnieszka", True),
     ("White, British", False), ("North Road", False), ("Strongly agree", False), ("Sgt", False)],
)  # fmt: skip
def test_a_cell_is_a_name_or_is_not(text: str, expected: bool) -> None:
    assert is_name(text) is expected


def test_a_cell_is_described_without_its_words() -> None:
    assert "Quibble" not in describe_cell("Ask Quibble")
