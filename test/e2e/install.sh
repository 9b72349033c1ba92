# SPDX-License-Identifier: Apache-2.0
# make install: files are in the usual places, the manual pages are valid, shell completion works.
build=$(dirname "$(readlink -f "$BIN/buildctl")")/../..
DESTDIR="$WORK/image" meson install -C "$build" --no-rebuild > "$WORK/out" || { cat "$WORK/out"; fail "meson install"; }
top="$WORK/image/usr/local"
for file in bin/buildctl bin/buildkitd lib/systemd/system/buildkit.service lib/systemd/system/buildkit.socket \
	lib/systemd/user/buildkit.service lib/systemd/user/buildkit.socket share/man/man1/buildctl.1 share/man/man8/buildkitd.8 share/man/man8/buildkit-runc.8 \
	share/man/man5/buildkitd.toml.5 share/bash-completion/completions/buildctl share/zsh/site-functions/_buildctl \
	share/fish/vendor_completions.d/buildctl.fish share/doc/buildkit-c/buildkitd.toml.example; do
	[ -s "$top/$file" ] || { find "$top" -type f; fail "no $file"; }
done
grep -q '^ExecStart=/usr/local/bin/buildkitd --addr fd://$' "$top/lib/systemd/system/buildkit.service" || fail "unit"
"$top/bin/buildctl" --version | grep -q '^buildctl ' || fail "the installed client does not run"

# Each page has all flags of --help, and no warning of mandoc.
for page in man1/buildctl.1 man8/buildkitd.8 man8/buildkit-runc.8 man5/buildkitd.toml.5; do
	mandoc -Tlint "$top/share/man/$page" > "$WORK/lint" 2>&1 || { cat "$WORK/lint"; fail "lint of $page"; }
	[ ! -s "$WORK/lint" ] || { cat "$WORK/lint"; fail "lint of $page"; }
done
mandoc -Tascii "$top/share/man/man8/buildkitd.8" | col -b > "$WORK/page"
"$BIN/buildkitd" --help | sed -n 's/^   \(--[a-z-]*\).*/\1/p' > "$WORK/flags"
[ "$(wc -l < "$WORK/flags")" -gt 40 ] || fail "too few flags"
while read -r flag; do
	grep -qF -- "$flag" "$WORK/page" || fail "no $flag in buildkitd(8)"
done < "$WORK/flags"
"$BIN/buildkit-runc" --help > "$WORK/runc.help"
mandoc -Tascii "$top/share/man/man8/buildkit-runc.8" | col -b > "$WORK/page"
"$BIN/buildkit-runc" help | sed -n '/^Commands:/,/^Options:/s/^  \([a-z]*\) .*/\1/p' | grep -v '^help$' > "$WORK/commands"
[ "$(wc -l < "$WORK/commands")" = 8 ] || { cat "$WORK/runc.help"; fail "commands of buildkit-runc --help"; }
while read -r command; do
	"$BIN/buildkit-runc" "$command" --help > "$WORK/one"
	"$BIN/buildkit-runc" help "$command" | cmp - "$WORK/one" || fail "help of buildkit-runc $command"
	grep -q "^usage: buildkit-runc \[GLOBAL OPTIONS\] $command \[OPTIONS\]" "$WORK/one" || fail "usage of buildkit-runc $command"
	sed -n 's/^  \(--[a-z-]*\).*/\1/p' "$WORK/one"
done < "$WORK/commands" > "$WORK/flags"
sed -n 's/^  \(--[a-z-]*\).*/\1/p' "$WORK/runc.help" >> "$WORK/flags"
[ "$(sort -u "$WORK/flags" | wc -l)" -gt 20 ] || fail "too few flags of buildkit-runc"
grep -vx -- --help "$WORK/flags" | while read -r flag; do
	grep -qF -- "$flag" "$WORK/page" || { echo "no $flag in buildkit-runc(8)"; exit 1; }
done || fail "flags in buildkit-runc(8)"
"$BIN/buildkit-runc" nosuch 2> "$WORK/said" && fail "an unknown command succeeds"
grep -qF 'no such command: nosuch' "$WORK/said" || fail "an unknown command: $(cat "$WORK/said")"
grep -qF 'worker.oci.max-parallelism' "$top/share/man/man5/buildkitd.toml.5" && fail "dashes of keys would be typeset as hyphens"
mandoc -Tascii "$top/share/man/man5/buildkitd.toml.5" | col -b | grep -qF 'worker.oci.max-parallelism' || fail "no max-parallelism"

# The example is a valid file.
cp "$top/share/doc/buildkit-c/buildkitd.toml.example" "$WORK/buildkitd.toml"
start_daemon
grep -qE 'has no effect|unknown key' "$WORK/daemon.log" && fail "an option of the example has no effect"
stop_daemon

# completed WORDS...: what bash offers for the last one.
completed() {
	bash -c '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}; _buildctl; echo "${COMPREPLY[*]}"' - \
		"$top/share/bash-completion/completions/buildctl" "$@"
}
for file in bash:share/bash-completion/completions/buildctl zsh:share/zsh/site-functions/_buildctl fish:share/fish/vendor_completions.d/buildctl.fish; do
	"$BIN/buildctl" completion "${file%%:*}" | cmp - "$top/${file#*:}" || fail "completion ${file%%:*}"
done
fails 'no shell provided for completion command' "$WORK/log" "$BIN/buildctl" completion
fails 'unknown shell tcsh, available shells are' "$WORK/log" "$BIN/buildctl" completion tcsh
[ "$(completed buildctl bu)" = build ] || fail "completion of a command"
[ "$(completed buildctl --addr unix:///s debug wor)" = workers ] || fail "completion below debug"
[ "$(completed buildctl build --front)" = --frontend ] || fail "completion of a flag"
[ -z "$(completed buildctl build --output x)" ] || fail "a value is no flag"
[ "$(completed buildctl build --progress ra)" = rawjson ] || fail "completion of a value"
[ "$(completed buildctl build --output type=lo)" = "local,dest=" ] || fail "completion of an output"
[ "$(completed buildctl build --frontend dockerfile.v0 --output type=oc)" = "oci,dest=" ] || fail "completion after other flags"
for shell in zsh fish; do
	command -v $shell > /dev/null || { echo "SKIP: no $shell, its completion is not read"; continue; }
	$shell -n "$top"/share/$shell/*/*buildctl* || fail "completion of $shell"
done
