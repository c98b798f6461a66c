#!/bin/sh
# Small inputs to begin with, cut from the test corpus into corpus/<target>/. Run it once, or again
# when tests/corpus has changed: it adds and never removes.
set -eu
export LC_ALL=C
cd "$(dirname "$0")"
corpus=../tests/corpus
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for target in mid gzip lz4 bzip2 zstd asc odb xml json definition parameter mserver; do
    mkdir -p "corpus/$target"
    # The small cases that are ordinary tests.
    if [ -d "$corpus/fuzz/$target" ]; then cp "$corpus/fuzz/$target"/* "corpus/$target/"; fi
done

# The number of BYTES bytes at AT of FILE.
number() { od -An -v -t"u$3" -j"$2" -N"$3" "$1" | tr -d ' '; }

# Whole events of FILE from the first of at most 2000 bytes to the next larger one, about SIZE bytes.
events() {
    at=0
    end=$(wc -c <"$1")
    while [ $((at + 16)) -le "$end" ] && [ "$(number "$1" $((at + 12)) 4)" -gt 2000 ]; do
        at=$((at + 16 + $(number "$1" $((at + 12)) 4)))
    done
    from=$at
    while [ $((at + 16)) -le "$end" ] && [ $((at - from)) -lt "$2" ] && [ "$(number "$1" $((at + 12)) 4)" -le 2000 ]; do
        at=$((at + 16 + $(number "$1" $((at + 12)) 4)))
    done
    tail -c +$((from + 1)) "$1" | head -c $((at - from))
}

# An event: id, trigger mask, serial number, and the payload in printf's escapes; little-endian.
le() { printf '%b' "$(printf '\\0%03o' $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) $(($1 >> 24 & 255)))"; }
event() {
    printf '%b' "$4" >"$work/payload"
    { le "$1" | head -c 2; le "$2" | head -c 2; le "$3"; le 1506859200; le "$(wc -c <"$work/payload")"; cat "$work/payload"; }
}

for file in "$corpus"/mid/*.mid; do
    name=$(basename "$file" .mid)
    if [ "$(wc -c <"$file")" -le 2000 ]; then cp "$file" "corpus/mid/$name"; fi
    events "$file" 300 >"corpus/mid/$name.300"
    events "$file" 2000 >"corpus/mid/$name.2000"
done
{
    event 32768 18765 7 '[.]\nRun number = INT : 7\n\0000'
    event 49153 1 0 '\0030\0000\0000\0000'
    event 53249 1 0 '\0020\0000\0000\0000\0001\0000\0000\0000ADC0\0004\0000\0010\0000'
    event 2 1 0 ''
    event 53249 1 0 '\0001\0000\0002\0000\0003\0000\0004\0000TDC0\0004\0000\0000\0000\0000\0000\0000\0000\0000\0000\0000\0000'
    event 32769 18765 7 '\0000'
} >corpus/mid/fragments

# Streams as the tools write them, and cut ones.
events "$corpus/mid/run00006.mid" 1500 >"$work/events"
pack() { "$@" <"$work/events" >"$work/packed"; }
keep() { cp "$work/packed" "corpus/$1/$2"; head -c 200 "$work/packed" >"corpus/$1/$2.cut"; }
has() { command -v "$1" >/dev/null; }
for level in 1 9; do
    if has gzip; then pack gzip -n -$level; keep gzip level$level; fi
    if has bzip2; then pack bzip2 -$level; keep bzip2 level$level; fi
    if has zstd; then pack zstd -q -$level; keep zstd level$level; fi
    if has lz4; then pack lz4 -q -$level; keep lz4 level$level; fi
done
if has lz4; then
    pack lz4 -q -l; keep lz4 legacy
    pack lz4 -q -BD -B4 -BX; keep lz4 linked
    pack lz4 -q --no-frame-crc; keep lz4 plain
    { cat "$work/packed"; printf '\0120\0052\0115\0030\0004\0000\0000\0000skip'; cat "$work/packed"; } >corpus/lz4/twice
fi
if has zstd; then
    pack zstd -q --no-check --no-content-size; keep zstd plain
    { cat "$work/packed"; printf '\0120\0052\0115\0030\0004\0000\0000\0000skip'; cat "$work/packed"; } >corpus/zstd/twice
fi
if has gzip; then { cat corpus/gzip/level1 corpus/gzip/level9; printf '\0000\0000'; } >corpus/gzip/twice; fi
if has bzip2; then cat corpus/bzip2/level1 corpus/bzip2/level9 >corpus/bzip2/twice; fi
# Recipes, as fuzz_checks/packed.rs reads them: members and level, changes, content.
for target in gzip lz4 bzip2 zstd; do
    { printf '\0360\0006\0000'; cat "$work/events"; } >"corpus/$target/recipe"
    { printf '\0360\0007\0001\0050\0000\0377'; cat "$work/events"; } >"corpus/$target/recipe.changed"
done

# Whole events of the texts: from a line with an id to the empty line before another.
for file in "$corpus"/golden/g02/g02.asc "$corpus"/golden/g16/g16.asc "$corpus"/golden/g18/g18.asc \
    "$corpus"/golden/g43_110/g43_110.asc "$corpus"/golden/g50/g50.asc; do
    name=$(basename "$file" .asc)
    for events in 1 8; do
        awk -v n=$events 'index($0, "%ID ") == 1 && ++seen > n { exit } { print }' "$file" | head -c 4000 >"corpus/asc/$name.$events"
    done
    # From the middle of the file.
    awk 'NR > 300 && index($0, "%ID ") == 1 { on = 1; if (++seen > 3) exit } on { print }' "$file" | head -c 4000 >"corpus/asc/$name.middle"
done
for file in "$corpus"/mlogger2014/*; do head -c 1500 "$file" >"corpus/asc/$(basename "$file")"; done

for kind in odb xml json; do
    for file in "$corpus"/odb/*."$kind"; do
        name=$(basename "$file" ".$kind")
        if [ "$(wc -c <"$file")" -le 8000 ]; then cp "$file" "corpus/$kind/$name"; fi
        head -c 2000 "$file" >"corpus/$kind/$name.cut"
    done
done
cp "$corpus"/config/*.odb corpus/odb/
# Sections of the large dumps, whole: each line of a section and what its array needs is near.
split -l 40 "$corpus/odb/Types.odb" corpus/odb/types.
# Elements of the large dump of their own.
grep -ah '<key ' "$corpus/odb/Types.xml" | split -l 12 - "$work/keys."
for keys in "$work"/keys.*; do
    { printf '<odb root="/">\n<dir name="D">'; cat "$keys"; printf '</dir></odb>\n'; } >"corpus/xml/$(basename "$keys")"
done
sed -n '/<keyarray/,/<\/keyarray>/p' "$corpus/odb/Types.xml" | head -c 3000 | sed '$d' >"$work/arrays"
{ printf '<odb root="/">\n'; cat "$work/arrays"; printf '</keyarray></odb>\n'; } >corpus/xml/arrays
cat >corpus/json/small <<'END'
{ "/ODB path" : "/Types", "w/key" : { "type" : 4, "num_values" : 2, "access_mode" : 7, "last_written" : 1795225785 },
  "w" : [ "0x0001", "0xffff" ], "s/key" : { "type" : 12, "item_size" : 40, "access_mode" : 5, "last_written" : 1 }, "s" : "a\u00e9\n",
  "l/key" : { "type" : 7, "link": "/Types/w[1]", "access_mode" : 7, "last_written" : 0 }, "l" : 65535,
  "d" : { "f/key" : { "type" : 9 }, "f" : [ 1.5, "NaN", "-Infinity" ], "x" : true, "e" : { } } }
END

cp ../examples/experiment/analyzer.toml corpus/definition/experiment
cp ../tests/common/analyzer2.toml corpus/definition/analyzer2
for file in ../examples/*/analyzer.toml; do cp "$file" "corpus/definition/$(basename "$(dirname "$file")")"; done

