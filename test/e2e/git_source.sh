# SPDX-License-Identifier: Apache-2.0
# Git sources: resolving of names, contents of checkouts, isolation of the repository, and secrecy of credentials.
command -v git > /dev/null || skip "no git"
[ -x "$(git --exec-path)/git-daemon" ] || skip "no git daemon"
make_context "$WORK/c"
export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
export GIT_AUTHOR_DATE='1500000000 +0000' GIT_COMMITTER_DATE='1500000000 +0000' GIT_TERMINAL_PROMPT=0
G="$WORK/git"
in_tree() { (cd "$WORK/tree" && git "$@"); }

mkdir -p "$G" "$WORK/sub"
(cd "$WORK/sub" && git init -q -b main && echo sub > sub.txt && git add . && git commit -qm sub)
git clone -q --bare "$WORK/sub" "$G/sub.git"
mkdir -p "$WORK/tree/dir" "$WORK/tree/.hooks"
git init -q -b main "$WORK/tree"
echo one > "$WORK/tree/dir/a.txt"
ln -s /etc "$WORK/tree/out"
ln -s dir "$WORK/tree/alias"
# Programs that a repository could make git run.
echo '* filter=evil' > "$WORK/tree/.gitattributes"
printf '[submodule "m"]\n\tpath = m\n\turl = ../sub.git\n' > "$WORK/tree/.gitmodules"
in_tree add .
in_tree update-index --add --cacheinfo "160000,$(git -C "$WORK/sub" rev-parse HEAD),m"
in_tree commit -qm one
in_tree tag light
in_tree tag -am annotated v1
first=$(in_tree rev-parse HEAD)
git clone -q --bare "$WORK/tree" "$G/repo.git"
git -C "$G/repo.git" config uploadpack.allowAnySHA1InWant true
# A submodule with a local path as its address.
printf '[submodule "m"]\n\tpath = m\n\turl = file://%s/sub.git\n' "$G" > "$WORK/tree/.gitmodules"
in_tree add .gitmodules && in_tree commit -qm evil
git clone -q --bare "$WORK/tree" "$G/evil.git"

port=$((20000 + $$ % 20000))
git daemon --reuseaddr --listen=127.0.0.1 --port=$port --base-path="$G" --export-all "$G" > "$WORK/git.log" 2>&1 &
git_daemon=$!
undo "kill $git_daemon"
await git ls-remote "git://127.0.0.1:$port/repo.git"
U="git://127.0.0.1:$port"
start_daemon

add() { # ADD-ARGUMENTS: their tree in $WORK/out
	rm -rf "$WORK/out"
	printf 'FROM scratch\nADD %s /\n' "$*" > "$WORK/c/Dockerfile"
	build "$WORK/c" --output type=local,dest="$WORK/out" > "$WORK/said" 2>&1
}
good() { add "$@" || { cat "$WORK/said"; fail "ADD $*"; }; }
bad() { # TEXT ADD-ARGUMENTS
	text=$1
	shift
	! add "$@" || fail "worked: ADD $*"
	grep -qF -- "$text" "$WORK/said" || { cat "$WORK/said"; fail "no \"$text\" from ADD $*"; }
}
is() { [ "$1" = "$2" ] || { cat "$WORK/said"; fail "got \"$1\", not \"$2\""; }; }

# Names.
for ref in main light v1 refs/heads/main refs/tags/v1 heads/main "$first" ''; do
	good "$U/repo.git#$ref"
	is "$(cat "$WORK/out/dir/a.txt" "$WORK/out/m/sub.txt" | tr '\n' ' ')" "one sub "
	is "$(stat -c %a "$WORK/out/dir/a.txt")" 644
	[ ! -e "$WORK/out/.git" ] || fail "a .git directory"
done
bad 'repository does not contain ref nosuch' "$U/repo.git#nosuch"
bad 'invalid git ref' "$U/repo.git#--upload-pack=touch"
bad 'invalid git ref' "$U/repo.git?ref=--output=x"
bad 'expected checksum to match' --checksum=1234567 "$U/repo.git"
good --checksum="$first" "$U/repo.git"
good "$U/repo.git?checksum=$first&fetch-by-commit=true"

# Directories.
good "$U/repo.git#main:dir"
is "$(ls "$WORK/out")" a.txt
bad 'contains non-directory "out"' "$U/repo.git#main:out"
bad 'contains non-directory "alias"' "$U/repo.git#main:alias"
bad 'contains non-directory "dir/a.txt"' "$U/repo.git#main:dir/a.txt"
bad 'no such file or directory' "$U/repo.git#main:../../etc"

# Options that keep parts of the repository.
good --keep-git-dir=true "$U/repo.git#v1"
is "$(git -C "$WORK/out" describe)" v1
is "$(git -C "$WORK/out" rev-parse HEAD)" "$first"
is "$(git -C "$WORK/out" config remote.origin.url)" "$U/repo.git"
good --keep-git-dir=true "$U/repo.git#$first"
is "$(git -C "$WORK/out" rev-parse HEAD)" "$first"
good "$U/repo.git?submodules=false"
is "$(ls "$WORK/out/m")" ''
bad "transport 'file' not allowed" "$U/evil.git"

