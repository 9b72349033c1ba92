# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 300
# A daemon of an ordinary user, under rootlesskit: paths, steps, owners, mounts, exports, prune, restart, and what is left.
own_mounts
. "$HERE/rootless.inc"
make_user
make_context "$WORK/c"
# From a directory that the user may not enter, as "su USER -c" in a directory of root.
mkdir -m 700 "$WORK/closed"
cd "$WORK/closed"
start_rootless
cd "$WORK"

# Paths of the user; no directory of root is used.
[ -S "$XDG_RUNTIME_DIR/buildkit/buildkitd.sock" ] || fail "no socket in XDG_RUNTIME_DIR"
[ "$(stat -c '%a %u' "$XDG_RUNTIME_DIR/buildkit")" = "1700 $RUID" ] || fail "mode or owner of the runtime directory"
[ "$(stat -c '%a %u' "$STATE")" = "700 $RUID" ] || fail "mode or owner of the state directory"
"$BIN/buildctl" debug workers -v > "$WORK/workers"
grep -q 'worker.network:.*host' "$WORK/workers" || fail "network label"
grep -q 'oci.process-mode:.*sandbox' "$WORK/workers" || fail "process mode label"
grep -q 'worker.snapshotter:.*overlayfs' "$WORK/workers" || fail "snapshotter label"

# Steps: ids, capabilities, devices, /proc, /sys, networks, cache and tmpfs mounts, secrets.
echo topsecret > "$WORK/secret"
cat "$WORK/c/base" - > "$WORK/c/Dockerfile" <<'DOCKERFILE'
RUN mkdir /t && chmod 1777 /t && id -u > /t/uid && grep CapEff /proc/self/status > /t/caps && cat /proc/self/uid_map > /t/map
RUN echo x > /dev/null && head -c 4 /dev/urandom | wc -c > /t/random && ls /dev > /t/dev && ! mknod /t/node c 1 3 && ls /proc/self/fd > /dev/null
RUN ls /sys/class/net > /t/net && ! touch /sys/x && ! touch /proc/sys/x && ! cat /proc/keys | grep . && [ "$(cat /proc/1/comm)" = sh ]
RUN --network=none [ "$(ls /sys/class/net)" = lo ]
RUN touch /t/owned && chown 1234:65535 /t/owned && mkdir /t/d && chown 5:6 /t/d && chmod 2750 /t/d
RUN --mount=type=cache,target=/cache,uid=77,gid=78 stat -c %u:%g /cache > /t/cache && echo 1 >> /cache/n
RUN --mount=type=cache,target=/cache,uid=77,gid=78 cat /cache/n > /t/cached
RUN --mount=type=tmpfs,target=/tmpfs,size=1m [ "$(stat -f -c %T /tmpfs)" = tmpfs ] && touch /tmpfs/x
RUN --mount=type=secret,id=s,uid=1000,mode=0400 [ "$(stat -c '%u %a' /run/secrets/s)" = "1000 400" ] && wc -c < /run/secrets/s > /t/secret
RUN rm -r /t/dev && mkdir /t/gone && touch /t/gone/x
RUN rm -r /t/gone && mkdir /t/gone && touch /t/gone/y
USER 1000:1001
RUN id > /t/user
USER 0
COPY --chown=4000:4001 file /t/copied
FROM scratch
COPY --from=base /t /t
DOCKERFILE
echo content > "$WORK/c/file"
build "$WORK/c" --secret id=s,src="$WORK/secret" --output type=local,dest="$WORK/out" > "$WORK/text" 2>&1 || { cat "$WORK/text"; fail "the build"; }
is() { [ "$(cat "$WORK/out/t/$1")" = "$2" ] || { cat "$WORK/out/t/$1"; fail "$1 is not $2"; }; }
is uid 0
is random 4
is cache 77:78
is cached 1
is secret 10
is user 'uid=1000 gid=1001 groups=1001'
grep -q '00000000a80425fb' "$WORK/out/t/caps" || fail "capabilities"
grep -q "^ *0 *$RUID *1$" "$WORK/out/t/map" || fail "the step does not run with the ids of the user"
[ "$(ls "$WORK/out/t/gone")" = y ] || fail "a removed directory is not opaque"
[ ! -e "$WORK/out/t/dev" ] || fail "a removed file is there"

# Archives have the ids as the step saw them, not those of the host; layers have the whiteouts.
build "$WORK/c" --secret id=s,src="$WORK/secret" --output type=tar,dest="$WORK/out.tar" 2> /dev/null
tar --numeric-owner -tvf "$WORK/out.tar" > "$WORK/list"
for line in '1234/65535.* t/owned' '^drwxr-s---.* 5/6 .* t/d/' '4000/4001.* t/copied'; do
	grep -qE -- "$line" "$WORK/list" || { cat "$WORK/list"; fail "no \"$line\" in the archive"; }
