#!/usr/bin/env bash
# Builds the fuzz targets once, runs each for a while, and says what came out.
#
#   ./run.sh [--jobs N] [--no-build] [SECONDS] [TARGET...]
#
# SECONDS (60) for each target, all targets if none is named, N (1) of them at the same time. Exit
# code 1 if anything was found: the inputs are in artifacts/TARGET, what they broke in logs/TARGET.*.
set -euo pipefail
cd "$(dirname "$0")"

jobs=1 build=yes seconds=60 targets=()
while [ $# -gt 0 ]; do
    case $1 in
        --jobs) jobs=$2; shift ;;
        --no-build) build=no ;;
        -*) sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
        *[!0-9]*) targets+=("$1") ;;
        *) seconds=$1 ;;
    esac
    shift
done
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(cargo +nightly fuzz list)

host=$(rustc -vV | sed -n 's/^host: //p')
bin=${CARGO_TARGET_DIR:-target}/$host/release

# The decoders of compressed streams link C, which the address sanitizer watches, single
# allocations included. The others are safe Rust and run five times as fast without it.
sanitizer() {
    case $1 in
        gzip | lz4 | bzip2 | zstd) echo address ;;
        *) echo none ;;
    esac
}

if [ $build = yes ]; then
    for target in "${targets[@]}"; do
        cargo +nightly fuzz build -s "$(sanitizer "$target")" "$target"
    done
fi
[ -d corpus ] || ./seed.sh >/dev/null
mkdir -p logs

# A few MB of freed memory are enough to see its use; 256, the default, would count as ours.
export ASAN_OPTIONS=quarantine_size_mb=16:detect_odr_violation=0

fuzzer() {
    local target=$1
    shift
    local options=(-max_len=4096 -timeout=10 -rss_limit_mb=512)
    # Zstandard asks for the window of a frame at once, of up to 128 MiB.
    if [ "$target" = zstd ]; then options+=(-malloc_limit_mb=150); else options+=(-malloc_limit_mb=100); fi
    [ ! -e "dict/$target.dict" ] || options+=("-dict=dict/$target.dict")
    nice -n 10 "$bin/$target" "${options[@]}" "$@"
}

# One target for its time. A finding ends the fuzzer: it is started again for what is left.
campaign() {
    local target=$1 begin=$SECONDS left=$seconds round=0 log code
    mkdir -p "corpus/$target" "artifacts/$target"
    rm -f "logs/$target".*
    while [ "$left" -gt 0 ] && [ $round -lt 20 ]; do
        round=$((round + 1))
        log=logs/$target.$round
        code=0
        fuzzer "$target" "corpus/$target" -max_total_time="$left" -print_final_stats=1 \
            -artifact_prefix="artifacts/$target/" >"$log" 2>&1 || code=$?
        echo "exit code $code" >>"$log"
        left=$((seconds - (SECONDS - begin)))
        [ $code -ne 0 ] || break
        # An input of the corpus itself would break every round before it has begun.
        local found
        found=$(sed -n 's/.*Test unit written to .*-\([0-9a-f]\{40\}\)$/\1/p' "$log")
        if [ -n "$found" ]; then
            find "corpus/$target" -type f -exec sha1sum {} + | sed -n "s/^$found  //p" | while read -r file; do
                rm -f "$file"
            done
        fi
    done
    echo $((SECONDS - begin)) >"logs/$target.seconds"
    # Keep of the corpus what is needed to reach the same code.
    rm -rf "corpus/$target.min"
    mkdir "corpus/$target.min"
    if fuzzer "$target" -merge=1 "corpus/$target.min" "corpus/$target" >"logs/$target.merge" 2>&1; then
        rm -rf "corpus/$target" && mv "corpus/$target.min" "corpus/$target"
    else
        rm -rf "corpus/$target.min"
    fi
}

for target in "${targets[@]}"; do
    while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n || true; done
    echo "$target: $seconds s" >&2
    campaign "$target" &
done
wait

found=0
printf '%-12s %8s %12s %8s %9s %7s %9s\n' target seconds executions per_s coverage corpus findings
for target in "${targets[@]}"; do
    logs=()
    for log in "logs/$target".[0-9]*; do logs+=("$log"); done
    runs=$(cat "${logs[@]}" | sed -n 's/^stat::number_of_executed_units: *//p' | paste -sd+ | bc)
    took=$(cat "logs/$target.seconds")
    coverage=$(cat "${logs[@]}" | sed -n 's/.* cov: \([0-9]*\) .*/\1/p' | sort -n | tail -1)
    findings=$(cat "${logs[@]}" | grep -c '^exit code [^0]' || true)
    found=$((found + findings))
    printf '%-12s %8d %12d %8d %9d %7d %9d\n' "$target" "$took" "${runs:-0}" $((${runs:-0} / (took > 0 ? took : 1))) \
        "${coverage:-0}" "$(find "corpus/$target" -type f | wc -l)" "$findings"
    # What broke, once each.
    cat "${logs[@]}" | grep -A1 -aE "panicked at|^SUMMARY: (libFuzzer: (timeout|out-of-memory)|AddressSanitizer)" |
        grep -av '^--' | sed 's/(\([0-9]*\)) panicked/panicked/' | cut -c1-160 | sort | uniq -c | sed 's/^/    /' || true
done
[ $found -eq 0 ]
