# SPDX-License-Identifier: Apache-2.0
# Passwords and tokens in addresses are sent to the server and neither displayed nor stored.
command -v git > /dev/null || skip "no git"
command -v python3 > /dev/null || skip "no python3"
make_context "$WORK/c"
export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
C="PwCanary$$"
mkdir "$WORK/web"
echo file > "$WORK/web/f"
git init -q -b main "$WORK/tree"
printf 'FROM scratch\nCOPY Dockerfile /\n' > "$WORK/tree/Dockerfile"
(cd "$WORK/tree" && git add . && git commit -qm one)
git clone -q --bare "$WORK/tree" "$WORK/web/r.git"
git -C "$WORK/web/r.git" update-server-info
cat > "$WORK/files.py" <<'PYTHON'
import functools, http.server, sys
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1]))
print(s.server_address[1], flush=True)
s.serve_forever()
PYTHON
python3 "$WORK/files.py" "$WORK/web" > "$WORK/port" 2> /dev/null &
undo "kill $!"
wait_for '' "$WORK/port"
H="u:$C@127.0.0.1:$(cat "$WORK/port")"
start_daemon --debug
hidden() { ! grep -qa "$C" "$@" || { grep -a "$C" "$@" | cut -c -300; fail "shown in $*"; }; }

{
	cat "$WORK/c/base"
	printf 'ARG X=http://%s/\nADD http://%s/f http://%s@127.0.0.1:%s/f /\nADD --keep-git-dir=true http://%s/r.git /g\n' "$H" "$H" "$C" "$(cat "$WORK/port")" "$H"
	echo "RUN : http://$H/"
} > "$WORK/c/Dockerfile"
build "$WORK/c" --opt attest:provenance=mode=max --output type=oci,dest="$WORK/o.tar" > "$WORK/said" 2>&1 || { cat "$WORK/said"; fail build; }
grep -qF 'ADD http://xxxxx:xxxxx@127.0.0.1:' "$WORK/said" || { cat "$WORK/said"; fail "no masked step"; }
build "$WORK/c" --no-cache --progress=rawjson --output type=local,dest="$WORK/o" > "$WORK/raw" 2>&1 || { cat "$WORK/raw"; fail rawjson; }
hidden "$WORK/said" "$WORK/raw" "$WORK/o/g/.git/config"
"$BIN/buildctl" build --progress=plain --frontend=dockerfile.v0 --opt context="http://$H/r.git" > "$WORK/said" 2>&1 || { cat "$WORK/said"; fail context; }
hidden "$WORK/said"
mkdir "$WORK/x"
tar xf "$WORK/o.tar" -C "$WORK/x"
hidden -r "$WORK/x"

# Errors: not found, no server, not a repository, a failing step, an invalid line.
n=0
while read -r line; do
	n=$((n + 1))
	{ cat "$WORK/c/base"; echo "$line"; } > "$WORK/c/Dockerfile"
	! build "$WORK/c" > "$WORK/said" 2>&1 || fail "worked: $line"
	hidden "$WORK/said"
	! build "$WORK/c" --progress=rawjson > "$WORK/said" 2>&1 || fail "worked: $line"
	hidden "$WORK/said"
done <<EOF
ADD http://$H/nothere /
ADD http://u:$C@127.0.0.1:1/nothere /
ADD http://$H/nothere.git /
ADD git://u:$C@127.0.0.1:1/nothere.git /
ADD --checksum=sha256:1 http://$H/f /
ADD http://$H/f?\${ /
RUN false http://$H/
COPY http://$H/f /
FROM http://$H/f
EOF
"$BIN/buildctl" du -v > "$WORK/said"
"$BIN/buildctl" debug histories --format '{{json .}}' >> "$WORK/said"
"$BIN/buildctl" debug explain >> "$WORK/said" 2>&1 || true
hidden "$WORK/said"
stop_daemon
hidden "$WORK/daemon.log"
# Files that were sent, such as the Dockerfile itself, are stored unchanged; no other part of the state has a
# password.
grep -rlaF "$C" "$WORK/root" | grep -v '/snapshots/' > "$WORK/found" || true
[ ! -s "$WORK/found" ] || { cat "$WORK/found"; fail "kept"; }
no_leftovers
