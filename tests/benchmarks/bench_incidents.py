"""Reading incident archives, against DuckDB and pandas asked for the same groups.

Run as a script: ``python tests/benchmarks/bench_incidents.py [FOLDER]``. FOLDER holds street
files of data.police.uk, which are multiplied to four million rows in 104 files; without it rows
of the same shape are made up. About 1 GB is written to the temporary folder and removed.
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
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

FILES = 104
ROWS = 4_160_000
HEADER = (
    "Crime ID,Month,Reported by,Falls within,Longitude,Latitude,Location,LSOA code,LSOA name,"
    "Crime type,Last outcome category,Context"
)
KINDS = ("Anti-social behaviour", "Burglary", "Criminal damage and arson", "Vehicle crime", "Drugs")
MEASURES = """
import json, resource, sys, time
import pandas, duckdb
import sbwork.read.incidents, sbwork.read.incidents.police_uk
from pathlib import Path
from sbwork.specs.cohort import Cohort

folder, archive, cache = sys.argv[2:5]
files = sorted(str(path) for path in Path(folder).rglob("*-street.csv"))
keys = ["LSOA code", "LSOA name", "Crime type", "Month"]

def read(path, cache=None):
    cohort = Cohort(name="bench", incidents=[{"path": path}])
    return sbwork.read.incidents.read_incidents(cohort, cache=Path(cache) if cache else None)

def ask_duckdb(source):
    columns = ", ".join(f'"{key}"' for key in keys)
    store = duckdb.connect()
    store.execute("SET enable_progress_bar = false")
    return store.execute(
        f"SELECT filename, {columns}, count(*) AS n FROM {source} GROUP BY ALL", [files]
    ).df()

def ask_duckdb_without_sniffing():
    header = Path(files[0]).open().readline().strip().split(",")
    columns = {name: "VARCHAR" for name in header}
    return ask_duckdb(f"read_csv($1, header = true, auto_detect = false, columns = {columns})")

def ask_pandas(**options):
    table = pandas.concat([pandas.read_csv(file, **options) for file in files])
    return table.groupby(keys, dropna=False).size()

todo = {
    "sbwork, folder": lambda: read(folder),
    "sbwork, zip": lambda: read(archive),
    "sbwork, second read": lambda: read(folder, cache),
    "DuckDB, the same groups": lambda: ask_duckdb("read_csv($1)"),
    "DuckDB, columns given": ask_duckdb_without_sniffing,
    "pandas, all columns": ask_pandas,
    "pandas, needed columns": lambda: ask_pandas(usecols=keys),
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
DUCKDB = ("DuckDB, the same groups", "DuckDB, columns given")
RATIOS = (
    *(("sbwork, folder", peer, 1.3) for peer in DUCKDB),
    *(("sbwork, zip", peer, 1.5) for peer in DUCKDB),
    ("sbwork, folder", "pandas, needed columns", 1.0),
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
        for files, rows in ((FILES, given.rows), (13, 162_500)):
            folder, archive = Path(name) / f"{files}", Path(name) / f"{files}.zip"
            _build(folder, given.folder, files, rows)
            with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
                for path in sorted(folder.rglob("*.csv")):
                    target.write(path, path.relative_to(folder))
            size = sum(path.stat().st_size for path in folder.rglob("*.csv"))
            print(f"\n{files} files, {size / 1e6:,.0f} MB, {rows:,} rows")
            _measure(folder, archive, Path(name) / f"cache-{files}", given.rounds)


def _measure(folder: Path, archive: Path, cache: Path, rounds: int) -> None:
    labels = ["sbwork, folder", "sbwork, zip", "sbwork, second read", *DUCKDB]
    labels += ["pandas, all columns", "pandas, needed columns"]
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
    for over, under, limit in RATIOS:
        wall, cpu = (middle[over][key] / middle[under][key] for key in ("wall", "cpu"))
        sign = "PASS" if wall <= limit else "MISS"
        print(f"{sign}  {over} / {under}: {wall:.2f} (cpu {cpu:.2f}), target at most {limit}")
    for label, key, most, unit in LIMITS:
        value = middle[label][key]
        sign = "PASS" if value < most else "MISS"
        print(f"{sign}  {label}, {key}: {value:.2f} {unit}, target below {most:g} {unit}")
    if hasattr(os, "getloadavg"):
        print(f"load of the last minute: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


def _build(folder: Path, given: Path | None, files: int, rows: int) -> None:
    sources = sorted(given.rglob("*-street.csv")) if given else []
    each = -(-rows // files)
    for number in range(files):
        month = f"{2011 + number // 12}-{number % 12 + 1:02d}"
        target = folder / month / f"{month}-someforce-street.csv"
        target.parent.mkdir(parents=True)
        if sources:
            source = sources[number % len(sources)]
            head, *lines = source.read_bytes().splitlines(keepends=True)
            old, new = f",{source.name[:7]},".encode(), f",{month},".encode()
            lines = [line.replace(old, new) for line in lines]
        else:
            head = f"{HEADER}\r\n".encode()
            lines = _invent(month, each, random.Random(number))  # noqa: S311
        whole, rest = divmod(each, len(lines))
        target.write_bytes(head + b"".join(lines) * whole + b"".join(lines[:rest]))


def _invent(month: str, rows: int, chance: random.Random) -> list[bytes]:
    lines = []
    for _ in range(rows):
        area = int(chance.paretovariate(1) * 40) % 900
        kind = chance.choice(KINDS)
        mark = "" if kind == KINDS[0] else f"{chance.getrandbits(256):064x}"
        line = (
            f"{mark},{month},Some Force,Some Force,-1.{chance.randrange(10**6):06d},"
            f"54.{chance.randrange(10**6):06d},On or near Some Street,E01{area:06d},"
            f"Sometown {area // 5:03d}{'ABCDE'[area % 5]},{kind},"
            "Investigation complete; no suspect identified,\r\n"
        )
        lines.append(line.encode())
    return lines


if __name__ == "__main__":
    main()
