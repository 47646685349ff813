"""What is personal data in a survey export: found, masked, or replaced by a keyed hash."""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from sbwork.specs.errors import InputError, Problem

KEY_FILE = ".sbwork-key"
"""The file beside cohort.yml that may hold the secret for hashes."""

PERSON_ID = "id of a person or of a response"
"""The kind of a column of ids."""

FREE_TEXT = "free text"
"""The kind of a column in people's own words."""

_BIRTH = "date of birth"
_DEVICE = "device or browser"
_EMAIL = "e-mail address"
_IP = "IP address"
_LOCATION = "exact location"
_NAME = "name of a person"
_PHONE = "phone number"

_SHORT_NAMES = (
    (_EMAIL, r"\be ?mails?\b|\bmail address\b|\bcorreo\b|\bcourriel\b"),
    (
        _PHONE,
        r"\b(?:tele)?phones?\b|\bmobile\b|\bcontact (?:no|number)\b|\bwhatsapp\b|\bfax\b"
        r"|\b(?:telefon|teléfono|téléphone|handy|telefoon|tel)\b",
    ),
    (_IP, r"\bip\b|\bip ?addr(?:ess)?\b"),
    (
        _LOCATION,
        r"\b(?:latitude|longitude|lat|lon|lng|long|geo ?(?:code|location)?|gps|easting|northing"
        r"|uprn|what ?3 ?words|coordinates?|\w*post ?codes?\d*|\w*zip(?: ?codes?)?\d*|postal code"
        r"|plz|p ?codes?|pcds?\d?|out(?:ward)? ?codes?"
        r"|street|road"
        r"|address(?: line)?(?: \d)?|house number)\b|^(?:(?:home|your|my) )?pc ?\d?$",
    ),
    (
        _DEVICE,
        r"\b(?:user ?agent|browser|operating system|os version|resolution|device|meta ?info"
        r"|screen ?size|fingerprint|cookie|mac address|imei)\b",
    ),
    (
        PERSON_ID,
        r"\b(?:response|respondent|participant|record|worker|assignment|hit|panel(?:ist)?|person"
        r"|user|employee|staff|officer|collar|warrant|badge|payroll|student|patient|session"
        r"|external|client|contact|prolific|nhs|crime|case|household)"
        r" ?(?:ids?|pid|no|num|number|nr|ref(?:erence)?|data ?reference|key)\b"
        r"|(?<!\bparty )\b(?:id|pid|uuid|guid|token|refurl|referrer|rid|user ?name|login|nhs|nino"
        r"|passport|national insurance|social security|ssn|seed)\b",
    ),
    (
        _NAME,
        r"^names?$|\b(?:first|last|fore|sur|family|full|given|maiden|middle|your|nick"
        r"|respondent|participant|contact|officer|recipient) ?name\b"
        r"|\b(?:vorname|nachname|prénom|apellidos?|nombre|signature|initials)\b",
    ),
    (_BIRTH, r"\b(?:date of birth|birth ?date|dob|birthday|geburtsdatum)\b"),
    (
        FREE_TEXT,
        r"\b(?:comments?|feedback|remarks?|verbatim|(?:open|free|other) text|suggestions?)\b"
        r"|\btext$",
    ),
)
_QUESTIONS = (
    (_EMAIL, r"\be ?mail address\b|\byour e ?mail\b"),
    (_PHONE, r"\b(?:phone|mobile|telephone|contact) number\b"),
    (_LOCATION, r"\byour (?:full |home |street |postal )?(?:address|post ?code|zip)\b"),
    (_NAME, r"\byour (?:full |first |last |own )?name\b|\bname of respondent\b"),
    (_BIRTH, r"\bdate of birth\b"),
    (
        FREE_TEXT,
        r"\banything else\b|\bplease (?:specify|describe|explain)\b|\btell us\b|\byour own words\b",
    ),
)
_NO_ID = re.compile(
    r"[\W_0]*|-\d+|9{3,}|x+|n[./]?[akd]\.?|nan|null|none(?:given|provided)?|nil|anon\w*|unknown|notknown|missing|blank|test"
    r"|not(?:given|provided|available|applicable|stated|sure)|(?:don'?t|donot)know|no(?:id|answer|code|name|e?-?mail)?"
    r"|no(?:ne|reply)?@.*|refused|withheld|declined|prefernot\w*|#n/a|<na>"
)
_MOST_WORDS = 4
_SHORT_PATTERNS = tuple((kind, re.compile(pattern)) for kind, pattern in _SHORT_NAMES)
_QUESTION_PATTERNS = tuple((kind, re.compile(pattern)) for kind, pattern in _QUESTIONS)

