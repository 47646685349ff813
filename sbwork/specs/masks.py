"""What points to a person in a text: found by its form, and replaced by a mask."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from itertools import pairwise

__all__ = [
    "BIRTH", "EMAIL", "IP", "LOCATION", "NAME", "PERSON_ID", "PHONE",
    "describe_cell", "find_forms", "is_name", "mask_name", "mask_text",
]  # fmt: skip

BIRTH = "date of birth"
EMAIL = "e-mail address"
IP = "IP address"
LOCATION = "exact location"
NAME = "name of a person"
PERSON_ID = "id of a person or of a response"
PHONE = "phone number"
_LINK = "link"


@dataclass(frozen=True)
class _Form:
    """One way that personal data are written.

    It is looked for in a text that has one of each of its `signs`, which are words, characters or
    the marks that `_find_marks` gives; `check` decides on a match, or `cut` masks parts of it, and
    what the group ``keep`` matched stays. A `doubtful` form may also be something else in one cell.
    """

    kind: str
    mask: str
    pattern: re.Pattern[str]
    signs: tuple[frozenset[str], ...]
    check: Callable[[re.Match[str]], bool] | None = None
    cut: Callable[[re.Match[str]], str] | None = None
    doubtful: bool = False

    def is_possible(self, marks: set[str]) -> bool:
        """Whether a text of these marks may hold it."""
        return not any(signs.isdisjoint(marks) for signs in self.signs)

    def find(self, text: str) -> bool:
        """Whether a text holds it."""
        return any(self.put_mask(match) != match[0] for match in self.pattern.finditer(text))

    def put_mask(self, match: re.Match[str]) -> str:
        """Return what a match is replaced by."""
        if self.cut is not None:
            return self.cut(match)
        if self.check is not None and not self.check(match):
            return match[0]
        return (match.groupdict().get("keep") or "") + f"[{self.mask} removed]"


def mask_text(text: str) -> str:
    """Replace what points to a person.

    That is e-mail addresses, links, phone numbers, postcodes, IP addresses, coordinates, house
    numbers with their street, dates of birth, NHS and National Insurance numbers, number plates,
    @names, and names after a title or rank or with a usual first name. Other names in running text
    are not found: stories are read by a person before they are published.

    Examples
    --------
    >>> mask_text("Ask Mrs Lee, 0191 498 0001, before 10.30.")
    'Ask Mrs [name removed], [phone removed], before 10.30.'
    """
    text = _plain(text)
    return _mask_forms(text, _list_forms())


@lru_cache(4096)
def mask_name(name: str) -> str:
    """Mask the name of a file, a sheet, a column or a type of crime, if it holds personal data.

    Underscores, hyphens and capitals within a name count as spaces there; a name without personal
    data is returned as it is.

    Examples
    --------
    >>> mask_name("answers_07700900123.csv"), mask_name("JaneSmith.csv"), mask_name("Q1_trust.csv")
    ('answers_[phone removed].csv', '[name removed].csv', 'Q1_trust.csv')
    """
    plain = _plain(name)
    forms = [form for form in _list_forms() if form.kind != _LINK]
    spaced = re.sub(r"(?<=[^\W_])[_+]+(?=[^\W_])|(?<=[a-z])(?=[A-Z])", " ", plain)
    apart = re.sub(r"(?<=[^\W\d_])[-.](?=[^\W\d_]{2})", " ", spaced)
    for text in dict.fromkeys((plain, spaced, apart)):
        masked = _mask_forms(text, forms)
        if masked != text:
            return masked
    words = re.findall(r"[^\W\d_]+", spaced)
    for first, last in pairwise(words):
        for one, other in ((first, last), (last, first)):
            if one.casefold() in _list_first_names() and not _is_common(other):
                return re.sub(rf"{first}[\W_]*{last}", "[name removed]", spaced, count=1)
    return name


def describe_cell(text: str) -> str:
    """Return what a message may say of a cell: a blank, a short code, or no more than its kind.

    Examples
    --------
    >>> [describe_cell(text) for text in (" ", "-99", "1234", "31/7/2017", "Ann")]
    ['a blank', "'-99'", 'this number', 'this date', 'this text']
    """
    text = text.strip()
    if re.fullmatch(r"-?\d{1,3}", text, re.ASCII):
        return f"'{text}'"
    if not text:
        return "a blank"
    if re.match(r"\d{1,4}([./-])\d{1,2}\1\d{1,4}(?!\S)", text):
        return "this date"
    return "this number" if re.fullmatch(r"[-+]?[\d.,]+(?:e[-+]?\d+)?", text) else "this text"


def find_forms(text: str, *, doubtful: bool) -> str:
    """Return the kind of personal data that a text holds, or ""; without forms in doubt if so."""
    text = _plain(text)
    marks = _find_marks(text)
    kinds = (
        form.kind
        for form in _list_forms()
        if (doubtful or not form.doubtful) and form.is_possible(marks) and form.find(text)
    )
    return next(kinds, "")


def is_name(text: str) -> bool:
    """Whether a cell is a person's name and nothing else.

    With a title, with a usual first name, or as ``SURNAME, First``.
    """
    text = _plain(text).strip()
    if text.casefold() in _list_first_names():
        return True
    if re.fullmatch(r"[A-Z][A-Z'’ -]+, ?[A-Z][a-zà-ÿ'’-]+(?: [A-Z]\.?)*", text):
        return True
    last, comma, first = text.partition(",")
    turned = f"{first.strip()} {last.strip()}" if comma else text
    return any(
        (match := form.pattern.fullmatch(turned)) is not None
        and (form.check is None or form.check(match))
        for form in _list_forms()
        if form.kind == NAME
    )


def _plain(text: str) -> str:
    """Return a text with one form for each letter, digit, space and dash, and no hidden marks."""
    if text.isascii():
        return text
    text = unicodedata.normalize("NFKC", text)
    return "".join(
        str(unicodedata.digit(char)) if char.isdecimal() and not char.isascii()
        else "-" if unicodedata.category(char) == "Pd"
        else "'" if char in "‘’ʼ"
        else char
        for char in text if unicodedata.category(char) != "Cf"
    )  # fmt: skip


def _mask_forms(text: str, forms: Sequence[_Form]) -> str:
    marks = _find_marks(text)
    for form in forms:
        if form.is_possible(marks):
            text = form.pattern.sub(form.put_mask, text)
    return text


def _find_marks(text: str) -> set[str]:
    """Return the words and the signs of a text, and whether it has digits, and how."""
    folded = text.casefold()
    marks = set(_WORD.findall(folded))
    digits = len(_DIGIT.findall(folded))
    marks |= {_DIGITS} if digits else set()
    marks |= {_SIX} if digits >= 6 else set()
    marks |= {_DECIMAL} if digits and _POINT.search(folded) else set()
    marks |= {_MIXED} if digits and _LETTER_BY_DIGIT.search(folded) else set()
    return marks


_WORD, _DIGIT = re.compile(r"[^\W\d_]+|[^\w\s]"), re.compile(r"\d")
_LETTER_BY_DIGIT = re.compile(r"[a-z]\d|\d[a-z]")
_POINT = re.compile(r"\d\.\d")
_DIGITS, _SIX, _MIXED = "digits", "six digits", "a letter by a digit"
_DECIMAL = "a point between digits"
_WEB = "com|org|net|edu|gov|mil|uk|info|io|eu|ie|de|fr|es|pl|scot|wales|london|biz"
_SHORT_LINKS = {"me", "be", "ly", "gl", "gg", "tv", "app", "to", "link", "in", "co", "us", "ca"}
_MAILERS = (
    "gmail|googlemail|hotmail|outlook|yahoo|ymail|icloud|aol|btinternet|btopenworld|live|msn|sky"
    "|talktalk|virginmedia|protonmail|proton|gmx|mail|ntlworld|tiscali|blueyonder"
)
_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_DAY = (
    r"\d{1,4}[./ -]{1,2}\d{1,2}[./ -]{1,2}\d{2,4}"
    rf"|\d{{1,2}}(?:st|nd|rd|th)?(?: of)?[ ./-]?(?:{_MONTHS})[a-z]*(?:[ ,./'-]{{1,2}}\d{{2,4}})?"
    rf"|(?:{_MONTHS})[a-z]* \d{{1,2}}(?:st|nd|rd|th)?(?:,? \d{{2,4}})?"
)
_ROADS = (
    "street|road|avenue|lane|close|drive|crescent|terrace|place|court|gardens|grove|way|square|mews"
    "|hill|row|park|view|walk|rise|green|villas|cottages|parade|bank|wynd|st|rd|ave|ln|cres"
)
_NO_STREETS = "way main side local lane major minor busy more new the a two high-risk public other"
_DOTTED = "mr|mrs|ms|mx|dr|prof|rev|revd|fr|sgt|insp|supt|cllr|det|const|ch|capt|maj|col|lt|hon"
_UNDOTTED = (
    "miss|doctor|professor|reverend|sir|dame|lady|lord|councillor|alderman|pc|wpc|pcso|spc|dc|tdc"
    "|ps|aps|ds|ads|tds|di|adi|tdi|ci|dci|dcs|detective|sergeant|inspector|superintendent|chief"
    "|constable|officer|warden|judge|mayor|father|sister|nurse|imam|rabbi|pastor|canon|vicar"
)
_LOWER_TITLES = "mr|mrs|cllr|sgt|insp|dr|pc|pcso|ms|sergeant|inspector|councillor"
_PLURALS = "pcs|drs|cllrs|messrs|officers|constables|sergeants|councillors"
_KIN = (
    "son|daughter|wife|husband|partner|brother|sister|mum|mother|dad|father|nan|grandson|neighbour"
    "|friend|boyfriend|girlfriend|mate|uncle|aunt|cousin|landlord"
)
_NO_RANK = {"lady", "lord", "father", "sister", "judge", "canon", "mayor", "chief", "sir", "dame"}
_CAPITAL = r"[^\W\d_a-zß-ÿ]"
_FULL_NAME = (
    rf"(?:{_CAPITAL}\.? ?){{0,3}}{_CAPITAL}[\w'-]+(?: (?:de |van |von |der |al |bin )?"
    rf"{_CAPITAL}[\w'-]+){{0,2}}"
)
_PLACES = frozenset(
    f"""{_ROADS.replace("|", " ")} avenues roads ward wards estate estates town village city county
    north south east west northern southern eastern western upper lower central centre council
    school college university hall church chapel house hotel inn arms pub club station office team
    teams unit police force community neighbourhood partnership trust society association group
    public area areas site sites cross bridge field fields moor wood woods lea gate end side farm
    common beach bay world word games shop practice training cup league united rovers rangers
    albion award awards day fund union survey responses hospital foundation centre library museum
    """.split()
)
_COMMON = frozenset(
    f"""{_UNDOTTED.replace("|", " ")} {_DOTTED.replace("|", " ")} crime asb survey surveys response
    responses wave before after baseline data export results final answers residents staff world
    word excel windows games repairs screen screens surgery appointment appointments practice
    training general grade level rank major award
    awards day week month year time team teams unit police
    force community neighbourhood station office council association federation ward area areas
    monday tuesday wednesday thursday friday saturday sunday january february march april june july
    august september october november december christmas easter
    i im the a an and or but nor he she it they we you his her its their our my your me us him them
    this that these those who whom whose what when where why how which if so as at in on of to from
    for with by is was are were be been being had has have having did do does not no never always
    often can could will would should might must cannot then than there here now very just only
    also still even too again because since while during until about around over under up down out
    off all every each any some many most more less both few one two three four five six nobody
    everybody everyone someone anyone people person man woman lady guy bloke
    said says say told tells tell asked asks came come comes went goes go gave gives give got gets
    get took takes take knew knows know made makes make saw sees see let lets put puts left leaves
    kept keeps keep felt feels feel thought thinks think spoke speaks speak ran runs run met meets
    stood sat sent brought bought heard held led lost paid read rode rang sang showed shown slept
    spent stole swore taught threw tried understood wore won wrote broke began caught chose drew
    drove ate fell flew forgot grew hid hit hurt once twice yesterday today tomorrow tonight later
    really actually finally eventually usually recently already maybe perhaps nearly almost like
    presence patrol patrols visibility patients dose"""
    .split()
)  # fmt: skip
_CUE = re.compile(
    r"\b(?:ring|rang|call|phone|tel|telephone|mobile|mob|cell|text|whatsapp|number|no|fax|contact"
    r"|dial)(?:ed|s)?(?:\W{1,3}(?:me|us|him|her|them|on|at|is|was|number|no)\b){0,3}\W{0,3}$",
    re.IGNORECASE,
)
_NHS_CUE = re.compile(r"\bNHS\b(?:\W{0,3}\w{2,8}){0,3}\W{0,3}$", re.IGNORECASE)
_PLATE_CUE = re.compile(
    r"\b(?:reg|plate|registration)s?\b(?:\W{1,3}\w{1,8}){0,3}\W{1,3}$", re.IGNORECASE
)
_MOST_GROUPS, _MOST_DIGITS = 15, 17
_DATE_START = re.compile(r"(?:\d{1,2}([./-])\d{1,2}\1\d{2,4}|\d{4}([./-])\d{1,2}\2\d{1,2})(?!\d)")


@cache
def _list_first_names() -> frozenset[str]:
    text = files("sbwork.specs").joinpath("first_names.txt").read_text("utf-8")
    return frozenset(text.split())


@cache
def _list_forms() -> tuple[_Form, ...]:
    """Return the forms in the order in which they are masked."""
    i = re.IGNORECASE
    digit, six, mixed = (frozenset({mark}) for mark in (_DIGITS, _SIX, _MIXED))
    at, titles_ = frozenset("@"), frozenset(f"{_DOTTED}|{_UNDOTTED}|p|d".split("|"))
    web = frozenset(_WEB.split("|"))
    births = frozenset(["born", "birth", "birthday", "birthdate", "dob", "d"])
    written_dot = r"(?: ?[(\[{] ?(?:dot|\.) ?[)\]}] ?| dot )"
    any_dot = rf"(?:{written_dot}| ?\. ?)"
    part = r"[\w+%'-]{1,64}"
    road = rf"(?:[A-Z][\w'.-]+ ){{1,3}}(?i:{_ROADS})"
    road = rf"(?:{road}|[a-z'-]+ (?:street|road|avenue|close|crescent))"
    titles = rf"(?:(?:{_DOTTED})(?:\. ?| )|(?:p\. ?c\.|d\. ?[cis]\.|{_UNDOTTED}) )"
    forms = [
        _Form(EMAIL, "e-mail", re.compile(
            r"(?<![\w.+%'-])[\w.+%'-]+@[\w-]+(?:[.,][\w-]+)*"), (at,)),
        _Form(EMAIL, "e-mail", re.compile(
            rf"(?<![\w.+%'-])(?P<local>{part}(?:{any_dot}{part}){{0,4}})"
            r"(?P<at> ?@ ?| ?[(\[{<] ?(?:at|@) ?[)\]}>] ?| at )"
            rf"(?P<domain>[\w-]{{1,63}}(?:{any_dot}[\w-]{{1,63}}){{0,4}})", i),
            (at | {"at"}, at | web | {"dot", "(", "[", "{", "<", *_MAILERS.split("|")}), _is_email),
        _Form(_LINK, "link", re.compile(r"(?:https?://|ftp://|www\.)\S+", i),
            (frozenset({"http", "https", "ftp", "www"}),)),
        _Form(_LINK, "link", re.compile(
            r"(?<![\w.@-])[\w-]+(?:\.[\w-]+)+(?:/\S*)?"), (web | {"/"},), _is_link),
        _Form(LOCATION, "location", re.compile(
            r"-?\d{1,3}(?:\.\d{3,}|,\d{4,})°?(?: ?[NSEW]\b)?(?: ?[,;/] ?| )"
            r"-?\d{1,3}(?:\.\d{3,}|,\d{4,})°?(?: ?[NSEW]\b)?"),
            (six,), _is_place),
        _Form(LOCATION, "location", re.compile(
            r"\b(?:lat|lon|long|lng)(?:itude)?\b\W{0,3}-?\d{1,3}[.,]\d{2,}"
            r"|\d{1,3} ?[°º] ?(?:\d{1,2}(?:\.\d+)? ?['′´]? ?)?"
            r"(?:\d{1,2}(?:\.\d+)? ?[\"″]? ?)?[NSEW]\b"
            r"|\d{1,2}\.\d{2,} ?[NSEW]\b"
            r"|\b[NS] ?\d{1,2}\.\d{2,}\W{1,2}[EW] ?\d{1,2}\.\d{2,}"
            r"|(?:///|what ?3 ?words\W{1,2})\w+\.\w+\.\w+", i),
            (frozenset("nsew°º/") | {"words", "lat", "latitude", "lon", "long", "lng"}
             | {"longitude"},)),
        _Form(LOCATION, "location", re.compile(
            r"\b[HNOST][A-HJ-Z] ?(?:\d{3} ?\d{3}|\d{4} ?\d{4}|\d{5} ?\d{5})(?!\d)"), (six,)),
        _Form(IP, "address", re.compile(
            r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?!\d|\.\d)"), (frozenset({_DECIMAL}),)),
        _Form(IP, "address", re.compile(
            r"(?<![\w:-])(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}(?![\w:-])", i), (frozenset(":-"),)),
        _Form(IP, "address", re.compile(
            r"(?<![\w:.])[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,8}(?:%\w+)?(?![\w:])", i),
            (frozenset(":"),), _is_ip),
        _Form(BIRTH, "date of birth", re.compile(
            r"(?P<keep>\b(?:born|d\.?o\.?b\b\.?|date of birth|birth ?da(?:y|te))"
            rf"(?:[^\w\n]{{0,4}}\b(?:on|the|is|was|in|of|my|his|her)\b){{0,3}}[^\w\n]{{0,4}})"
            rf"(?:{_DAY})", i), (digit, births)),
        _Form(BIRTH, "date of birth", re.compile(
            r"(?<![\w./-])(?:\d{1,2}([./-])\d{1,2}\1(?:19\d\d|200[0-5])"
            r"|(?:19\d\d|200[0-5])([./-])\d\d\2\d\d)(?![\d/-])"),
            (six, frozenset("./-")), doubtful=True),
        _Form(PERSON_ID, "number", re.compile(
            r"\b([A-Z]{2})[ .-]?(?:\d{2}[ .-]?){3}[A-D]\b", i), (six,), _is_insured),
        _Form(PERSON_ID, "number plate", re.compile(
            r"\b(?:(?:[A-Z]{2}\d{2}|[A-Z]\d{1,3})[ -]?[A-Z]{3}|[A-Z]{3}[ -]?\d{1,3}[A-Z])\b", i),
            (mixed,), _is_plate),
        _Form(LOCATION, "postcode", re.compile(
            r"\b[A-Z]{1,2}\d[A-Z\d]?[ .-]{0,2}\d(?!st\b|nd\b|rd\b|th\b)[ABD-HJLNP-UW-Z]{2}\b", i),
            (mixed,)),
        _Form(PERSON_ID, "number", re.compile(
            r"(?<!\d)(?<!\d[.,])\d(?:[ -]{0,2}\d){9,18}(?![.,]?\d)"), (six,), _is_number),
        _Form(PHONE, "phone", re.compile(
            r"(?<!\d)(?:(?<!\d[.,:])|(?<=\d,)(?=\d{4}))(?:\+ ?)?\(?\d"
            r"(?:[ ().\-/]{0,3}\d){5,}"), (six,),
            cut=_mask_phones),
        _Form(PHONE, "phone", re.compile(
            r"\b(?:(?:zero|oh?|one|two|three|four|five|six|seven|eight|nine|double|treble|triple"
            r"|hundred)\b[ ,-]{0,3}){8,}", i),
            (frozenset(["zero", "oh", "o", "double", "treble", "triple", "hundred"]),)),
        _Form(LOCATION, "address", re.compile(
            rf"\b(?:(?i:flat|apartment|apt) ?\w{{1,4}},? )?\d{{1,4}}[A-Za-z]?,? {road}\b"),
            (digit, frozenset(_ROADS.split("|"))), _is_address, doubtful=True),
        _Form(NAME, "name", re.compile(r"(?<![\w@.])@(?!\d{1,2}(?:[ap]m)?\b)\w(?:[\w.]{0,48}\w)?"),
            (at,)),
        _Form(PERSON_ID, "number", re.compile(
            r"(?P<keep>\b(?:W?PC|PCSO|DC|DS|Sgt|Sergeant|Constable|Officer|collar number|warrant"
            r" number|badge number)[ :]{1,2})(?!(?:19|20)\d\d\b)\d{3,5}\b(?![,.]?\d| ?%)"),
            (digit, titles_ | {"number"}), doubtful=True),
        _Form(NAME, "name", re.compile(
            rf"(?P<keep>\b(?i:{titles})(?i:{titles})*(?:\d{{2,5}} |\[number removed\] )?"
            rf"|(?i:\bname(?:'s| is| was) ))(?P<name>{_FULL_NAME})"), (titles_ | {"name"},),
            _is_titled, doubtful=True),
        _Form(NAME, "name", re.compile(
            rf"(?P<keep>\b(?:[Mm]rs?|[Cc]llr|{_LOWER_TITLES}|my name is)\.? )"
            r"(?P<name>[a-z][a-z'-]{2,})"),
            (frozenset({*_LOWER_TITLES.split("|"), "name"}),), _is_titled, doubtful=True),
        _Form(NAME, "names", re.compile(
            rf"(?P<keep>\b(?i:{_PLURALS}) )(?P<name>{_FULL_NAME}(?: (?:and|&) {_FULL_NAME})+)"),
            (frozenset(_PLURALS.split("|")),), _is_titled, doubtful=True),
        _Form(NAME, "name", re.compile(
            rf"(?P<keep>\b(?i:my|our|his|her|their) (?:{_KIN}),? )(?P<name>{_CAPITAL}[\w-]+)"),
            (frozenset(_KIN.split("|")),), lambda m: m["name"].casefold() in _list_first_names(),
            doubtful=True),
        _Form(NAME, "name", re.compile(
            rf"\b(?P<first>{_CAPITAL}(?:[a-zß-ÿ]+|{_CAPITAL}+)) (?:{_CAPITAL}\.? )?"
            rf"(?P<last>{_CAPITAL}[\w'-]+)"),
            (_list_first_names(),), lambda m: m["first"].casefold() in _list_first_names()
            and not _is_common(m["last"]), doubtful=True),
    ]  # fmt: skip
    return tuple(forms)


def _is_common(word: str) -> bool:
    return word.casefold().removesuffix("'s") in _COMMON | _PLACES


def _is_email(match: re.Match[str]) -> bool:
    local, at, domain = (match[name].casefold() for name in ("local", "at", "domain"))
    last = re.split(r"[\W_]+", domain.strip("()[]{}. "))[-1]
    has_end = re.fullmatch(rf"{_WEB}|me|co|us|ca|ac", last) and len(domain) > len(last)
    is_mailer = re.match(rf"(?:{_MAILERS})\b", domain)
    if at != " at ":
        return bool(at.strip() != "@" or has_end or is_mailer)
    is_written = " dot " in domain or re.search(r"[\d_]|\bdot\b|\.\w", local)
    return bool((has_end and is_written) or (is_mailer and (has_end or is_written)))


def _is_link(match: re.Match[str]) -> bool:
    host, slash, _ = match[0].partition("/")
    last = host.rpartition(".")[2].casefold()
    return bool(re.fullmatch(_WEB, last)) or (bool(slash) and last in _SHORT_LINKS)


def _is_place(match: re.Match[str]) -> bool:
    found = re.findall(r"-?\d+[.,]\d+", match[0])
    latitude, longitude = (float(number.replace(",", ".")) for number in found[:2])
    exact = len(re.findall(r"[.,]\d{4,}", match[0])) == 2 and max(abs(latitude), abs(longitude)) > 1
    british = 49 <= latitude <= 61 and -9 <= longitude <= 3
    return british or (exact and not re.fullmatch(r"[\d.]+ [\d.]+", match[0]))


def _is_ip(match: re.Match[str]) -> bool:
    try:
        ipaddress.IPv6Address(match[0].partition("%")[0])
    except ValueError:
        return False
    return len(re.findall(r"[0-9a-fA-F]", match[0])) >= 3


def _is_insured(match: re.Match[str]) -> bool:
    return match[1].isupper() or match[1].casefold() not in _COMMON | {"am"}


def _is_plate(match: re.Match[str]) -> bool:
    text = match[0]
    letters = re.findall(r"[A-Za-z]+", text)
    word = max(letters, key=len)
    acronyms = {"RTC", "HGV", "ASB", "BBC", "NHS", "VAT", "CCTV", "PCS", "RTA", "MPS", "ITV", "MPH"}
    spaced = bool(re.search("[ -]", text))
    mixed = len({part.isupper() for part in letters}) > 1
    if word.upper() in acronyms | {"BUS"} or _is_common(word) or (mixed and spaced):
        return False
    if re.match(r"[A-Za-z]{2}\d", text):
        return text.isupper() or not spaced or not re.search("[aeiou]", word)
    # Older plates look like a road or a flat with a word behind it.
    cued = _PLATE_CUE.search(match.string, max(0, match.start() - 40), match.start())
    is_road = re.match(r"[ABM]\d{1,3}[ -]", text)
    return text.isupper() and bool(cued or not is_road)


def _is_number(match: re.Match[str]) -> bool:
    """Whether it is an NHS number or a card's, by their check digits."""
    digits = [int(char) for char in match[0] if char.isdecimal()]
    groups = [len(group) for group in re.findall(r"\d+", match[0])]
    if len(digits) == 10:
        total = sum(weight * d for weight, d in zip(range(10, 1, -1), digits, strict=False))
        checked = groups in ([10], [3, 3, 4]) and digits[-1] == -total % 11
        before = match.string[max(0, match.start() - 40) : match.start()]
        return checked or bool(_NHS_CUE.search(before))
    doubled = [d if i % 2 == 0 else sum(divmod(2 * d, 10)) for i, d in enumerate(digits[::-1])]
    return len(digits) >= 15 and max(groups) >= 4 and sum(doubled) % 10 == 0


