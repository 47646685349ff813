"""What is personal data in a survey export: found, or replaced by a keyed hash."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from sbwork.specs.errors import InputError, Problem
from sbwork.specs.files import measure_file
from sbwork.specs.masks import (
    BIRTH,
    EMAIL,
    IP,
    LOCATION,
    NAME,
    PERSON_ID,
    PHONE,
    find_forms,
    is_name,
)

_LONGEST_KEY = 1e6
KEY_FILE = ".sbwork-key"
"""The file beside cohort.yml that may hold the secret for hashes."""

FREE_TEXT = "free text"
"""The kind of a column in people's own words."""

_DEVICE = "device or browser"

_SHORT_NAMES = (
    (EMAIL, r"\be ?mails?\b|\bmail address\b|\bcorreo\b|\bcourriel\b"),
    (
        PHONE,
        r"\b(?:tele)?phones?\b|\bmobile\b|\bcontact (?:no|number)\b|\bwhatsapp\b|\bfax\b"
        r"|\b(?:telefon|teléfono|téléphone|handy|telefoon|tel)\b",
    ),
    (IP, r"\bip\b|\bip ?addr(?:ess)?\b"),
    (
        LOCATION,
        r"\b(?:latitude|longitude|lat|lon|lng|long|geo ?(?:code|location)?|gps|easting|northing"
        r"|uprn|what ?3 ?words|coordinates?|\w*post ?codes?\d*|\w*zip(?: ?codes?)?\d*|postal code"
        r"|plz|p ?codes?|pcds?\d?|out(?:ward)? ?codes?"
        r"|street|road"
        r"|addr(?:ess)?(?: ?lines?)? ?\d*|(?:house|flat) (?:number|no))\b"
        r"|^(?:(?:home|your|my) )?pc ?\d?$",
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
        r"|passport|national insurance|social security|ssn|seed)\b"
        r"|\b(?:vrm|(?:number|licen[cs]e) plates?|(?:vehicle|car) reg\w*|reg(?:istration)?"
        r" (?:plate|mark|no|num|number))\b",
    ),
    (
        NAME,
        r"^names?$|\b(?:first|last|fore|sur|family|full|given|maiden|middle|your|nick"
        r"|respondent|participant|contact|officer|recipient) ?name\b"
        r"|\b(?:vorname|nachname|prénom|apellidos?|nombre|signature|initials)\b"
        r"|^(?:name of )?(?:the |your )?(?:interviewer|enumerator|field ?worker|interviewed by"
        r"|completed by|recorded by|case ?worker|social worker|line manager|next of kin|gp"
        r"|doctor)s?(?: ?(?:code|name|no|number|id|\d+))?$|^surgery$"
        r"|\b(?:gp|doctor'?s?) (?:practice|surgery)\b",
    ),
    (BIRTH, r"\b(?:date of birth|birth ?date|dob|birthday|geburtsdatum)\b"),
    (
        FREE_TEXT,
        r"\b(?:comments?|feedback|remarks?|verbatim|(?:open|free|other) text|suggestions?)\b"
        r"|\btext$",
    ),
)
_QUESTIONS = (
    (EMAIL, r"\be ?mail address\b|\byour e ?mail\b"),
    (PHONE, r"\b(?:phone|mobile|telephone|contact) number\b"),
    (LOCATION, r"\byour (?:full |home |street |postal )?(?:address|post ?code|zip)\b"),
    (NAME, r"\byour (?:full |first |last |own )?name\b|\bname of respondent\b"),
    (BIRTH, r"\bdate of birth\b"),
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

_AGENT = re.compile(r"Mozilla/\d|AppleWebKit|iPhone OS|Android \d|Windows NT")
_DATE = re.compile(
    r"(?:(\d{4})[./-]\d{1,2}[./-]\d{1,2}|\d{1,2}[./ -]\w{1,9}[./ -](\d{4}|\d\d))(?![./-]).*"
)
_COORDINATE = re.compile(r"-?\d{1,3}[.,]\d{4,}")
_LONG_ID = re.compile(r"(?=\S*\d)(?=\S*[A-Za-z])[\w-]{8,80}|\d{9,30}")
_PERSON_NAME = re.compile(r"[A-Z][a-zà-ÿ'-]{1,20}(?:\s[A-Z][A-Za-zà-ÿ'-]{0,20}){1,3}")
_OUTWARD_CODE = re.compile(
    r"(?:(?:A[BL]|B[ABDHLNRST]|C[ABFHMORTVW]|D[ADEGHLNTY]|E[CHNX]|F[KY]|G[LUY]|H[ADGPRSUX]|I[GMPV]"
    r"|JE|K[ATWY]|L[ADELNSU]|M[EKL]|N[EGNPRW]|O[LX]|P[AEHLOR]|R[GHM]|S[AEGKLMNOPRSTWY]|T[ADFNQRSW]"
    r"|UB|W[ACDFNRSV]|YO|ZE)\d{1,2}[A-Z]?(?: ?\d[A-Z]{0,2})?|[BEGLMNSW]\d{1,2}[A-Z]? \d[A-Z]{0,2})",
    re.IGNORECASE,
)
_LONGEST_VALUE = 400
_SAMPLE = 200
_SHARE_OF_NAMES = 0.4
_YOUNGEST, _YEARS_OF_A_SURVEY, _OLDEST_SURVEY = 40, 15, 2006


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

    A form that no answer has by chance (an e-mail address, a phone number, a postcode, a number
    plate, a browser's name) decides by one cell; ids, coordinates, dates of birth, addresses,
    parts of postcodes, names and free text only when many cells look like it.
    """
    texts = [value.strip()[:_LONGEST_VALUE] for value in values if value.strip()]
    if not texts:
        return ""
    distinct = list(dict.fromkeys(texts))
    joined = "\n".join(distinct)
    if _AGENT.search(joined):
        return _DEVICE
    kind = find_forms(joined, doubtful=False)
    if kind:
        return kind
    many = 0.8 * len(distinct)
    if _hold_births(distinct):
        return BIRTH
    if sum(bool(_OUTWARD_CODE.fullmatch(text)) for text in distinct) > many:
        return LOCATION
    if sum(map(is_name, distinct)) > _SHARE_OF_NAMES * len(distinct):
        return NAME
    doubtful = [find_forms(text, doubtful=True) for text in distinct[:_SAMPLE]]
    kind = max(doubtful, key=doubtful.count)
    if kind and doubtful.count(kind) > len(doubtful) / 2:
        return kind
    if len(texts) < 5 or len(distinct) < 0.8 * len(texts):
        return ""
    for kind, pattern in ((LOCATION, _COORDINATE), (PERSON_ID, _LONG_ID), (NAME, _PERSON_NAME)):
        if sum(bool(pattern.fullmatch(text)) for text in distinct) > many:
            return kind
    wordy = sum(len(text.split()) >= 4 for text in distinct)
    return FREE_TEXT if wordy > 0.4 * len(distinct) else ""


def _hold_births(texts: Sequence[str]) -> bool:
    """Whether most texts are dates, and of more years than a survey takes, or long past."""
    found = [match for text in texts if (match := _DATE.fullmatch(text))]
    years = [int(match[1] or match[2]) for match in found]
    years = [year if year > 99 else year + (1900 if year > _YOUNGEST else 2000) for year in years]
    if len(years) <= 0.8 * len(texts):
        return False
    return max(years) - min(years) > _YEARS_OF_A_SURVEY or max(years) < _OLDEST_SURVEY


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
        measure_file(stored, KEY_FILE, _LONGEST_KEY)
        secret = stored.read_bytes().strip()
        if len(secret) < 16:
            found = f"the key holds {len(secret)} bytes, too few to keep a secret"
            raise InputError(Problem(KEY_FILE, "", found, "Write 16 characters or more, by chance"))
        digest.update(secret)
        return digest.digest()
    for file in files:
        with file.open("rb") as stream:
            while piece := stream.read(1 << 20):
                digest.update(piece)
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
