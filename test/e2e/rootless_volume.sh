# SPDX-License-Identifier: Apache-2.0
# A volume as the state directory of a daemon of an ordinary user: its root belongs to root, and all users can write to it.
own_mounts
. "$HERE/rootless.inc"
make_user
make_context "$WORK/c"
{ cat "$WORK/c/base"; echo 'RUN cp /proc/sys/kernel/random/uuid /stamp'; } > "$WORK/c/Dockerfile"
mkdir -p "$WORK/user/volume"
chmod 2777 "$WORK/user/volume"
STATE="$WORK/user/volume/state"

start_rootless --root "$WORK/user/volume"
[ "$(stat -c '%a %u' "$STATE")" = "700 $RUID" ] || fail "the state is not private"
[ "$(ls -A "$WORK/user/volume")" = state ] || fail "files beside the state"
build "$WORK/c" --output type=local,dest="$WORK/1" > "$WORK/text" 2>&1 || { cat "$WORK/text"; fail "the build"; }
stop_daemon
nothing_of_user

# A further daemon uses the state, also if the volume has another mode.
chmod 1777 "$WORK/user/volume"
start_rootless --root "$WORK/user/volume"
build "$WORK/c" --output type=local,dest="$WORK/2" > "$WORK/text" 2>&1 || { cat "$WORK/text"; fail "the second build"; }
cmp "$WORK/1/stamp" "$WORK/2/stamp" || fail "the cache is lost"
stop_daemon

# What another user put there is refused; so is a volume that the user cannot write to.
mv "$STATE" "$WORK/user/volume/kept"
mkdir "$STATE"
fails 'state is owned by uid 65534' "$WORK/text" as_user rootlesskit --net=host "$WORK/bin/buildkitd" --root "$WORK/user/volume"
[ -z "$(ls -A "$STATE")" ] || fail "wrote into another user's directory"
chmod 755 "$WORK/user/volume"
fails 'volume is owned by uid 65534' "$WORK/text" as_user rootlesskit --net=host "$WORK/bin/buildkitd" --root "$WORK/user/volume"