def _mask_phones(match: re.Match[str]) -> str:
    """Mask the phone numbers in a run of digits, which may hold several and other figures."""
    text, parts, at, first = match[0], [], 0, 0
    groups = [found.span() for found in re.finditer(r"\d+", text)]
    goes_on = re.match(r"[.:]\d|,\d{3}(?!\d)", match.string[match.end() : match.end() + 5])
    while first < len(groups):
        start = groups[first][0]
        before = match.string[max(0, match.start() + start - 40) : match.start() + start]
        lead = re.search(r"[+( ]*$", text[max(at, start - 3) : start])
        start -= len(lead[0].lstrip()) if lead else 0
        most = _MOST_GROUPS if first == 0 or text[start] in "+(0" else 3
        for last in range(min(first + most, len(groups)), first, -1):
            end = groups[last - 1][1]
            if sum(b - a for a, b in groups[first:last]) > _MOST_DIGITS:
                continue
            if not (goes_on and last == len(groups)) and _is_phone(text[start:end], before):
                parts += [text[at:start], "[phone removed]"]
                at, first = end, last - 1
                break
        first += 1
    return "".join([*parts, text[at:]])


def _is_phone(text: str, before: str) -> bool:
    digits = re.sub(r"\D", "", text)
    groups = [len(group) for group in re.findall(r"\d+", text)]
    if not 6 <= len(digits) <= 17 or _DATE_START.match(text) or re.match(r"0[.]\d", text):
        return False
    if text[0] == "+" or digits.startswith("00"):
        return len(digits) >= 8 and (max(groups) >= 3 or _is_valid(f"+{digits.lstrip('0')}"))
    if _CUE.search(before.rstrip("( ")):
        return len(digits) <= 15
    if digits[0] == "0":
        is_usual = max(groups) >= 3 or digits[1] == "7"
        return (10 <= len(digits) <= 11 and is_usual) or _is_valid(digits)
    if len(digits) == 10 and digits[0] == "7":
        return groups in ([10], [4, 6], [4, 3, 3], [5, 5], [3, 3, 4], [5, 3, 2])
    if len(digits) == 12 and digits.startswith("44"):
        return digits[2] == "7" or _is_valid(f"+{digits}")
    shapes = [[9], [10], [3, 3, 4], [3, 7], [4, 6], [4, 3, 3], [4, 5], [4, 3, 2]]
    london = groups == [2, 4, 4] and digits.startswith("2")
    return (groups in shapes or london) and _is_valid(digits)


@lru_cache(4096)
def _is_valid(digits: str) -> bool:
    """Whether a number is in use, in Britain if it names no country."""
    import phonenumbers

    try:
        return bool(phonenumbers.is_valid_number(phonenumbers.parse(digits, "GB")))
    except phonenumbers.NumberParseException:
        return False


def _is_address(match: re.Match[str]) -> bool:
    words = re.findall(r"[^\W\d_][\w'-]*", match[0])
    return words[-2].casefold() not in _NO_STREETS.split()


def _is_titled(match: re.Match[str]) -> bool:
    words = [word.casefold().removesuffix("'s") for word in match["name"].split()]
    titles = re.findall(r"[a-z]+", match["keep"].casefold())
    if words[0] in _COMMON or (words[0] in _PLACES and titles[-1] in _NO_RANK | {"is", "s"}):
        return False
    if any(word in _PLACES for word in words[1:]) and not match["name"].isupper():
        return False
    if not match["name"][0].islower() or titles[-1] in {"mr", "mrs", "cllr"}:
        return True
    return words[0] not in _PLACES and not re.search(r"(?:ed|ing|ly)$", words[0])
