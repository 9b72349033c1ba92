# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 240
# buildkitd --check: what is there and what is missing, by name, with the fix; as root and as an ordinary user.
own_mounts
. "$HERE/rootless.inc"

# checks STATUS COMMAND...: runs it; its output is in $WORK/check.
checks() {
	expected=$1
	shift
	status=0
	"$@" > "$WORK/check" 2> "$WORK/check2" || status=$?
	[ "$status" = "$expected" ] || { cat "$WORK/check" "$WORK/check2"; fail "status $status instead of $expected of: $*"; }
	! grep -vE '^(ok|note|missing) +[a-z-]+ +[^ ]' "$WORK/check" || fail "a line of another form"
}
line() { grep -qE -- "^$1 +$2 .*${3:-}" "$WORK/check" || { cat "$WORK/check"; fail "no line \"$1 $2 ${3:-}\""; }; }
as_root() { "$BIN/buildkitd" --root "$WORK/root" --addr "unix://$WORK/sock" --check "$@"; }

checks 0 as_root
for name in user kernel state-directory addresses overlay runtime step; do line ok $name; done
[ ! -e "$WORK/root" ] || fail "the state directory was created"

# Wrong files and options.
printf 'root = 7\n' > "$WORK/bad.toml"
checks 1 as_root --config "$WORK/bad.toml"
line missing config "bad.toml:1:.*fix: "
printf '[grpcc]\naddress = []\n' > "$WORK/odd.toml"
checks 0 as_root --config "$WORK/odd.toml"
line note config 'unknown key "grpcc"'
checks 1 as_root --oci-worker-binary no-such-runtime
line missing runtime 'no-such-runtime.*fix: '
checks 1 as_root --addr tcp://127.0.0.1:notaport
line missing addresses
checks 1 as_root --tlscert "$WORK/none.pem" --tlskey "$WORK/none.key"
line missing tls 'none.pem: No such file.*fix: '
checks 1 as_root --containerd-worker=true --containerd-worker-addr "$WORK/no.sock"
line missing containerd 'no process listens.*fix: '
mkdir "$WORK/foreign"
chown 12345 "$WORK/foreign"
checks 1 "$BIN/buildkitd" --root "$WORK/foreign" --check
line missing state-directory 'owned by uid 12345.*fix: '

# A port in use.
python3 - "$WORK/port" <<'PYTHON' &
import socket, sys, time
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen()
with open(sys.argv[1] + ".new", "w") as f:
    f.write(str(s.getsockname()[1]))
import os
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(100)
PYTHON
server=$!
undo "kill $server 2> /dev/null"
await test -e "$WORK/port"
checks 1 as_root --addr "tcp://127.0.0.1:$(cat "$WORK/port")"
line missing addresses 'address already in use.*fix: '
kill "$server"

# An ordinary user: first what rootlesskit needs, then the daemon under it.
make_user
checks 0 as_user "$WORK/bin/buildkitd" --check
for name in user-namespaces subuid subgid newuidmap newgidmap rootlesskit runtime-dir; do line ok $name; done
line ok user 'root of a user namespace'
line ok state-directory "$STATE"
line ok addresses "$XDG_RUNTIME_DIR/buildkit/buildkitd.sock"
line ok step 'runs with .*buildkit-runc'
none_of_user || fail "a process is left"

checks 1 as_user env PATH=/nowhere "$WORK/bin/buildkitd" --check
for name in newuidmap newgidmap rootlesskit; do line missing $name 'not in PATH; fix: install the package'; done
checks 1 as_user env -u XDG_RUNTIME_DIR "$WORK/bin/buildkitd" --check
line missing runtime-dir 'fix: '
checks 1 as_user setpriv --no-new-privs "$WORK/bin/buildkitd" --check
line missing newuidmap 'no_new_privs.*fix: '
: > "$WORK/etc-subuid"
checks 1 as_user "$WORK/bin/buildkitd" --check
line missing subuid "0 subordinate ids.*fix: as root: usermod --add-subuids .* $RUSER"
# ranges LINES: in /etc/subuid.
ranges() { printf '%b\n' "$1" > "$WORK/etc-subuid"; }
ranges "$RUSER:0:65536"
checks 1 as_user "$WORK/bin/buildkitd" --check
line missing subuid 'contains id 0: steps would have the rights of root; fix: '
ranges "$RUSER:$RUID:65536"
checks 1 as_user "$WORK/bin/buildkitd" --check
line missing subuid 'contains the id of the user; fix: '
ranges "$RUSER:$SUBIDS:65536\n$RUID:$((SUBIDS + 5)):65536"
checks 1 as_user "$WORK/bin/buildkitd" --check
line missing subuid '131072 .*two ranges overlap; fix: '
ranges "$RUSER:4294967290:65536"
checks 1 as_user "$WORK/bin/buildkitd" --check
line missing subuid 'ends after the last id; fix: '
ranges "$RUSER:$SUBIDS:65536\nother:$((SUBIDS + 65535)):10"
checks 0 as_user "$WORK/bin/buildkitd" --check
line note subuid 'which other has, too.*fix: '
ranges "$RUSER:x:y\n$RUSER:1\n::\n#\n$RUSER:$SUBIDS:10\nother:$((SUBIDS + 10)):10"
checks 0 as_user "$WORK/bin/buildkitd" --check
line note subuid '10 subordinate ids.*fix: '
echo "$RUSER:$SUBIDS:65536" > "$WORK/etc-subuid"
checks 0 as_user "$WORK/bin/buildkitd" --check
line ok subuid '65536 subordinate ids'

# A container that masks /proc: the step says so.
mount --bind /dev/null /proc/keys
checks 1 as_user "$WORK/bin/buildkitd" --check
line missing step '--oci-worker-no-process-sandbox'
checks 0 as_user "$WORK/bin/buildkitd" --check --oci-worker-no-process-sandbox
line ok step
