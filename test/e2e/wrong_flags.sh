# SPDX-License-Identifier: Apache-2.0
# A mistyped command line is reported in one line with a non-zero exit status.
expect() { # TEXT COMMAND...
	text=$1
	shift
	if "$@" > "$WORK/out" 2>&1 < /dev/null; then fail "worked: $*"; fi
	grep -qF -- "$text" "$WORK/out" || { cat "$WORK/out"; fail "no \"$text\" from: $*"; }
}
expect 'flag provided but not defined: -nope' "$BIN/buildctl" --nope
expect "No help topic for 'nope'" "$BIN/buildctl" nope
expect 'make sure buildkitd is running' "$BIN/buildctl" --addr "unix://$WORK/nosuch" du
expect 'please specify --frontend or pipe LLB definition to stdin' "$BIN/buildctl" build
expect 'flag needs an argument: --frontend' "$BIN/buildctl" build --frontend
: > "$WORK/empty"
"$BIN/buildctl" build < "$WORK/empty" > "$WORK/out" 2>&1 && fail "built nothing"
grep -qF 'empty definition sent to build' "$WORK/out" || { cat "$WORK/out"; fail "no word on the empty definition"; }
expect 'flag provided but not defined: -nope' "$BIN/buildkitd" --nope
printf 'root = 1\n' > "$WORK/bad.toml"
expect "$WORK/bad.toml:1:8: root: expected a string, found an integer" "$BIN/buildkitd" --config "$WORK/bad.toml"
printf 'x = \n' > "$WORK/bad.toml"
expect 'line 1, column 5: expected a value' "$BIN/buildkitd" --config "$WORK/bad.toml"
expect 'invalid entitlement : x' "$BIN/buildkitd" --config "$WORK/none" --allow-insecure-entitlement x
expect 'does not contain proto' "$BIN/buildkitd" --config "$WORK/none" --root "$WORK/r" --addr /tmp/x
start_daemon
expect 'another instance running?' "$BIN/buildkitd" --root "$WORK/root" --addr "unix://$WORK/other" --config "$WORK/none"
"$BIN/buildctl" --version | grep -Eq '^buildctl github.com/moby/buildkit v0\.(3[2-9]|[4-9][0-9])\.[0-9]+\+buildkit-c\.[0-9.]+ [^ ]*$' || fail "version"
"$BIN/buildctl" --help > /dev/null || fail "help"
"$BIN/buildkitd" --help > "$WORK/help"
grep -q -- "--save-cache-debug .*(no effect yet)\$" "$WORK/help" || fail "help of --save-cache-debug"
for flag in debug oci-worker-binary otel-socket-path; do
	grep -- "--$flag " "$WORK/help" | grep -q 'no effect' && fail "help of --$flag"
done
"$BIN/buildctl" build --help | grep -q -- --frontend || fail "build help"
"$BIN/buildctl" help debug workers | grep -q 'buildctl debug workers - ' || fail "help of a topic"
expect "No help topic for 'nope'" "$BIN/buildctl" help debug nope
