#!/usr/bin/env python3
"""Compares histograms that pactolus wrote with what is computed here from the events.

To be run where `tests/histograms_elsewhere.rs` has put run00041.mid, run00042.mid and the files of
their histograms. Counts must be equal, sums those of exact arithmetic rounded once, mean and width
within 1e-12. Tables are read with pyarrow, polars, DuckDB and pandas, JSON with Python's own reader.
The first difference ends the check with exit code 1.
"""

import json
import math
import struct
import sys
from fractions import Fraction

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.ipc
import pyarrow.parquet

from check_tables import walk_banks, walk_events

X = np.linspace(-2.4, 2.4, 61)
Y = np.array([-3.0, -1.0, -0.5, 0.0, 0.1, 2.0])
INTEGER = np.arange(-2.0, 4.0)
MOST_TIMES = 1000

checked = 0


def events(path):
    """Times, x, y and weights of a run, one row for each fill."""
    rows = []
    for _, _, _, time, payload in walk_events(path):
        for _, _, data, order in walk_banks(payload):
            values = struct.unpack(f"{order}{len(data) // 8}d", data)
            rows += [(time, *values[i : i + 3]) for i in range(0, len(values), 3)]
    return np.array(rows).T


def want(name, wanted, found):
    global checked
    checked += 1
    same = wanted == found or (wanted != wanted and found != found)
    if not same:
        sys.exit(f"{name}: {wanted!r} wanted, {found!r} found")


def near(name, wanted, found, scale=0.0):
    global checked
    checked += 1
    if abs(found - wanted) > 1e-12 * max(abs(wanted), scale):
        sys.exit(f"{name}: {wanted!r} wanted, {found!r} found, {abs(found / wanted - 1):.1e} off")


def exact(terms):
    """A sum of products, rounded once."""
    total = Fraction(0)
    for term in terms:
        product = Fraction(1)
        for factor in term:
            product *= Fraction(factor)
        total += product
    return total


def cells(edges, values):
    """Bin of each value: 0 below, len(edges) above and for what is no number."""
    return np.searchsorted(edges, values, side="right")


def mean_and_sigma(values, weights):
    """With fractions, so that nothing cancels."""
    total = exact([w] for w in weights)
    mean = exact(zip(values, weights)) / total
    square = exact((x, x, w) for x, w in zip(values, weights)) / total - mean * mean
    return float(mean), math.sqrt(square)


