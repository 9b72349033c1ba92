# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 240
# Git remotes that do not reply, or send a byte per second, while refs are listed and submodules are fetched: an error
# after a minute with every protocol, and no process is left.
command -v git > /dev/null || skip "no git"
command -v python3 > /dev/null || skip "no python3"
[ -x "$(git --exec-path)/git-daemon" ] || skip "no git daemon"
make_context "$WORK/c"
export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
cat > "$WORK/server.py" <<'PYTHON'
import socket, threading, time
def drip(c):
    c.recv(4096)
    c.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        c.sendall(b"1\r\n0\r\n")
        time.sleep(1)
def silent(c): time.sleep(600)
def serve(s, f):
    while True: threading.Thread(target=f, args=(s.accept()[0],), daemon=True).start()
ports = []
for f in (silent, drip):
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen(16)
    ports.append(str(s.getsockname()[1]))
    threading.Thread(target=serve, args=(s, f), daemon=True).start()
print(*ports, flush=True)
time.sleep(600)
PYTHON
python3 "$WORK/server.py" > "$WORK/ports" 2> /dev/null &
undo "kill $!"
wait_for '' "$WORK/ports"
read -r silent drip < "$WORK/ports"
git init -q -b main "$WORK/tree"
printf '[submodule "m"]\n\tpath = m\n\turl = git://127.0.0.1:%s/m.git\n' "$silent" > "$WORK/tree/.gitmodules"
(cd "$WORK/tree" && git add . && git update-index --add --cacheinfo 160000,1111111111111111111111111111111111111111,m && git commit -qm one)
git clone -q --bare "$WORK/tree" "$WORK/git/repo.git"
port=$((20000 + $$ % 20000))
git daemon --reuseaddr --listen=127.0.0.1 --port=$port --base-path="$WORK/git" --export-all "$WORK/git" > "$WORK/git.log" 2>&1 &
undo "kill $!"
await git ls-remote "git://127.0.0.1:$port/repo.git"
start_daemon
cases="git://127.0.0.1:$silent/x.git http://127.0.0.1:$silent/x.git http://127.0.0.1:$drip/x.git git://127.0.0.1:$port/repo.git"
agent=
if command -v ssh > /dev/null && command -v ssh-agent > /dev/null; then
	ssh-agent -a "$WORK/agent" > "$WORK/agent.env"
	undo "kill $(sed -n 's/.*SSH_AGENT_PID=\([0-9]*\).*/\1/p' "$WORK/agent.env")"
	cases="$cases ssh://git@127.0.0.1:$silent/x.git"
	agent="--ssh default=$WORK/agent"
fi
n=0
for url in $cases; do
	n=$((n + 1))
	mkdir "$WORK/$n"
	printf 'FROM scratch\nADD %s /\n' "$url" > "$WORK/$n/Dockerfile"
	(
		# shellcheck disable=SC2086
		build "$WORK/$n" $agent > "$WORK/log.$n" 2>&1 && echo worked >> "$WORK/log.$n"
		echo "it took" >> "$WORK/log.$n"
	) &
done
for i in $(seq $n); do
	wait_for 'it took' "$WORK/log.$i" 150
	grep -q 'i/o timeout' "$WORK/log.$i" || { tail -n 5 "$WORK/log.$i"; fail "case $i: another error"; }
done
[ -z "$(children)" ] || fail "left: $(children)"
alive
no_leftovers
