# SPDX-License-Identifier: Apache-2.0
# .dockerignore: excluded files are not transferred and not part of the key; Dockerfile.dockerignore has precedence.
make_context "$WORK/c"
mkdir -p "$WORK/c/src/deep" "$WORK/c/.git" "$WORK/c/node_modules/x"
for f in a.txt b.log src/a.c src/a.o src/deep/b.o src/deep/keep.o .git/HEAD node_modules/x/i.js; do echo "$f" > "$WORK/c/$f"; done
printf '# comment\n.git\n**/*.o\n!src/deep/keep.o\nnode_modules\n*.log\n/busybox\nbase\nDockerfile*\n.dockerignore\n' > "$WORK/c/.dockerignore"
printf 'FROM scratch\nCOPY . /\n' > "$WORK/c/Dockerfile"
start_daemon
build "$WORK/c" --output type=local,dest="$WORK/out" 2> "$WORK/log1" || { cat "$WORK/log1"; fail "build"; }
[ "$(cd "$WORK/out" && find . -type f | sort | tr '\n' ' ')" = './a.txt ./src/a.c ./src/deep/keep.o ' ] || { find "$WORK/out"; fail "wrong files"; }
echo other > "$WORK/c/b.log"
echo other > "$WORK/c/src/a.o"
build "$WORK/c" 2> "$WORK/log2"
grep -q CACHED "$WORK/log2" || { cat "$WORK/log2"; fail "an ignored file counts"; }
printf '**\n!a.txt\n' > "$WORK/c/Dockerfile.dockerignore"
rm -rf "$WORK/out"
build "$WORK/c" --output type=local,dest="$WORK/out" 2> "$WORK/log1" || { cat "$WORK/log1"; fail "second build"; }
[ "$(cd "$WORK/out" && find . -type f)" = ./a.txt ] || { find "$WORK/out"; fail "wrong files of Dockerfile.dockerignore"; }
printf '[\n' > "$WORK/c/Dockerfile.dockerignore"
build "$WORK/c" > "$WORK/log3" 2>&1 || grep -q '^error: ' "$WORK/log3" || fail "a broken pattern without an error"
# Each pattern is sent as a header field of the session's call.
seq -f 'none%g/**/x' 2000 > "$WORK/c/Dockerfile.dockerignore"
build "$WORK/c" > "$WORK/log3" 2>&1 || { cat "$WORK/log3"; fail "a .dockerignore of 2,000 lines"; }
alive
