# SPDX-License-Identifier: Apache-2.0
# A branch that moves while a build runs: all steps of that build see one commit.
command -v git > /dev/null || skip "no git"
[ -x "$(git --exec-path)/git-daemon" ] || skip "no git daemon"
make_context "$WORK/c"
export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
real=$(command -v git)
mkdir "$WORK/bin" "$WORK/git"
git init -q -b main "$WORK/tree"
commit() { echo "$1" > "$WORK/tree/f"; (cd "$WORK/tree" && git add f && git commit -qm "$1" && git rev-parse HEAD); }
commit one > "$WORK/now"
commit two > "$WORK/next"
git clone -q --bare "$WORK/tree" "$WORK/git/repo.git"
git -C "$WORK/git/repo.git" update-ref refs/heads/main "$(cat "$WORK/now")"
# Each listing of refs is the last one before the branch moves to the other commit.
cat > "$WORK/bin/git" <<WRAPPER
#!/bin/sh
case " \$* " in *" ls-remote "*)
	exec 9> "$WORK/lock"
	flock 9
	"$real" "\$@"
	status=\$?
	mv "$WORK/next" "$WORK/swap" && mv "$WORK/now" "$WORK/next" && mv "$WORK/swap" "$WORK/now"
	env -u GIT_DIR -u GIT_WORK_TREE "$real" -C "$WORK/git/repo.git" update-ref refs/heads/main "\$(cat "$WORK/now")"
	exit \$status ;;
esac
exec "$real" "\$@"
WRAPPER
chmod 755 "$WORK/bin/git"
port=$((20000 + $$ % 20000))
git daemon --reuseaddr --listen=127.0.0.1 --port=$port --base-path="$WORK/git" --export-all "$WORK/git" > "$WORK/git.log" 2>&1 &
undo "kill $!"
await git ls-remote "git://127.0.0.1:$port/repo.git"
PATH="$WORK/bin:$PATH" start_daemon
U="git://127.0.0.1:$port/repo.git#main"
printf 'FROM scratch AS a\nADD %s /plain\nFROM scratch\nCOPY --from=a /plain /plain\nADD --keep-git-dir=true %s /kept\n' "$U" "$U" > "$WORK/c/Dockerfile"
for n in 1 2; do
	rm -rf "$WORK/out"
	build "$WORK/c" --output type=local,dest="$WORK/out" > "$WORK/said" 2>&1 || { cat "$WORK/said"; fail "build $n"; }
	cmp "$WORK/out/plain/f" "$WORK/out/kept/f" || { cat "$WORK/said"; fail "two commits in one build"; }
done
no_leftovers