cat >corpus/parameter/types <<'END'
/A/Parameters/Int[3]=7
/A/Parameters/Int[2-4]=-1
/a/parameters/word[*]=0xffff
/A/Parameters/Rate [Hz][1]=nan
/A/Parameters/String=a text
/L/One=5
/L/Dir/Parameters/Bool=y
END
cat >corpus/parameter/wrong <<'END'
/A/Parameters/Integer=7
/A/Locked=2
/L/Gone=1
/L/Me=1
/A=1
/A/Parameters/Byte=256
END
printf 'ADC calibration/Pedestal[3]=174\nADC_summing/adc_threshold=7\n' >corpus/parameter/job
printf '/Analyzer/ODB Load=n\nGlobal/ADC Threshold=inf\n' >corpus/parameter/load
# What real servers have said: the bytes that came on each socket, one behind the other; see
# tests/fuzz_checks/mserver.rs. A line of a transcript has at most 16 bytes, in 47 characters.
said() {
    awk -v socket="$2" '/^[A-Z]+ (<<<|>>>)/ { on = $1 == socket && $2 == "<<<"; next } /^#/ { on = 0 }
        on && /^  [0-9a-f]+  / { print substr($0, 9, 47) }' "$1" |
        tr -s ' ' '\n' | grep -E '^[0-9a-f][0-9a-f]$' | head -n "$3" | while read -r byte; do
        printf '%b' "$(printf '\\0%03o' "0x$byte")"
    done
}
# A flag, the parts before the calls from files, the calls from the input.
script() {
    printf '%b' "$(printf '\\0%03o' "$1")"
    for part in listener notes caller; do le "$(wc -c <"$work/$part")" | head -c 2; done
    cat "$work/listener" "$work/notes" "$work/caller" -
}
for file in "$corpus"/mserver/*.hex; do
    name=$(basename "$file" .hex)
    said "$file" CTRL 100 >"$work/listener"
    said "$file" NOTIFY 500 >"$work/notes"
    said "$file" CLIENTRPC 500 >"$work/caller"
    said "$file" RPC 2500 | script 127 >"corpus/mserver/$name"
done
# A log-in that goes well, and one of each call behind it: status 1 is number 0, 312 is 1.
cells() { printf '%b' "$(printf '\\0%03o\\0%03o' "$1" "$2")"; }
number() { cells 0 1; printf '%b' "\0$1\0000\0000\0000\0245\0245\0245\0245"; }
key() {
    cells 0 9
    printf '%b' "\0$1\0000\0000\0000\0001\0000\0000\0000Name"
    head -c 28 /dev/zero
    printf '%b' "\0000\0000\0042\0000\0$2\0000\0000\0000\0$2\0000\0000\0000\0007\0000\0000\0000"
    head -c 16 /dev/zero
}
values() { cells 0 3; printf '%b' "\0010\0000\0000\0000\0245\0245\0245\0245Script1\0000\0010\0000\0000\0000\0245\0245\0245\0245"; }
log_in() {
    number 001; number 110; number 010; key 014 010; values; number 020
    for call in 1 2 3 4 5 6 7 8 9 10; do cells 0 0; done
    cells 1 1; head -c 8 /dev/zero
    cells 0 0; cells 0 0
}
work_through() {
    number 001; cells 0 0
    cells 0 5; printf '%b' "\0024\0000\0000\0000\0245\0245\0245\0245"
    { event 1 0 7 data; head -c 4 /dev/zero; }
    printf '%b' "\0024\0000\0000\0000\0245\0245\0245\0245"
    for call in 1 2; do cells 3 2; head -c 16 /dev/zero; done
    number 000; number 030; key 007 010; values
    number 031; number 032; cells 2 1; head -c 8 /dev/zero; cells 2 1; head -c 8 /dev/zero
    key 007 004; key 020 006; values; values
    cells 0 0; cells 0 0; number 100
}
{ log_in; work_through; work_through; } | script 255 >corpus/mserver/all
{ log_in; work_through; } | script 129 >corpus/mserver/bytes
du -sh corpus/* | sort -k2
