#!/usr/bin/env python3
"""Compares the tables that pactolus wrote with the .mid file they came from, value by value.

    python check_tables.py run00008.mid --id 1 run00008.Trigger.parquet run00008.Trigger.arrow \
                                        --id 2 run00008.Scaler.parquet

The .mid file is walked with struct.unpack alone. Each table is read with pyarrow, polars, DuckDB and
awkward, and its row headers with pandas too. With --flat the tables are flat ones. Banks that are not in the .mid file (CADC, ASUM, ACUM)
are computed here as the modules of the sample experiment do it. The first difference ends the
check with exit code 1.
"""

import argparse
import datetime
import math
import re
import struct
import sys

import awkward as ak
import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.ipc
import pyarrow.parquet

# awkward takes a second for 2000 columns; flat tables of more are for others to read.
MANY_COLUMNS = 5000

HEAD = ["run", "serial", "timestamp", "trigger_mask", "epoch"]
UTC = datetime.timezone.utc

# name: (number in files, letter for struct.unpack or None, bytes of one element)
TYPES = {
    "BYTE": (1, "B", 1), "SBYTE": (2, "b", 1), "CHAR": (3, None, 1), "WORD": (4, "H", 2),
    "SHORT": (5, "h", 2), "DWORD": (6, "I", 4), "INT": (7, "i", 4), "BOOL": (8, "I", 4),
    "FLOAT": (9, "f", 4), "DOUBLE": (10, "d", 8), "BITFIELD": (11, "B", 1), "STRING": (12, None, 0),
    "ARRAY": (13, None, 0), "STRUCT": (14, None, 0), "KEY": (15, None, 0), "LINK": (16, None, 0),
    "INT64": (17, "q", 8), "UINT64": (18, "Q", 8),
}  # fmt: skip
NAMES = {number: name for name, (number, _, _) in TYPES.items()}

# What each type must be in the table, as pyarrow names it.
ARROW = {
    "BYTE": "uint8", "SBYTE": "int8", "WORD": "uint16", "SHORT": "int16", "DWORD": "uint32",
    "INT": "int32", "BOOL": "bool", "FLOAT": "float", "DOUBLE": "double", "BITFIELD": "uint8",
    "INT64": "int64", "UINT64": "uint64",
}  # fmt: skip

LAYOUTS = {
    "STC0": "b:BYTE,x:DOUBLE,w word:WORD,f:FLOAT[2],i:INT,s:STRING*8",
    "4": "Temperature:DOUBLE,Voltage V:FLOAT[3],Count:INT,Status word:WORD,Flags:BYTE[4],On:BOOL,Label:STRING*10",
}
PEDESTAL = [174, 194, 176, 182, 185, 215, 202, 202]
GAIN = [1.0] * 8
THRESHOLD = 5.0


class Difference(Exception):
    """The table is not what the file says."""


# -- the .mid file ---------------------------------------------------------------------------


class Struct:
    """A C structure from text: `name:TYPE`, `name:TYPE[count]`, `name:STRING*length`."""

    def __init__(self, text):
        self.members = []
        end, largest = 0, 1
        for item in text.split(","):
            name, _, kind = item.rpartition(":")
            kind, _, length = kind.partition("*")
            kind, _, count = kind.partition("[")
            count = int(count.rstrip("]")) if count else 1
            _, _, size = TYPES[kind]
            align = size or 1
            size = size or int(length)
            start = (end + align - 1) // align * align
            self.members.append((name, kind, count, size, start))
            end = start + count * size
            largest = max(largest, align)
        self.bare = end
        self.size = (end + largest - 1) // largest * largest

    def unpack(self, data, order):
        """A dict of the members; None for those that `data` does not hold."""
        record = {}
        for name, kind, count, size, start in self.members:
            part = data[start : start + count * size]
            if len(part) < count * size:
                record[name] = None
            elif kind in ("STRING", "LINK"):
                items = [part[i * size : (i + 1) * size].split(b"\0")[0] for i in range(count)]
                record[name] = items[0] if count == 1 else items
            elif kind == "CHAR":
                record[name] = part.rstrip(b"\0")
            else:
                items = numbers(kind, part, order)
                record[name] = items[0] if count == 1 else items
        return record


