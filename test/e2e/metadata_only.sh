# SPDX-License-Identifier: Apache-2.0
# Local sources of which only metadata is transferred, except for files that match patterns.
start_daemon
mkdir -p "$WORK/c/dir/sub" "$WORK/c/dir/sub2"
echo data > "$WORK/c/data"
echo one > "$WORK/c/dir/file1"
echo two > "$WORK/c/dir/file2"
echo bar > "$WORK/c/dir/sub/bar1"
echo bar > "$WORK/c/dir/sub2/bar3"

source_of() { # ATTRIBUTES: a definition with them
	printf '{"ops": [{"source": {"identifier": "local://context", "attrs": {%s}}}], "result": [0, 0],
		"meta": {"0": {"caps": ["source.local", "source.local.metadatatransfer"]}}}' "$1" | python3 "$HERE/llb.py"
}
get() { # DIR ATTRIBUTES
	source_of "$2" > "$WORK/llb"
	"$BIN/buildctl" build --progress=plain --local context="$WORK/c" --output "type=local,dest=$1" < "$WORK/llb" \
		> "$WORK/said" 2>&1 || { cat "$WORK/said"; fail "$2"; }
}
files() { (cd "$1" && find . -type f | LC_ALL=C sort | tr '\n' ' '); }
same() { [ "$1" = "$2" ] || fail "$1, not $2"; }
# The paths of the file of announcements; each has its length in front.
announced() {
	python3 - "$1/.fsutil-metadata" <<'PYTHON'
import struct, sys
data, paths = open(sys.argv[1], "rb").read(), []
while data:
    n, = struct.unpack("<I", data[:4])
    message, data = data[4:4 + n], data[4 + n:]
    assert message[0] == 0x0a # field 1: the path
    paths.append(message[2:2 + message[1]].decode())
print(*paths)
PYTHON
}
ALL='data dir dir/file1 dir/file2 dir/sub dir/sub/bar1 dir/sub2 dir/sub2/bar3'
ONLY='"local.metadatatransfer": "true"'
SOME="$ONLY"', "local.metadatatransferexclude": "[\"dir/**/*1\"]"'
get "$WORK/some" "$SOME"
same "$(files "$WORK/some")" './.fsutil-metadata ./dir/file1 ./dir/sub/bar1 '
same "$(announced "$WORK/some")" "$ALL"
get "$WORK/none" "$ONLY"
same "$(files "$WORK/none")" './.fsutil-metadata '
same "$(announced "$WORK/none")" "$ALL"
get "$WORK/all" '"local.metadatatransfer": "false"'
same "$(files "$WORK/all")" './data ./dir/file1 ./dir/file2 ./dir/sub/bar1 ./dir/sub2/bar3 '

# The same directory after changes.
rm -r "$WORK/c/dir/sub"
echo longer-than-before > "$WORK/c/dir/file1"
echo new > "$WORK/c/dir/new1"
get "$WORK/again" "$SOME"
same "$(files "$WORK/again")" './.fsutil-metadata ./dir/file1 ./dir/new1 '
same "$(cat "$WORK/again/dir/file1")" longer-than-before
same "$(announced "$WORK/again")" 'data dir dir/file1 dir/file2 dir/new1 dir/sub2 dir/sub2/bar3'

refused() { # TEXT ATTRIBUTES
	source_of "$2" > "$WORK/llb"
	! "$BIN/buildctl" build --progress=plain --local context="$WORK/c" < "$WORK/llb" > "$WORK/said" 2>&1 || fail "worked: $2"
	grep -qF "$1" "$WORK/said" || { cat "$WORK/said"; fail "no \"$1\""; }
}
refused 'invalid value for local.metadatatransfer "maybe":' '"local.metadatatransfer": "maybe"'
refused 'local.metadatatransferexclude: not a list of strings' "$ONLY"', "local.metadatatransferexclude": "[1]"'
refused 'syntax error in pattern' "$ONLY"', "local.metadatatransferexclude": "[\"a[\"]"'
alive