# A branch and a tag that change.
printf '[submodule "m"]\n\tpath = m\n\turl = ../sub.git\n' > "$WORK/tree/.gitmodules"
echo two > "$WORK/tree/dir/a.txt"
in_tree add .gitmodules dir && in_tree commit -qm two
in_tree tag -fam again v1 > /dev/null
in_tree push -qf --tags "$G/repo.git" main
for ref in main v1; do
	good "$U/repo.git#$ref"
	is "$(cat "$WORK/out/dir/a.txt")" two
done
good "$U/repo.git#$first"
is "$(cat "$WORK/out/dir/a.txt")" one

# A context.
printf 'FROM scratch\nCOPY dir /\n' > "$WORK/tree/Dockerfile"
in_tree add Dockerfile
in_tree commit -qm context
in_tree push -q "$G/repo.git" main
rm -rf "$WORK/out"
"$BIN/buildctl" build --frontend=dockerfile.v0 --opt context="$U/repo.git?mtime=commit" --output type=local,dest="$WORK/out" > "$WORK/said" 2>&1 ||
	{ cat "$WORK/said"; fail "a git context"; }
is "$(ls "$WORK/out")" a.txt
is "$(stat -c %Y "$WORK/out/a.txt")" 1500000000

# Dumb HTTP servers do not support --depth, also for submodules.
command -v python3 > /dev/null || { no_leftovers; skip "no python3 for the rest"; }
for repo in repo sub; do git -C "$G/$repo.git" update-server-info; done
cat > "$WORK/files.py" <<'PYTHON'
import functools, http.server, sys
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1]))
print(s.server_address[1], flush=True)
s.serve_forever()
PYTHON
python3 "$WORK/files.py" "$G" > "$WORK/files" 2> /dev/null &
undo "kill $!"
wait_for '' "$WORK/files"
F="http://127.0.0.1:$(cat "$WORK/files")"
good "$F/repo.git"
is "$(cat "$WORK/out/dir/a.txt" "$WORK/out/m/sub.txt" | tr '\n' ' ')" "two sub "

# Cancelling kills git: a server that accepts and does not reply.
python3 -c 'import socket, time
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(8); print(s.getsockname()[1], flush=True); time.sleep(600)' > "$WORK/port" &
silent=$!
undo "kill $silent"
wait_for '' "$WORK/port"
printf 'FROM scratch\nADD git://127.0.0.1:%s/x.git /\n' "$(cat "$WORK/port")" > "$WORK/c/Dockerfile"
start_build "$WORK/said" "$WORK/c"
has_children() { [ -n "$(children)" ]; }
await has_children
kill -INT "$CLIENT"
wait_client && fail "a canceled build ended well"
no_children() { [ -z "$(children)" ]; }
await no_children

# Credentials are sent to the server only.
cat > "$WORK/server.py" <<'PYTHON'
import http.server, os, subprocess, sys
class H(http.server.BaseHTTPRequestHandler):
    def log_message(self, *a): pass
    def serve(self):
        with open(sys.argv[2], "a") as f: f.write((self.headers.get("Authorization") or "none") + "\n")
        if not self.headers.get("Authorization"):
            self.send_response(401); self.send_header("WWW-Authenticate", "Basic"); self.send_header("Content-Length", "0")
            self.end_headers(); return
        path, _, query = self.path.partition("?")
        env = dict(os.environ, GIT_PROJECT_ROOT=sys.argv[1], GIT_HTTP_EXPORT_ALL="1", REQUEST_METHOD=self.command,
            PATH_INFO=path, QUERY_STRING=query, CONTENT_TYPE=self.headers.get("Content-Type", ""),
            HTTP_CONTENT_ENCODING=self.headers.get("Content-Encoding", ""), GIT_PROTOCOL=self.headers.get("Git-Protocol", ""))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        out = subprocess.run(["git", "http-backend"], input=body, env=env, stdout=subprocess.PIPE).stdout
        head, _, data = out.partition(b"\r\n\r\n")
        self.send_response(200)
        for line in head.decode().split("\r\n"):
            k, _, v = line.partition(": ")
            if k.lower() != "status": self.send_header(k, v)
        self.send_header("Content-Length", str(len(data))); self.end_headers(); self.wfile.write(data)
    do_GET = do_POST = serve
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H)
print(s.server_address[1], flush=True)
s.serve_forever()
PYTHON
python3 "$WORK/server.py" "$G" "$WORK/seen" > "$WORK/http" &
server=$!
undo "kill $server"
wait_for '' "$WORK/http"
H="127.0.0.1:$(cat "$WORK/http")"
bad 'could not read Username' "http://$H/sub.git"
printf 'FROM scratch\nADD http://%s/sub.git /\n' "$H" > "$WORK/c/Dockerfile"
printf c4nary > "$WORK/token"
build "$WORK/c" --secret id=GIT_AUTH_TOKEN,src="$WORK/token" > "$WORK/said" 2>&1 || { cat "$WORK/said"; fail "a token"; }
is "$(tail -n 1 "$WORK/seen")" "basic $(printf x-access-token:c4nary | base64)"
printf 'bearer c4nary\n' > "$WORK/token"
build "$WORK/c" --no-cache --secret "id=GIT_AUTH_HEADER.$H,src=$WORK/token" > "$WORK/said" 2>&1 || { cat "$WORK/said"; fail "a header"; }
is "$(tail -n 1 "$WORK/seen")" "bearer c4nary"
rm "$WORK/token" "$WORK/seen"
stop_daemon
! grep -rqa c4nary "$WORK/root" "$WORK/daemon.log" || fail "a secret is kept in $(grep -rla c4nary "$WORK/root" "$WORK/daemon.log")"
