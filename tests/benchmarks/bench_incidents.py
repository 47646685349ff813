"""Reading incident archives, against pandas, DuckDB's bare count, and bare inflating.

Run as a script: ``python tests/benchmarks/bench_incidents.py [FOLDER]``. FOLDER holds street
files of data.police.uk, which are multiplied to ten million rows in 104 files; without it rows
of the same shape are made up. About 4 GB are written to the temporary folder and removed.
Every measurement runs in a process of its own, in turns; medians and the peak of memory are shown.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

FILES = 104
ROWS = 10_400_000
HEADER = (
    "Crime ID,Month,Reported by,Falls within,Longitude,Latitude,Location,LSOA code,LSOA name,"
    "Crime type,Last outcome category,Context"
)
KINDS = ("Anti-social behaviour", "Burglary", "Criminal damage and arson", "Vehicle crime", "Drugs")
MEASURES = """
import json, resource, sys, time
import pandas, numpy, duckdb, zipfile
import sbwork.read.incidents, sbwork.read.incidents.police_uk
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from sbwork.specs.cohort import Cohort

folder, archive, cache = sys.argv[2:5]
files = sorted(str(path) for path in Path(folder).rglob("*-street.csv"))
needed = ["Month", "LSOA code", "Crime type"]

def read(path, cache=None):
    cohort = Cohort(name="bench", incidents=[{"path": path}])
    kept = Path(cache) if cache else None
    return sbwork.read.incidents.read_incidents(cohort, cache=kept)

def pandas_all():
    table = pandas.concat([pandas.read_csv(file) for file in files])
    return table.groupby(["LSOA code", "Crime type", "Month"]).size()

def pandas_needed():
    table = pandas.concat([pandas.read_csv(file, usecols=needed) for file in files])
    return table.groupby(["LSOA code", "Crime type", "Month"]).size()

def bare_count():
    width = open(files[0]).readline().count(",") + 1
    columns = {f"c{number}": "VARCHAR" for number in range(width)}
    query = "SELECT count(*) FROM read_csv($1, auto_detect=false, header=true, delim=',', "
    query += f"quote='\\"', escape='\\"', columns={columns})"
    return duckdb.connect().execute(query, [files]).fetchall()

def inflate(member):
    with zipfile.ZipFile(archive) as opened, opened.open(member) as stream:
        while stream.read(1 << 20):
            pass

def bare_inflating():
    with zipfile.ZipFile(archive) as opened:
        members = opened.namelist()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(inflate, members))

todo = {
    "sbwork, folder": lambda: read(folder),
    "sbwork, zip": lambda: read(archive),
    "sbwork, second read": lambda: read(folder, cache),
    "pandas, all columns": pandas_all,
    "pandas, needed columns": pandas_needed,
    "DuckDB count(*)": bare_count,
    "inflating on two cores": bare_inflating,
}
if sys.argv[1] == "sbwork, second read":
    read(folder, cache)
before = resource.getrusage(resource.RUSAGE_SELF)
start = time.perf_counter()
todo[sys.argv[1]]()
wall = time.perf_counter() - start
after = resource.getrusage(resource.RUSAGE_SELF)
cores = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
print(json.dumps({"wall": wall, "cpu": cores, "peak": after.ru_maxrss / 1024}))
"""
RATIOS = (
    ("pandas, all columns", "sbwork, folder", 6.0, True),
    ("pandas, needed columns", "sbwork, folder", 2.5, True),
    ("sbwork, folder", "DuckDB count(*)", 1.3, False),
    ("sbwork, zip", "inflating on two cores", 1.3, False),
)
SMALL_RATIOS = (
    ("pandas, all columns", "sbwork, folder", 1.0, True),
    ("pandas, needed columns", "sbwork, folder", 1.0, True),
)
LIMITS = (
    ("sbwork, folder", "peak", 500.0, "MB"),
    ("sbwork, zip", "peak", 500.0, "MB"),
    ("sbwork, second read", "wall", 0.3, "s"),
)


def main() -> None:
    """Build the archive, measure everything in turns, and print seconds, memory and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="street files to multiply")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=ROWS)
    given = parser.parse_args()
    with TemporaryDirectory(prefix="sbwork-bench-") as name:
        folder = Path(name) / "archive"
        _build(folder, given.folder, given.rows)
        archive = Path(name) / "archive.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
            for path in sorted(folder.rglob("*.csv")):
                target.write(path, path.relative_to(folder))
        size = sum(path.stat().st_size for path in folder.rglob("*.csv"))
        print(f"{FILES} files, {size / 1e9:.2f} GB, {given.rows:,} rows asked for")
        _measure(folder, archive, Path(name) / "cache", given.rounds)
        small = Path(name) / "small"
        for path in sorted(folder.rglob("*.csv"))[:13]:
            with path.open("rb") as whole:
                lines = [line for _, line in zip(range(12_501), whole, strict=False)]
            (small / path.parent.name).mkdir(parents=True)
            (small / path.parent.name / path.name).write_bytes(b"".join(lines))
        print("\n13 files, some 31 MB")
        _measure(small, archive, Path(name) / "cache-small", given.rounds, small=True)


