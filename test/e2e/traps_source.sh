# SPDX-License-Identifier: Apache-2.0
# Traps of docs/traps.md about sources and about the status of ended builds.
make_context "$WORK/c"
good() { build "$WORK/c" "$@" > "$WORK/said" 2>&1 || { cat "$WORK/said"; fail "trap $trap"; }; }
is() { [ "$1" = "$2" ] || { cat "$WORK/said"; fail "trap $trap: got \"$1\", not \"$2\""; }; }

# A git program that moves the branch before its first fetch, like a push by another user.
mkdir "$WORK/bin" "$WORK/git"
real=$(command -v git)
cat > "$WORK/bin/git" <<WRAPPER
#!/bin/sh
case " \$* " in *" fetch "*)
	if mv "$WORK/move" "$WORK/moved" 2> /dev/null; then
		there() { env -u GIT_DIR -u GIT_WORK_TREE "$real" -C "$WORK/git/repo.git" "\$@" || echo failed > "$WORK/moved"; }
		there update-ref refs/heads/main "\$(cat "$WORK/moved")"
		[ ! -e "$WORK/prune" ] || there prune --expire=now
	fi ;;
esac
exec "$real" "\$@"
WRAPPER
chmod 755 "$WORK/bin/git"
PATH="$WORK/bin:$PATH" start_daemon

cat > "$WORK/server.py" <<'PYTHON'
import http.server, sys
class H(http.server.BaseHTTPRequestHandler):
    def log_message(self, *a): pass
    def do_GET(self):
        with open(sys.argv[1], "a") as f: f.write(self.command + "\n")
        self.send_response(200)
        self.send_header("Content-Length", "5")
        if "dated" in self.path: self.send_header("Last-Modified", "Tue, 02 Jan 2001 03:04:05 GMT")
        self.end_headers()
        if self.command == "GET": self.wfile.write(b"hello")
    do_HEAD = do_GET
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H)
print(s.server_address[1], flush=True)
s.serve_forever()
PYTHON
: > "$WORK/requests"
python3 "$WORK/server.py" "$WORK/requests" > "$WORK/port" &
server=$!
undo "kill $server 2> /dev/null || true"
wait_for '' "$WORK/port"
U="http://127.0.0.1:$(cat "$WORK/port")"

trap=25 # the time is Last-Modified or 1970, the mode 0600
printf 'FROM scratch\nADD %s/dated.txt %s/plain.txt /\n' "$U" "$U" > "$WORK/c/Dockerfile"
good --output type=local,dest="$WORK/o25"
is "$(stat -c '%a %Y' "$WORK/o25/dated.txt" "$WORK/o25/plain.txt" | tr '\n' ' ')" '600 978404645 600 0 '

trap=22 # with a pinned checksum the key needs no network, whatever date the server would have told
: > "$WORK/requests"
printf 'FROM scratch\nADD --checksum=sha256:%s %s/other-dated.txt /\n' "$(printf hello | sha256sum | cut -d ' ' -f 1)" "$U" > "$WORK/c/Dockerfile"
good
is "$(tr '\n' ' ' < "$WORK/requests")" 'GET '
kill $server
good
is "$(wc -l < "$WORK/requests")" 1
grep -q CACHED "$WORK/said" || { cat "$WORK/said"; fail "trap 22: not cached"; }

trap=23 # an annotated tag stands for its commit unless .git is kept; trap 24: the checkout is that of the key's commit
[ -x "$("$real" --exec-path)/git-daemon" ] || skip "no git daemon"
export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
tree() { (cd "$WORK/tree" && "$real" "$@"); }
mkdir "$WORK/tree"
tree init -q -b main
commit() { echo "$1" > "$WORK/tree/f"; tree add f; tree commit -qm "$1"; tree rev-parse HEAD; }
one=$(commit one)
tree tag -am first v1
two=$(commit two)
"$real" clone -q --bare "$WORK/tree" "$WORK/git/repo.git"
"$real" -C "$WORK/git/repo.git" config uploadpack.allowAnySHA1InWant true
port=$((20000 + $$ % 20000))
"$real" daemon --reuseaddr --listen=127.0.0.1 --port=$port --base-path="$WORK/git" --export-all "$WORK/git" > "$WORK/git.log" 2>&1 &
git_daemon=$!
undo "kill $git_daemon"
await "$real" ls-remote "git://127.0.0.1:$port/repo.git"
add() { rm -rf "$WORK/og"; printf 'FROM scratch\nADD %s git://127.0.0.1:%s/repo.git#%s /\n' "$1" "$port" "$2" > "$WORK/c/Dockerfile"; good --output type=local,dest="$WORK/og"; }
add '' "$one"
add '' v1
grep -q '^#[0-9]* CACHED' "$WORK/said" || { cat "$WORK/said"; fail "trap 23: the tag is not the commit"; }
add --keep-git-dir=true v1
is "$("$real" -C "$WORK/og" describe)" v1

trap=24
echo "$one" > "$WORK/move"
add '' main
[ "$("$real" -C "$WORK/git/repo.git" rev-parse main)" = "$one" ] || fail "trap 24: the branch did not move"
is "$(cat "$WORK/og/f")" two
rm -rf "$WORK/moved"
# A commit that exists in no repository (pruned after its push): an error, not another tree.
three=$(commit three)
tree push -q "$WORK/git/repo.git" main
echo "$two" > "$WORK/move"
: > "$WORK/prune"
printf 'FROM scratch\nADD git://127.0.0.1:%s/repo.git#main /\n' "$port" > "$WORK/c/Dockerfile"
fails "does not match expected commit $three" "$WORK/said" build "$WORK/c"

trap=35 # Status waits six seconds for a build that it does not know, and tells of one that has ended
printf 'FROM scratch\nCOPY busybox /\n' > "$WORK/c/Dockerfile"
good --ref-file "$WORK/ref"
# shellcheck disable=SC2046 # words are wanted
set -- $(python3 "$HERE/peer.py" status "$WORK/sock" "$(cat "$WORK/ref")")
[ "$1" -gt 100 ] && [ "$2" -lt 3 ] || fail "trap 35: ended build: $*"
# shellcheck disable=SC2046 # words are wanted
set -- $(python3 "$HERE/peer.py" status "$WORK/sock" nosuchbuild)
[ "$1" -lt 100 ] && [ "$2" -ge 5 ] && [ "$2" -le 8 ] || fail "trap 35: unknown build: $*"
no_leftovers
