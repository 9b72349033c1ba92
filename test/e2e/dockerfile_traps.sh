# SPDX-License-Identifier: Apache-2.0
# Traps of the Dockerfile language (docs/dockerfile.md) that need running steps; golden files test the others.
make_context "$WORK/c"
start_daemon
mkdir -p "$WORK/c/d/x" "$WORK/c/e/x" "$WORK/c/src/1" "$WORK/c/src/2"
for f in a b d/one d/x/deep e/two src/1/f src/2/f src/2/g; do echo "$f" > "$WORK/c/$f"; done
(cd "$WORK/c" && tar -cf a.tar d e && gzip -k a.tar && mv a.tar.gz oddly.named)

# files TRAP TEXT: builds the Dockerfile of standard input and compares the files of the result, one "path" each.
files() {
	cat > "$WORK/c/Dockerfile"
	rm -rf "$WORK/out"
	build "$WORK/c" --output type=local,dest="$WORK/out" > "$WORK/build.log" 2>&1 || { cat "$WORK/build.log"; fail "trap $1"; }
	[ "$(cd "$WORK/out" && find . -type f | sort | tr '\n' ' ')" = "$2" ] || { find "$WORK/out"; fail "trap $1: wrong files"; }
}

# refuses TRAP TEXT: the Dockerfile of standard input fails and says TEXT.
refuses() {
	cat > "$WORK/c/Dockerfile"
	fails "$2" "$WORK/build.log" build "$WORK/c"
}

# steps TRAP: runs the Dockerfile of standard input on the busybox base, which must succeed.
steps() {
	{ cat "$WORK/c/base"; cat; } > "$WORK/c/Dockerfile"
	build "$WORK/c" > "$WORK/build.log" 2>&1 || { cat "$WORK/build.log"; fail "trap $1"; }
}

steps 18 <<'D'
SHELL ["/bin/sh", "-xc"]
RUN <<EOF
#!/bin/cat
this is the script
EOF
D
grep -q 'this is the script' "$WORK/build.log" || fail "trap 18: the script did not run"
grep -q '/dev/pipes/EOF' "$WORK/build.log" || fail "trap 18: not through the shell"

steps 19 <<'D'
RUN a=1; sh <<EOF && cat <<"EOF" | grep -q 'lit $a'
[ "$a" = 1 ] && [ "\$a" = "" ]
EOF
lit $a
EOF
RUN --mount=type=tmpfs,target=/t [ ! -e /t/x ]
D

steps 31 <<'D'
COPY <<P /etc/passwd
root:x:0:0::/:/bin/sh
app:x:12:34::/:/bin/sh
P
COPY <<G /etc/group
root:x:0:
grp:x:56:
G
USER app
WORKDIR /w
USER app:grp
WORKDIR /v
USER root
RUN [ "$(stat -c %u:%g /w)" = 12:34 ] && [ "$(stat -c %u:%g /v)" = 12:56 ]
COPY --chown=app:grp a /a
COPY --chown=nosuch-user a /b
RUN [ "$(stat -c %u:%g /a)" = 12:56 ] && [ "$(stat -c %u:%g /b)" = 0:0 ]
D

refuses 45 'invalid user index: -1' <<'D'
FROM scratch
COPY --chown=name a /
D
refuses 45 'invalid user index: -1' <<'D'
FROM scratch AS x
COPY b /
FROM x
COPY --link --chown=name a /
D
files 45 './a ' <<'D'
FROM scratch
COPY --chown=root a /
D

files 46 './x/one ./x/two ./x/x/deep ./y ' <<'D'
FROM scratch
COPY d* e* /x/
COPY a b /y
D
[ "$(cat "$WORK/out/y")" = b ] || fail "trap 46: the last of several sources does not win"

files 47 './a ' <<'D'
FROM scratch
COPY nomatch* a /
D
refuses 47 '"/nofile": not found' <<'D'
FROM scratch
COPY nofile /
D

files 48 './p/1/f ./p/2/f ./q/src/2/g ' <<'D'
FROM scratch
COPY --parents src/./*/f /p/
COPY --parents src/*/g nope* /q/
D
refuses 48 'not found' <<'D'
FROM scratch
COPY --parents src/./3/f /p/
D

files 49 './no/a.tar ./odd/d/one ./odd/d/x/deep ./odd/e/two ./yes/d/one ./yes/d/x/deep ./yes/e/two ' <<'D'
FROM scratch
ADD a.tar /yes/
ADD oddly.named /odd/
ADD --unpack=false a.tar /no/
D

steps 52 <<'D'
RUN --mount=type=cache,target=/c echo plain > /c/f
RUN --mount=type=cache,target=/other,id=/c [ "$(cat /other/f)" = plain ]
RUN --mount=type=cache,target=/owned,uid=7,gid=8,mode=0700 [ "$(stat -c %u:%g:%a /owned)" = 7:8:700 ]
D

steps 53 <<'D'
RUN --mount=target=/m,rw echo changed > /m/a
RUN --mount=target=/m [ "$(cat /m/a)" = a ] && ! echo x > /m/b
D

printf tell > "$WORK/secret"
{ cat "$WORK/c/base"; cat; } > "$WORK/c/Dockerfile" <<'D'
RUN --mount=type=secret,id=s,env=S [ "$S" = tell ] && [ ! -e /run/secrets/s ]
RUN --mount=type=secret,id=missing,env=M [ "${M-unset}" = "" ]
RUN --mount=type=secret,id=s,env=S,target=/there [ "$(cat /there)" = tell ]
D
build "$WORK/c" --secret id=s,src="$WORK/secret" > "$WORK/build.log" 2>&1 || { cat "$WORK/build.log"; fail "trap 54"; }

printf '# comment\n #b\n/a\nd\n!d/x\n' > "$WORK/c/.dockerignore"
printf 'b\n' > "$WORK/c/Dockerfile.dockerignore"
files 56 './a ' <<'D'
FROM scratch
COPY a [b] /
D
rm "$WORK/c/Dockerfile.dockerignore"
files 57 './b ./d/x/deep ' <<'D'
FROM scratch
COPY [a] b /
COPY d /d
D
rm "$WORK/c/.dockerignore"

cat > "$WORK/c/Dockerfile" <<'D'
# check=error=true
FROM scratch
MAINTAINER someone
D
fails 'lint violation found for rules: MaintainerDeprecated' "$WORK/build.log" build "$WORK/c"
grep -q 'WARN: MaintainerDeprecated' "$WORK/build.log" || { cat "$WORK/build.log"; fail "trap 59: no warning"; }
alive
no_leftovers