def numbers(kind, data, order):
    _, letter, size = TYPES[kind]
    count = len(data) // size
    values = list(struct.unpack(f"{order}{count}{letter}", data[: count * size]))
    return [value != 0 for value in values] if kind == "BOOL" else values


def walk_banks(payload):
    """(name, type number, data, byte order) of each bank."""
    if len(payload) < 8:
        return
    order = "<"
    total, flags = struct.unpack("<II", payload[:8])
    if flags >= 0x10000:
        order = ">"
        total, flags = struct.unpack(">II", payload[:8])
    size, form = (16, "4sIII") if flags & 0x20 else (12, "4sII") if flags & 0x10 else (8, "4sHH")
    end = min(8 + total, len(payload))
    at = 8
    while at + size <= end:
        name, number, length = struct.unpack(order + form, payload[at : at + size])[:3]
        at += size
        if at + length > end:
            return
        yield name, number & 0xFF, payload[at : at + length], order
        at += (length + 7) // 8 * 8


def walk_events(path):
    """(id, mask, serial, time, payload) of each whole data event."""
    with open(path, "rb") as file:
        data = file.read()
    at = 0
    while at + 16 <= len(data):
        number, mask, serial, time, size = struct.unpack("<HHIII", data[at : at + 16])
        if at + 16 + size > len(data):
            return
        if number < 0x8000:
            yield number, mask, serial, time, data[at + 16 : at + 16 + size]
        at += 16 + size


def run_number(path):
    """The serial number of the first begin-of-run event, or None."""
    with open(path, "rb") as file:
        number, _, serial = struct.unpack("<HHI", file.read(8))
    return serial if number == 0x8000 else None