def _measure(folder: Path, archive: Path, cache: Path, rounds: int, small: bool = False) -> None:
    labels = ["sbwork, folder", "pandas, all columns", "pandas, needed columns"]
    labels += ["sbwork, second read"]
    if not small:
        labels += ["DuckDB count(*)", "sbwork, zip", "inflating on two cores"]
    found: dict[str, list[dict[str, float]]] = {label: [] for label in labels}
    for _ in range(rounds):
        for label in labels:
            done = subprocess.run(
                [sys.executable, "-c", MEASURES, label, str(folder), str(archive), str(cache)],
                check=True,
                capture_output=True,
                text=True,
            )
            found[label].append(json.loads(done.stdout.splitlines()[-1]))
    middle = {
        label: {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        for label, runs in found.items()
    }
    print(f"{'':<26}{'seconds':>9}{'cpu s':>9}{'peak MB':>9}")
    for label, figures in middle.items():
        print(f"{label:<26}{figures['wall']:9.2f}{figures['cpu']:9.2f}{figures['peak']:9.0f}")
    for over, under, limit, at_least in SMALL_RATIOS if small else RATIOS:
        ratio = middle[over]["wall"] / middle[under]["wall"]
        cpu = middle[over]["cpu"] / middle[under]["cpu"]
        good = ratio >= limit if at_least else ratio <= limit
        sign = "at least" if at_least else "at most"
        said = f"{over} / {under}: {ratio:.2f} (cpu {cpu:.2f}), target {sign} {limit}"
        print(f"{'PASS' if good else 'MISS'}  {said}")
    for label, key, most, unit in LIMITS:
        if label in middle:
            value = middle[label][key]
            said = f"{label}, {key}: {value:.2f} {unit}, target below {most:g} {unit}"
            print(f"{'PASS' if value < most else 'MISS'}  {said}")
    if hasattr(os, "getloadavg"):
        print(f"load of the last minute: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


def _build(folder: Path, given: Path | None, rows: int) -> None:
    started = time.perf_counter()
    sources = sorted(given.rglob("*-street.csv")) if given else []
    each = -(-rows // FILES)
    for number in range(FILES):
        month = f"{2011 + number // 12}-{number % 12 + 1:02d}"
        target = folder / month / f"{month}-someforce-street.csv"
        target.parent.mkdir(parents=True)
        if sources:
            source = sources[number % len(sources)]
            head, _, body = source.read_bytes().partition(b"\n")
            body = body.replace(f",{source.name[:7]},".encode(), f",{month},".encode())
            lines = body.splitlines(keepends=True)
            whole, rest = divmod(each, len(lines))
            target.write_bytes(head + b"\n" + body * whole + b"".join(lines[:rest]))
        else:
            target.write_bytes(_invent(month, each, random.Random(number)))  # noqa: S311
    print(f"built in {time.perf_counter() - started:.0f} s", file=sys.stderr)


def _invent(month: str, rows: int, chance: random.Random) -> bytes:
    lines = []
    for _ in range(min(rows, 12_500)):
        area = int(chance.paretovariate(1) * 40) % 900
        kind = chance.choice(KINDS)
        mark = "" if kind == KINDS[0] else f"{chance.getrandbits(256):064x}"
        lines.append(
            f"{mark},{month},Some Force,Some Force,-1.{chance.randrange(10**6):06d},"
            f"54.{chance.randrange(10**6):06d},On or near Some Street,E01{area:06d},"
            f"Sometown {area // 5:03d}{'ABCDE'[area % 5]},{kind},"
            "Investigation complete; no suspect identified,\r\n"
        )
    whole, rest = divmod(rows, len(lines))
    return f"{HEADER}\r\n{''.join(lines) * whole}{''.join(lines[:rest])}".encode()


if __name__ == "__main__":
    main()