_EMAIL_TEXT = re.compile(r"[\w.+%'-]{1,64} ?(?:@|\(at\)|\[at\]) ?[\w-]{1,63}(?:\.[\w-]{1,63}){1,6}")
_URL_TEXT = re.compile(r"(?:https?://|ftp://|www\.)\S{1,2000}", re.IGNORECASE)
_BARE_URL_TEXT = re.compile(
    r"\b[\w-]{1,63}(?:\.[\w-]{1,63}){0,4}\.(?:com|org|net|co\.uk|gov\.uk|police\.uk|ac\.uk|uk|io|eu)"
    r"\b(?:/\S{0,2000})?",
    re.IGNORECASE,
)
_PHONE_TEXT = re.compile(r"(?<![\w.])(?:\+|\(?0)(?:[ ()-]{0,2}\d){8,14}(?![\w.])")
_IP_TEXT = re.compile(
    r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])|\b(?:[0-9a-f]{1,4}:){4,7}[0-9a-f]{1,4}\b",
    re.IGNORECASE,
)
_POSTCODE_TEXT = re.compile(r"\b[A-Z]{1,2}\d[A-Z\d]?\s{0,2}\d[ABD-HJLNP-UW-Z]{2}\b", re.IGNORECASE)
_HANDLE_TEXT = re.compile(r"(?<![\w@.])@\w{2,50}")
_AGENT_TEXT = re.compile(r"Mozilla/\d|AppleWebKit|iPhone OS|Android \d|Windows NT")
_NINO_TEXT = re.compile(r"\b[A-Z]{2}\s?(?:\d{2}\s?){3}[A-D]\b", re.IGNORECASE)
_COORDINATES_TEXT = re.compile(r"-?\d{1,3}\.\d{4,}\s?[,;]\s?-?\d{1,3}\.\d{4,}")
_COORDINATE = re.compile(r"-?\d{1,3}[.,]\d{4,}")
_LONG_ID = re.compile(r"(?=\S*\d)(?=\S*[A-Za-z])[\w-]{8,80}|\d{9,30}")
_PERSON_NAME = re.compile(r"[A-Z][a-zà-ÿ'-]{1,20}(?:\s[A-Z][A-Za-zà-ÿ'-]{0,20}){1,3}")

_CONTENT = (
    (_EMAIL, _EMAIL_TEXT),
    (_DEVICE, _AGENT_TEXT),
    (_IP, _IP_TEXT),
    (_PHONE, _PHONE_TEXT),
    (_LOCATION, _POSTCODE_TEXT),
    (_LOCATION, _COORDINATES_TEXT),
    (PERSON_ID, _NINO_TEXT),
)
_MASKS = (
    ("[e-mail removed]", _EMAIL_TEXT),
    ("[link removed]", _URL_TEXT),
    ("[link removed]", _BARE_URL_TEXT),
    ("[location removed]", _COORDINATES_TEXT),
    ("[address removed]", _IP_TEXT),
    ("[phone removed]", _PHONE_TEXT),
    ("[postcode removed]", _POSTCODE_TEXT),
    ("[number removed]", _NINO_TEXT),
    ("[name removed]", _HANDLE_TEXT),
)
_LONGEST_VALUE = 400


