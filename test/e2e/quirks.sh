# SPDX-License-Identifier: Apache-2.0
# Quirks on which clients and files rely (docs/traps.md).
make_context "$WORK/c"
cat > "$WORK/buildkitd.toml" <<'TOML'
[ghacache]
  serverurl = "http://127.0.0.1:1/"
TOML
start_daemon
wait_for 'ghacache' "$WORK/daemon.log"
good() { build "$WORK/c" "$@" > "$WORK/said" 2>&1 || { cat "$WORK/said"; fail "$quirk"; }; }
is() { [ "$1" = "$2" ] || { cat "$WORK/said"; fail "$quirk: got \"$1\", not \"$2\""; }; }

quirk="names as they are spelled"
printf 'FROM scratch\nCOPY busybox /d/\n' > "$WORK/c/Dockerfile"
good --output type=image,name=x,danging-name-empty-only=true,dangling-name-prefix=p
printf 'FROM scratch\nCOPY nosuch /\n' > "$WORK/c/Dockerfile"
! build "$WORK/c" > "$WORK/said" 2>&1 || fail "$quirk"
"$BIN/buildctl" debug histories --format '{{json .}}' > "$WORK/histories"
grep -q '"application/vnd.googeapis.google.rpc.status+proto"' "$WORK/histories" || { cat "$WORK/histories"; fail "$quirk"; }

printf 'FROM scratch\nCOPY busybox /d/\n' > "$WORK/c/Dockerfile"
quirk="the record of a build holds the metadata of its result, not the keys of its exporters"
good --output type=oci,dest="$WORK/out.oci"
"$BIN/buildctl" debug histories --format '{{json .}}' | tail -n 1 > "$WORK/histories"
grep -q '"containerimage.config"' "$WORK/histories" || { cat "$WORK/histories"; fail "$quirk"; }
grep -q '"verifier.requestopts"' "$WORK/histories" || { cat "$WORK/histories"; fail "$quirk"; }
! grep -q '"containerimage.digest"' "$WORK/histories" || { cat "$WORK/histories"; fail "$quirk"; }
! grep -q '"Generation"' "$WORK/histories" || { cat "$WORK/histories"; fail "$quirk: generation"; }

quirk="a call for an unknown build waits three seconds"
# shellcheck disable=SC2046 # words are wanted
set -- $(python3 "$HERE/peer.py" ping "$WORK/sock" nosuchbuild)
[ "$1" = 0 ] && [ "$2" -ge 2 ] && [ "$2" -le 5 ] || fail "$quirk: $*"
