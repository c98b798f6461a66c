#!/bin/sh
# Takes the smallest cases of the minimised corpora into tests/corpus/fuzz: for each target those of
# at most 1000 bytes that together reach what all such cases reach, at most 40.
#
#   ./pick.sh [TARGET...]        after ./run.sh
set -eu
cd "$(dirname "$0")"
host=$(rustc -vV | sed -n 's/^host: //p')
bin=${CARGO_TARGET_DIR:-target}/$host/release
cases=../tests/corpus/fuzz
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

[ $# -gt 0 ] || set -- $(cargo +nightly fuzz list)
for target in "$@"; do
    mkdir -p "$work/small" "$work/cover" "$cases/$target"
    find "corpus/$target" -type f -size -1001c -exec cp {} "$work/small" \;
    "$bin/$target" -set_cover_merge=1 "$work/cover" "$work/small" >"$work/log" 2>&1
    # The first inputs of a cover reach most; the merge writes them in that order.
    ls -rt "$work/cover" | head -n 40 | while read -r name; do
        cp "$work/cover/$name" "$cases/$target/$(printf '%.12s' "$name")"
    done
    echo "$target: $(ls "$cases/$target" | wc -l) cases"
    rm -rf "$work/small" "$work/cover"
done
