# SPDX-License-Identifier: Apache-2.0
# User errors are reported: wrong flags, wrong configuration, a daemon that is not running; and the output of a build
# cannot control the user's terminal.

# ---- unknown commands have a separate exit status
for words in nosuch "debug nosuch" "help nosuch" "help debug nosuch"; do
	status=0
	"$BIN/buildctl" $words > "$WORK/out" 2>&1 || status=$?
	[ "$status" = 3 ] || fail "buildctl $words: status $status"
	[ "$(cat "$WORK/out")" = "No help topic for 'nosuch'" ] || { cat "$WORK/out"; fail "buildctl $words"; }
done

# ---- no daemon: the error of the first call
none() { # TEXT ARGS
	text=$1
	shift
	status=0
	"$BIN/buildctl" --addr "unix://$WORK/none.sock" --timeout 1 "$@" > "$WORK/out" 2>&1 < /dev/null || status=$?
	[ "$status" = 1 ] || fail "status $status"
	grep -qxF "error: $text: Unavailable: connection error: desc = \"transport: Error while dialing: dial unix $WORK/none.sock: connect: no such file or directory\"" "$WORK/out" ||
		{ cat "$WORK/out"; fail "$*"; }
	grep -q '^hint: make sure buildkitd is running' "$WORK/out" || fail "no hint"
}
none 'failed to call diskusage' du
none 'failed to call prune' prune
none 'failed to list workers' debug workers
none 'failed to call info' debug info
mkdir "$WORK/c"
echo 'FROM scratch' > "$WORK/c/Dockerfile"
none 'listing workers for Build: failed to list workers' build --frontend dockerfile.v0 --local context="$WORK/c" --local dockerfile="$WORK/c"
fails 'address 65536: invalid port' "$WORK/out" "$BIN/buildctl" --addr tcp://127.0.0.1:65536 du

# ---- flags and configuration of the daemon
refuse() { text=$1; shift; fails "$text" "$WORK/out" timeout 20 "$BIN/buildkitd" --root "$WORK/r" --config "$WORK/buildkitd.toml" "$@"; }
refuse '--oci-worker-gc-keepstorage: invalid value "abc"' --addr "unix://$WORK/s" --oci-worker-gc-keepstorage abc
refuse '--containerd-worker-gc-keepstorage: invalid value "1,2,3,4"' --addr "unix://$WORK/s" --containerd-worker-gc-keepstorage 1,2,3,4
refuse 'invalid log level "loud"' --addr "unix://$WORK/s" --log-level loud
refuse 'address 65537: invalid port' --addr tcp://127.0.0.1:65537
cat >> "$WORK/buildkitd.toml" <<'TOML'
maxParallelism = 4
[workr.oci]
gc = true
[worker.oci.labels]
any = "thing"
[[worker.oci.gcpolicy]]
keepDuratoin = 60
[registry."docker.io"]
mirors = ["m"]
[registry."docker.io".x]
y = 1
TOML
start_daemon
warned() { grep -qF -- "$1" "$WORK/daemon.log" || { cat "$WORK/daemon.log"; fail "no warning: $1"; }; }
warned 'unknown key \"worker.oci.maxParallelism\" is ignored: did you mean \"max-parallelism\"?'
warned 'unknown key \"workr\" is ignored: did you mean \"worker\"?'
warned 'unknown key \"worker.oci.gcpolicy.keepDuratoin\" is ignored: did you mean \"keepDuration\"?'
warned 'unknown key \"registry.docker.io.mirors\" is ignored: did you mean \"mirrors\"?'
warned 'unknown key \"registry.docker.io.x\" is ignored'
[ "$(grep -c 'unknown key' "$WORK/daemon.log")" = 5 ] || { cat "$WORK/daemon.log"; fail "warnings about known keys"; }

# ---- options of the client
fails 'secret a: src=/etc/passwd and env=HOME exclude each other' "$WORK/out" build "$WORK/c" --secret id=a,src=/etc/passwd,env=HOME

# ---- a client without local sources
python3 - > "$WORK/llb" <<'PYTHON'
import hashlib, sys
def field(n, data): return bytes([n << 3 | 2]) + bytes([len(data)]) + data
source = field(3, field(1, b'local://context'))
op2 = field(1, field(1, b'sha256:' + hashlib.sha256(source).hexdigest().encode()))
sys.stdout.buffer.write(field(1, source) + field(1, op2))
PYTHON
fails 'error: failed to solve: no local sources enabled' "$WORK/out" sh -c '"$BIN/buildctl" build < "$WORK/llb"'

# ---- the terminal
make_context "$WORK/t"
{ cat "$WORK/t/base"; printf 'RUN printf "\\033]0;owned\\007\\033[31mred\\033[0m one\\\\rtwo\\n"; echo DONE-STEP\nRUN printf "\\033[2Jbye\\n"; exit 7 # \033[5m\n'; } > "$WORK/t/Dockerfile"
cat > "$WORK/screen.py" <<'PYTHON'
import os, pty, sys
out = bytearray()
def read(fd):
    data = os.read(fd, 65536)
    out.extend(data)
    return data
pty.spawn(sys.argv[2:], read)
open(sys.argv[1], 'wb').write(out)
PYTHON
for mode in plain tty; do
	python3 "$WORK/screen.py" "$WORK/screen" "$BIN/buildctl" build --progress "$mode" --frontend dockerfile.v0 --local context="$WORK/t" --local dockerfile="$WORK/t" --no-cache < /dev/null > /dev/null
	python3 - "$WORK/screen" "$mode" <<'PYTHON' || { cat -v "$WORK/screen"; fail "progress $mode"; }
import re, sys
text = open(sys.argv[1], 'rb').read()
allowed = re.compile(rb'\x1b\[[0-9;:]*m' if sys.argv[2] == 'plain' else rb'\x1b\[[0-9;:]*[mAKJGHF]|\x1b\[\?25[hl]|\x1b[78]')
rest = allowed.sub(b'', text)
assert b'\x1b' not in rest and b'\x07' not in rest, 'control bytes'
assert b'exit code: 7' in rest
if sys.argv[2] == 'plain':
    assert b'\\u001b]0;owned\\u0007' in rest and b'\x1b[31mred' in text, 'the output of the step'
PYTHON
done
# A file gets the step's output unchanged.
build "$WORK/t" --no-cache > "$WORK/out" 2>&1 && fail "the step must fail"
grep -q "$(printf '\033]0;owned\007')" "$WORK/out" || fail "bytes of the output are changed for a file"
stop_daemon
