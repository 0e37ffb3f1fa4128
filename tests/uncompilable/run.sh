#!/bin/sh
# What must not build. Each sample is compiled twice: as it is it must build, with -DWRONG it must not, and the compiler must say
# what the sample's `// wrong:` line expects, so that a misspelt sample does not pass for a refused one.
# Usage: run.sh [COMPILER]
set -u
here=$(cd "$(dirname "$0")" && pwd)
compiler=${1:-${CXX:-clang++-19}}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

check() {
  sample=$1
  name=$(basename "$sample" .cpp)
  out=$work/$name
  expected=$(sed -n 's|^// wrong: ||p' "$sample")
  if [ -z "$expected" ]; then
    echo "$name: has no '// wrong:' line" >"$out.failed"
    return
  fi
  set -- "$compiler" -std=c++20 -fsyntax-only -Wall -Wextra -Werror -I"$here/../../src"
  if ! "$@" "$sample" >"$out" 2>&1; then
    { echo "$name: what is right does not build"; cat "$out"; } >"$out.failed"
  elif "$@" -DWRONG "$sample" >"$out" 2>&1; then
    echo "$name: what is wrong builds" >"$out.failed"
  elif ! grep -Eq "error: .*($expected)" "$out"; then
    { echo "$name: refused, but not for '$expected'"; cat "$out"; } >"$out.failed"
  fi
}

count=0
for sample in "$here"/*.cpp; do
  check "$sample" &
  count=$((count + 1))
  [ $((count % 2)) -eq 0 ] && wait
done
wait

if ls "$work"/*.failed >/dev/null 2>&1; then
  cat "$work"/*.failed >&2
  exit 1
fi
echo "$count samples: each right one builds, each wrong one does not"