def strip_edges(times):
    """Edges of the bins that were filled; what lies between two of them is one bin."""
    width = 1
    while len({int(t) // width for t in times}) > MOST_TIMES:
        width *= 2
    edges = sorted({int(t) // width * width + side for t in times for side in (0, width)})
    return np.array(edges, dtype=float), width


def histograms(times, x, y, w):
    """What each histogram must be: kind, x edges, y edges, x, y, weights, value."""
    return {
        "counts": ("hist1", X, None, x, None, None, None),
        "one/integer": ("hist1", INTEGER, None, x, None, None, None),
        "one/variable": ("hist1", Y, None, y, None, None, None),
        "two/map": ("hist2", X, Y, x, y, None, None),
        "two/profile": ("profile", X, None, x, None, None, y),
        "rate": ("strip", strip_edges(times)[0], None, times, None, None, y),
        "weighted/one": ("hist1", X, None, x, None, w, None),
        "weighted/map": ("hist2", X, Y, x, y, w, None),
        "weighted/profile": ("profile", X, None, x, None, w, y),
    }


def check_row(name, row, wanted):
    kind, x_edges, y_edges, x, y, w, value = wanted
    want(f"{name} kind", kind, row["kind"])
    want(f"{name} weighted", w is not None, row["weighted"])
    want(f"{name} entries", len(x), row["entries"])
    want(f"{name} x edges", x_edges.tolist(), list(row["x_edges"]))
    want(f"{name} y edges", y_edges is None, row["y_edges"] is None)
    place = cells(x_edges, x)
    inside = (place > 0) & (place < len(x_edges))
    if y_edges is not None:
        want(f"{name} y edges", y_edges.tolist(), list(row["y_edges"]))
        across = cells(y_edges, y)
        inside &= (across > 0) & (across < len(y_edges))
        place = place + (len(x_edges) + 1) * across

    # numpy's own histogram, whose last bin has both its edges.
    if kind == "hist1" and w is None:
        theirs, _ = np.histogram(x[x < x_edges[-1]], bins=x_edges)
        ours = np.zeros(len(x_edges) + 1, dtype=int)
        ours[np.array(row["cell"])] = row["count"]
        want(f"{name} numpy.histogram", theirs.tolist(), ours[1:-1].tolist())
    if kind == "hist2" and w is None:
        keep = (x < x_edges[-1]) & (y < y_edges[-1])
        theirs, _, _ = np.histogram2d(x[keep], y[keep], bins=[x_edges, y_edges])
        ours = np.zeros((len(y_edges) + 1) * (len(x_edges) + 1), dtype=int)
        ours[np.array(row["cell"])] = row["count"]
        ours = ours.reshape(len(y_edges) + 1, len(x_edges) + 1)[1:-1, 1:-1]
        want(f"{name} numpy.histogram2d", theirs.T.tolist(), ours.tolist())

    filled = np.unique(place)
    want(f"{name} cells", filled.tolist(), list(row["cell"]))
    weights = np.ones(len(x)) if w is None else w
    for i, cell in enumerate(filled):
        which = place == cell
        here, ww = f"{name} cell {cell}", weights[which]
        want(f"{here} count", int(which.sum()), row["count"][i])
        total, squares = math.fsum(ww), float(exact((v, v) for v in ww))
        if w is not None:
            want(f"{here} sum", total, row["sum"][i])
            want(f"{here} squares", squares, row["squares"][i])
        else:
            want(f"{here} sums", True, row["sum"] is None and row["squares"] is None)
        if value is None:
            want(f"{here} content", total, row["content"][i])
            want(f"{here} error", math.sqrt(squares), row["error"][i])
            continue
        v = value[which]
        if not np.isfinite(v).all():
            want(f"{here} of no numbers", True, math.isnan(row["values"][i]))
            continue
        want(f"{here} values", float(exact(zip(ww, v))), row["values"][i])
        want(f"{here} squares of values", float(exact((a, b, b) for a, b in zip(ww, v))), row["value_squares"][i])
        near(f"{here} mean", float(exact(zip(ww, v)) / exact([a] for a in ww)), row["content"][i])
        if w is None:
            _, sigma = mean_and_sigma(v, ww)
            near(f"{here} error", sigma / math.sqrt(len(v)), row["error"][i], scale=abs(v).max() * 1e-3)
    ww = weights[inside]
    if kind == "strip":
        # Of time, bins are all that is kept.
        x = (x_edges[place - 1] + x_edges[np.minimum(place, len(x_edges) - 1)]) / 2
    check_width(f"{name} x", x[inside], ww, row["mean_x"], row["sigma_x"])
    along = y if y is not None else value
    if along is None:
        want(f"{name} mean_y", True, row["mean_y"] is None and row["sigma_y"] is None)
    elif np.isfinite(along[inside]).all():
        check_width(f"{name} y", along[inside], ww, row["mean_y"], row["sigma_y"])


def check_width(name, values, weights, mean, sigma):
    wanted = mean_and_sigma(values, weights)
    near(f"{name} mean", wanted[0], mean)
    near(f"{name} sigma", wanted[1], sigma)


def array(value):
    """An array of JSROOT's: a list, or stretches of one."""
    if isinstance(value, list):
        return value
    whole, place = [0.0] * value["len"], 0
    for key, item in list(value.items())[2:]:
        if key[0] == "p":
            place = item
        else:
            whole[place : place + len(item)] = item
    return whole


def leaves(folder, path=""):
    for item in folder["fFolders"]["arr"]:
        if "fFolders" in item:
            yield from leaves(item, f"{path}{item['fName']}/")
        else:
            yield path + item["fName"], item


def check_json(leaf, row, name):
    """The JSON has what the table has."""
    profile = leaf["_typename"] == "TProfile"
    want(f"{name} class", {"hist1": "TH1D", "hist2": "TH2D"}.get(row["kind"], "TProfile"), leaf["_typename"])
    pairs = [("fArray", "values" if profile else "content")]
    if profile:
        pairs += [("fSumw2", "value_squares"), ("fBinEntries", "sum" if row["weighted"] else "count")]
    if row["weighted"]:
        pairs += [("fBinSumw2" if profile else "fSumw2", "squares")]
    for member, column in pairs:
        found = array(leaf[member])
        want(f"{name} {member}", leaf["fNcells"], len(found))
        wanted = [0.0] * leaf["fNcells"]
        for cell, value in zip(row["cell"], row[column]):
            wanted[cell] = None if value != value else value
        want(f"{name} {member}", wanted, found)
    want(f"{name} fEntries", row["entries"], leaf["fEntries"])
    if leaf["fTsumw"]:
        near(f"{name} mean", row["mean_x"], leaf["fTsumwx"] / leaf["fTsumw"])


def read(stem):
    """The rows of a table as each library reads it, by name."""
    if stem.startswith("all"):
        yield "pyarrow", pyarrow.ipc.open_file(f"{stem}.arrow").read_all().to_pylist()
        yield "polars", pl.read_ipc(f"{stem}.arrow").to_dicts()
        return
    path = f"{stem}.parquet"
    yield "pyarrow", pyarrow.parquet.read_table(path).to_pylist()
    yield "polars", pl.read_parquet(path).to_dicts()
    query = duckdb.sql(f"from '{path}'")
    yield "duckdb", [dict(zip(query.columns, row)) for row in query.fetchall()]
    frame = pd.read_parquet(path)
    yield "pandas", [
        {key: None if np.ndim(v) == 0 and pd.isna(v) else v for key, v in row.items()} for row in frame.to_dict("records")
    ]


def main():
    runs = {41: events("run00041.mid"), 42: events("run00042.mid")}
    both = np.concatenate(list(runs.values()), axis=1)
    for stem, values, numbers in [
        ("run00041.histos", runs[41], [41]),
        ("run00042.histos", runs[42], [42]),
        ("all.histos", both, [41, 42]),
    ]:
        wanted = {f"Filler/{name}": of for name, of in histograms(*values).items()}
        with open(f"{stem}.json", encoding="utf-8") as file:
            top = json.load(file)
        want("runs", numbers, top["pactolus"]["runs"])
        drawn = dict(leaves(top))
        want("names", sorted(wanted), sorted(drawn))
        for library, rows in read(stem):
            want(f"{stem} {library}: names", list(wanted), [row["name"] for row in rows])
            for row in rows:
                name = f"{stem} {library}: {row['name']}"
                check_row(name, row, wanted[row["name"]])
                if library == "pyarrow":
                    check_json(drawn[row["name"]], row, name)
    print(f"{checked} comparisons")


if __name__ == "__main__":
    main()