class Column:
    """The values that a column must hold, one per event; None where it is null."""

    def __init__(self, kind, record=None):
        self.kind = kind
        self.record = record
        self.values = []
        # Of FLOAT and DOUBLE all bits, those of NaN too, which no comparison of numbers sees.
        self.bits = bytearray()

    def add(self, data, order):
        kind = self.kind
        if kind in ARROW:
            self.values.append(numbers(kind, data, order))
            if kind in ("FLOAT", "DOUBLE"):
                size = TYPES[kind][2]
                letter = "I" if size == 4 else "Q"
                bits = struct.unpack(f"{order}{len(data) // size}{letter}", data[: len(data) // size * size])
                self.bits += struct.pack(f"<{len(bits)}{letter}", *bits)
        elif kind in ("STRING", "LINK"):
            self.values.append(data.split(b"\0")[0])
        elif kind == "CHAR":
            self.values.append(data.rstrip(b"\0"))
        elif self.record:
            size, bare = self.record.size, self.record.bare
            if len(data) % size not in (0, bare):
                self.values.append(None)
            else:
                items = [self.record.unpack(data[i : i + size], order) for i in range(0, len(data), size)]
                self.values.append(items or None)
        else:
            self.values.append(data)

    def finish(self):
        """Settles what all values together decide: one struct or many, text or bytes."""
        if self.record and all(value is None or len(value) == 1 for value in self.values):
            self.values = [value and value[0] for value in self.values]
        if self.kind in ("STRING", "LINK", "CHAR"):
            self.values = as_text(self.values)
        if self.record:
            for name, kind, *_ in self.record.members:
                if kind in ("STRING", "LINK", "CHAR"):
                    records = [r for v in self.values if v is not None for r in (v if isinstance(v, list) else [v])]
                    for record, value in zip(records, as_text([r[name] for r in records])):
                        record[name] = value


def as_text(values):
    """Text if every value is UTF-8, the bytes otherwise."""

    def decode(value):
        return [decode(item) for item in value] if isinstance(value, list) else value and value.decode()

    try:
        return ["" if value == b"" else decode(value) for value in values]
    except UnicodeDecodeError:
        return values


def expected(path, wanted, layouts):
    """Row headers and columns of the events with id `wanted`."""
    head = {name: [] for name in ("serial", "timestamp", "trigger_mask")}
    columns = {}
    fixed = Struct(layouts[str(wanted)]) if str(wanted) in layouts else None
    rows = 0
    for number, mask, serial, time, payload in walk_events(path):
        if number != wanted:
            continue
        head["serial"].append(serial)
        head["timestamp"].append(time)
        head["trigger_mask"].append(mask)
        if fixed:
            for name, value in fixed.unpack(payload, "<").items():
                columns.setdefault(name, Column("MEMBER")).values.append(value)
        else:
            seen = set()
            for name, code, data, order in walk_banks(payload):
                if name in seen:
                    continue
                seen.add(name)
                name = name.split(b"\0")[0].decode("ascii")
                kind = NAMES.get(code, f"type {code}")
                if name not in columns:
                    record = Struct(layouts[name]) if kind == "STRUCT" and name in layouts else None
                    columns[name] = Column(kind, record)
                    columns[name].values = [None] * rows
                if columns[name].kind == kind:
                    columns[name].add(data, order)
        rows += 1
        for column in columns.values():
            column.values += [None] * (rows - len(column.values))
    for name, column in columns.items():
        column.finish()
        if fixed and any(name == member for member, kind, *_ in fixed.members if kind == "STRING"):
            column.values = as_text(column.values)
    return head, columns


def flat(columns, fixed):
    """The columns of a flat table: one for each element, named as in mana."""
    plain = {}

    def add(name, kind, values):
        name = re.sub("[^A-Za-z0-9]", "_", name)
        plain[name + "_" if name in HEAD else name] = Column("PLAIN " + kind)
        plain[name + "_" if name in HEAD else name].values = values

    def add_list(name, kind, values):
        for i in range(max((len(v) for v in values if v is not None), default=0)):
            add(f"{name}_{i}", kind, [v[i] if v is not None and i < len(v) else None for v in values])

    def add_member(name, kind, values):
        lists = any(isinstance(value, list) for value in values)
        (add_list if lists else add)(name, kind, values)

    def add_struct(name, record, values):
        first = next((value for value in values if value is not None), {})
        kinds = {member: kind for member, kind, *_ in record.members} if record else {}
        for member in first:
            add_member(f"{name}_{member}", kinds.get(member, "FLOAT"), [v and v[member] for v in values])

    kinds = {member: kind for member, kind, *_ in fixed.members} if fixed else {}
    for name, column in columns.items():
        values = column.values
        if fixed:
            add_member(name, kinds[name], values)
        elif column.kind in ARROW:
            add_list(name, column.kind, values)
        elif any(isinstance(value, dict) for value in values):
            add_struct(name, column.record, values)
        elif column.record:
            for i in range(max((len(v) for v in values if v is not None), default=0)):
                add_struct(f"{name}_{i}", column.record, [v[i] if v and i < len(v) else None for v in values])
        else:
            add(name, column.kind, values)
    return plain


# -- banks that the sample experiment computes --------------------------------------------------


def calibrated(adc0):
    """mana's sample experiment: in single precision, as it is stored."""
    f32 = np.float32
    return [float(f32(f32(float(v) - PEDESTAL[i] + 0.5) * f32(GAIN[i]))) for i, v in enumerate(adc0[:4])]


def summed(cadc):
    total, count = np.float32(0), 0
    for value in cadc:
        if value > THRESHOLD:
            total, count = np.float32(total + np.float32(value)), count + 1
    return {"Sum": float(total), "Average": float(np.float32(total / np.float32(count))) if count else 0.0}


def add_computed(columns):
    """Adds what the modules of the sample experiment make of ADC0 and SCLR."""

    def derive(name, source, function, kind):
        if source in columns and name not in columns:
            columns[name] = Column(kind)
            columns[name].values = [None if value is None else function(value) for value in columns[source].values]

    sums = []

    def accumulated(scaler):
        sums.extend([0.0] * (len(scaler) - len(sums)))
        for i, value in enumerate(scaler):
            sums[i] += value
        return sums[: len(scaler)]

    derive("CADC", "ADC0", calibrated, "FLOAT")
    derive("ASUM", "CADC", summed, "COMPUTED")
    derive("ACUM", "SCLR", accumulated, "DOUBLE")


# -- the tables -----------------------------------------------------------------------------------


def parquet(path):
    return path.endswith(".parquet")


def arrow_table(path):
    if parquet(path):
        return pa.parquet.read_table(path)
    with pa.ipc.open_file(path) as file:
        return file.read_all()


def read_pyarrow(path):
    table = arrow_table(path)
    return {name: table.column(name).to_pylist() for name in table.column_names}


def read_polars(path):
    frame = pl.read_parquet(path) if parquet(path) else pl.read_ipc(path)
    return {name: frame[name].to_list() for name in frame.columns}


def read_duckdb(path):
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    if parquet(path):
        source = connection.read_parquet(path)
    else:
        source = connection.from_arrow(arrow_table(path))
    kinds = dict(zip(source.columns, map(str, source.types)))
    if kinds["timestamp"] != "TIMESTAMP WITH TIME ZONE":
        raise Difference(f"duckdb takes the timestamp for {kinds['timestamp']}")
    rows = source.project("* REPLACE (epoch_ms(timestamp) AS timestamp)").fetchall()
    columns = {name: list(values) for name, values in zip(source.columns, zip(*rows))}
    columns = columns or {name: [] for name in source.columns}
    columns["timestamp"] = [datetime.datetime.fromtimestamp(t / 1000, UTC) for t in columns["timestamp"]]
    return columns


def read_awkward(path):
    array = ak.from_parquet(path) if parquet(path) else ak.from_arrow(arrow_table(path))
    columns = {name: ak.to_list(array[name]) for name in array.fields if name != "timestamp"}
    seconds = ak.to_numpy(array["timestamp"]).astype("datetime64[s]").astype(int).tolist()
    columns["timestamp"] = [datetime.datetime.fromtimestamp(t, UTC) for t in seconds]
    return columns


def read_pandas(path):
    """Row headers alone: lists become arrays of objects there."""
    frame = pd.read_parquet(path, columns=HEAD) if parquet(path) else pa.feather.read_feather(path, columns=HEAD)
    if str(frame["timestamp"].dt.tz) != "UTC":
        raise Difference(f"pandas takes the timestamp for {frame['timestamp'].dtype}")
    columns = {name: frame[name].tolist() for name in HEAD}
    columns["timestamp"] = [t.to_pydatetime() for t in columns["timestamp"]]
    return columns


READERS = {
    "pyarrow": read_pyarrow,
    "polars": read_polars,
    "duckdb": read_duckdb,
    "awkward": read_awkward,
    "pandas": read_pandas,
}


def check_types(path, columns):
    """Whether the columns have the types that the bank types call for."""
    fields = {field.name: field for field in arrow_table(path).schema}
    wanted = {"run": "uint32", "serial": "uint32", "trigger_mask": "uint16", "epoch": "uint32"}
    wanted["timestamp"] = f"timestamp[{'ms' if parquet(path) else 's'}, tz=UTC]"
    for name, kind in wanted.items():
        found = fields[name]
        if str(found.type) != kind or found.nullable:
            raise Difference(f"column {name}: {kind} that is never null wanted, {found.type} found")
    for name, column in columns.items():
        if name not in fields:
            continue
        found = fields[name].type
        plain = column.kind.removeprefix("PLAIN ")
        if column.kind in ARROW and (not pa.types.is_list(found) or str(found.value_type) != ARROW[column.kind]):
            raise Difference(f"column {name}: list of {ARROW[column.kind]} wanted, {found} found")
        if plain != column.kind and plain in ARROW and str(found) != ARROW[plain]:
            raise Difference(f"column {name}: {ARROW[plain]} wanted, {found} found")


def check_bits(path, columns):
    """Whether floating-point values are those of the file to the last bit."""
    table = arrow_table(path)
    for name, column in columns.items():
        if column.bits and name in table.column_names:
            found = table.column(name).combine_chunks().flatten().to_numpy(zero_copy_only=False).tobytes()
            if found != bytes(column.bits):
                raise Difference(f"{path}, column {name}: other bits")


# -- comparison -----------------------------------------------------------------------------------


def same(a, b):
    """Number of equal values, or None if the two differ. Floats are equal bit for bit, but any
    NaN equals any other."""
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return total(map(same, a, b)) if len(a) == len(b) else None
    if isinstance(a, dict) and isinstance(b, dict):
        return total(same(a[key], b[key]) for key in a) if list(a) == list(b) else None
    if isinstance(a, float) and isinstance(b, float):
        equal = math.isnan(a) and math.isnan(b) or a == b and math.copysign(1, a) == math.copysign(1, b)
    else:
        equal = type(a) is type(b) and a == b
    return 1 if equal else None


def total(counts):
    counts = list(counts)
    return None if None in counts else sum(counts) or 1


def compare(name, wanted, found):
    if len(wanted) != len(found):
        raise Difference(f"column {name}: {len(wanted)} rows wanted, {len(found)} found")
    values = 0
    for row, (a, b) in enumerate(zip(wanted, found)):
        count = same(a, b)
        if count is None:
            raise Difference(f"column {name}, row {row}: {a!r} wanted, {b!r} found")
        values += count
    return values


def check(path, run, head, columns, options, counts):
    check_types(path, columns)
    if not options.subset:
        check_bits(path, columns)
    for reader, read in READERS.items():
        if reader == "awkward" and len(columns) > MANY_COLUMNS:
            continue
        try:
            found = read(path)
            keep = kept_rows(head["serial"], found["serial"], options.subset)

            def pick(values):
                return [values[i] for i in keep]

            wanted = {name: pick(values) for name, values in head.items()}
            wanted["timestamp"] = [datetime.datetime.fromtimestamp(t, UTC) for t in wanted["timestamp"]]
            if run is not None:
                wanted["run"] = [run] * len(keep)
            values = sum(compare(name, wanted[name], found[name]) for name in wanted)
            if reader != "pandas":
                values += compare_columns(columns, found, pick, options)
        except Difference as difference:
            raise Difference(f"{path} read by {reader}: {difference}") from None
        counts[reader] = counts.get(reader, 0) + values


def kept_rows(wanted, found, subset):
    """Which events have a row: all, or with `subset` those of the serial numbers found."""
    if not subset:
        return range(len(wanted))
    rows, at = [], 0
    for serial in found:
        while at < len(wanted) and wanted[at] != serial:
            at += 1
        if at == len(wanted):
            raise Difference(f"no event has serial number {serial} there")
        rows.append(at)
        at += 1
    return rows


def compare_columns(columns, found, pick, options):
    values = 0
    for name, column in columns.items():
        column_name = name + "_" if name in HEAD else name
        if column_name in found:
            values += compare(name, pick(column.values), found[column_name])
        elif name[:4] not in ("CADC", "ASUM", "ACUM") and name not in options.without:
            raise Difference(f"no column {name}")
    for name in found:
        known = name in HEAD or name in columns or name.rstrip("_") in HEAD
        if not known and name not in options.ignore and any(value is not None for value in found[name]):
            raise Difference(f"column {name} is neither in the .mid file nor known here")
    return values


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("mid", help="the .mid file, not compressed")
    arguments.add_argument("--id", nargs="+", action="append", required=True, metavar=("ID", "TABLE"),
                           help="an event id and the tables of its events")  # fmt: skip
    arguments.add_argument("--layout", action="append", default=[], metavar="NAME=MEMBERS",
                           help="members of a STRUCT bank, or of the FIXED events of an id: "
                                "'STC0=b:BYTE,x:DOUBLE,f:FLOAT[2],s:STRING*8'")  # fmt: skip
    arguments.add_argument("--undefined", action="store_true", help="STRUCT banks and FIXED events have no members")
    arguments.add_argument("--flat", action="store_true", help="the tables are flat")
    arguments.add_argument("--pedestal", type=int, help="pedestal of channel 0 (default: that of the experiment)")
    arguments.add_argument("--run", type=int, help="the run number (default: that of the begin-of-run event)")
    arguments.add_argument("--subset", action="store_true", help="events may be missing in the tables")
    arguments.add_argument("--without", nargs="+", default=[], metavar="BANK", help="banks that are switched off")
    arguments.add_argument("--ignore", nargs="+", default=[], metavar="COLUMN", help="columns not to look at")
    options = arguments.parse_args()

    if options.pedestal is not None:
        PEDESTAL[0] = options.pedestal
    layouts = {} if options.undefined else LAYOUTS | dict(item.split("=", 1) for item in options.layout)
    run = options.run if options.run is not None else run_number(options.mid)
    counts = {}
    try:
        for number, *paths in options.id:
            head, columns = expected(options.mid, int(number), layouts)
            add_computed(columns)
            if options.flat:
                columns = flat(columns, Struct(layouts[number]) if number in layouts else None)
            for path in paths:
                check(path, run, head, columns, options, counts)
    except Difference as difference:
        sys.exit(f"check_tables: {difference}")
    print("equal values:", ", ".join(f"{reader} {count}" for reader, count in counts.items()))


if __name__ == "__main__":
    main()