def find_personal_name(*names: str) -> str:
    """Return the kind of personal data that a column's name or question speaks of, or ""."""
    for name in names:
        words = _split_words(name[:200])
        short = len(words.split()) <= _MOST_WORDS
        for kind, pattern in _SHORT_PATTERNS if short else _QUESTION_PATTERNS:
            if pattern.search(words):
                return kind
    return ""


def find_personal_content(values: Sequence[str]) -> str:
    """Return the kind of personal data that a column's cells hold, or "".

    A pattern that no answer has by chance (an e-mail address, an IP address, a phone number, a
    postcode, a browser's name) decides by one cell; ids, coordinates, names and free text only
    when most cells look like it.
    """
    texts = [value.strip()[:_LONGEST_VALUE] for value in values if value.strip()]
    if not texts:
        return ""
    distinct = list(dict.fromkeys(texts))
    joined = "\n".join(distinct)
    for kind, pattern in _CONTENT:
        if pattern.search(joined):
            return kind
    if len(texts) < 5 or len(distinct) < 0.8 * len(texts):
        return ""
    for kind, pattern in ((_LOCATION, _COORDINATE), (PERSON_ID, _LONG_ID), (_NAME, _PERSON_NAME)):
        if sum(bool(pattern.fullmatch(text)) for text in distinct) > 0.8 * len(distinct):
            return kind
    wordy = sum(len(text.split()) >= 4 for text in distinct)
    return FREE_TEXT if wordy > 0.4 * len(distinct) else ""


def mask_text(text: str) -> str:
    """Replace what points to a person: e-mails, links, phones, postcodes, @names, addresses.

    Names of people in running text are not found: stories are read by a person before they are
    published.
    """
    text = unicodedata.normalize("NFKC", text)
    for mask, pattern in _MASKS:
        text = pattern.sub(mask, text)
    return text


def make_key(folder: Path, files: Iterable[Path]) -> bytes:
    """Return the key for the hashes of one run: from the key file, or else from the data.

    Without a key file the key is a digest of the survey files themselves. So a run on the same
    files gives the same hashes, and nobody without those files, which hold the ids anyway, can
    find an id by hashing guesses. With a file ``.sbwork-key`` beside cohort.yml (any secret text)
    the hashes stay the same when files are added. The key is never written anywhere.
    """
    digest = hashlib.blake2b(digest_size=32, person=b"sbwork-person")
    stored = folder / KEY_FILE
    if stored.is_file():
        secret = stored.read_bytes().strip()
        if len(secret) < 16:
            found = f"the key holds {len(secret)} bytes, too few to keep a secret"
            raise InputError(Problem(KEY_FILE, "", found, "Write 16 characters or more, by chance"))
        digest.update(secret)
        return digest.digest()
    for file in files:
        digest.update(file.read_bytes())
    return digest.digest()


def hash_ids(ids: Iterable[str], key: bytes) -> list[str]:
    """Replace ids by a keyed hash (HMAC with SHA-256, cut to 64 bits).

    A blank and what stands for one, such as ``0``, ``N/A`` or ``anonymous``, become blank.

    Case, spaces, a ``.0`` left behind by a spreadsheet and zeros taken away by one count for
    nothing, so that a person is the same in both waves.
    """
    hashes = []
    for written in ids:
        plain = "".join(written.split()).casefold()
        plain = re.sub(r"^0*(\d+)(?:\.0+)?$", r"\1", plain)
        digest = hmac.new(key, plain.encode(), hashlib.sha256).hexdigest()[:16]
        hashes.append("" if _NO_ID.fullmatch(plain) else digest)
    return hashes


def _split_words(name: str) -> str:
    """Cut a name into small words: RecipientLastName -> recipient last name."""
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return " ".join(re.sub(r"[\W_]+", " ", name).casefold().split())