done
build "$WORK/c" --secret id=s,src="$WORK/secret" --opt target=base --output type=oci,tar=false,dest="$WORK/oci" 2> /dev/null
for blob in "$WORK"/oci/blobs/sha256/*; do tar -tzf "$blob" 2> /dev/null || true; done > "$WORK/names"
for name in t/.wh.dev t/gone/.wh.x t/gone/y; do
	grep -qx "$name" "$WORK/names" || { cat "$WORK/names"; fail "no $name in the layers"; }
done

# The layers again as a base: owners, whiteouts and the opaque directory come back.
cat > "$WORK/c/Dockerfile" <<'DOCKERFILE'
FROM img AS again
RUN [ "$(stat -c %u:%g /t/owned)" = 1234:65535 ] && [ "$(ls /t/gone)" = y ] && [ ! -e /t/dev ] && [ "$(stat -c %u:%g /t/copied)" = 4000:4001 ]
RUN touch /t/more && rm -r /t/gone
DOCKERFILE
digest=$(sed -n 's/.*"digest":"\(sha256:[0-9a-f]*\)".*/\1/p' "$WORK/oci/index.json")
build "$WORK/c" --oci-layout img="$WORK/oci" --opt "context:img=oci-layout://img@$digest" > "$WORK/text" 2>&1 || { cat "$WORK/text"; fail "the build from the layers"; }

# An owner beyond the map: the error says why and what to do.
printf 'FROM scratch\nCOPY --chown=70000 file /file\n' > "$WORK/c/Dockerfile"
fails 'try increasing the number of subordinate IDs in /etc/subuid' "$WORK/text" build "$WORK/c"
{ cat "$WORK/c/base"; printf 'USER 70000\nRUN id\n'; } > "$WORK/c/Dockerfile"
fails 'the user namespace does not map' "$WORK/text" build "$WORK/c"

# A restart keeps the cache; prune returns everything.
stop_daemon
nothing_of_user
start_rootless
{ cat "$WORK/c/base"; printf 'RUN cp /proc/sys/kernel/random/uuid /stamp\n'; } > "$WORK/c/Dockerfile"
build "$WORK/c" --output type=local,dest="$WORK/a" 2> /dev/null
stop_daemon
start_rootless --oci-worker-snapshotter overlayfs
build "$WORK/c" --output type=local,dest="$WORK/b" 2> /dev/null
cmp "$WORK/a/stamp" "$WORK/b/stamp" || fail "a restart lost the cache"
"$BIN/buildctl" prune --all > /dev/null
[ "$("$BIN/buildctl" du | grep -c '^Total:.*0B')" = 1 ] || { "$BIN/buildctl" du; fail "prune left records"; }
stop_daemon
nothing_of_user

# Without overlayfs.
start_rootless --oci-worker-snapshotter native
build "$WORK/c" --output type=local,dest="$WORK/n" 2> /dev/null
[ -s "$WORK/n/stamp" ] || fail "no result with the native snapshotter"
stop_daemon
nothing_of_user

# Refused: an ordinary user without a user namespace; an owner's options outside of one.
status=0
as_user "$WORK/bin/buildkitd" > "$WORK/text" 2>&1 || status=$?
[ "$status" = 1 ] && grep -q 'rootless mode requires to be executed as the mapped root' "$WORK/text" || { cat "$WORK/text"; fail "a daemon without a user namespace"; }
fails 'rootless mode requires to be executed as the mapped root' "$WORK/text" "$BIN/buildkitd" --oci-worker-rootless

# A runtime directory that another user could have made: a link to a directory of this user, or their own directory.
mkdir "$WORK/user/shared"
chmod 1777 "$WORK/user/shared"
as_user mkdir -m 755 "$HOME_DIR/mine"
ln -s "$HOME_DIR/mine" "$WORK/user/shared/buildkit"
fails "runtime directory $WORK/user/shared/buildkit is not a directory" "$WORK/text" \
	as_user env XDG_RUNTIME_DIR="$WORK/user/shared" rootlesskit --net=host "$WORK/bin/buildkitd"
[ "$(stat -c %a "$HOME_DIR/mine")" = 755 ] || fail "the mode of another directory was changed"
rm "$WORK/user/shared/buildkit"
mkdir -m 777 "$WORK/user/shared/buildkit"
fails "runtime directory $WORK/user/shared/buildkit is owned by uid" "$WORK/text" \
	as_user env XDG_RUNTIME_DIR="$WORK/user/shared" rootlesskit --net=host "$WORK/bin/buildkitd"
