# SPDX-License-Identifier: Apache-2.0
# The content store as clients list it: blobs of images, what the history has, nothing after all of it was removed.
make_context "$WORK/c"
printf 'FROM scratch\nCOPY base /f\n' > "$WORK/c/Dockerfile"
start_daemon
list() { python3 "$HERE/peer.py" content "$WORK/sock" "$@" > "$WORK/list" || fail "List $*"; }

list
[ ! -s "$WORK/list" ] || { cat "$WORK/list"; fail "blobs before any build"; }
build "$WORK/c" --output type=oci,dest="$WORK/out.tar" --metadata-file "$WORK/meta" --progress=quiet || fail "build"
list
python3 - "$WORK/out.tar" "$WORK/list" <<'PYTHON' || { cat "$WORK/list"; fail "list and image differ"; }
import sys, tarfile
listed = dict(line.split() for line in open(sys.argv[2]))
inside = {m.name.split("/")[-1]: m.size for m in tarfile.open(sys.argv[1]) if m.name.startswith("blobs/sha256/")}
assert inside and all(int(listed["sha256:" + name]) == size for name, size in inside.items())
PYTHON
digest=$(sed -n 's/.*"containerimage.digest": *"\([^"]*\)".*/\1/p' "$WORK/meta" | head -n 1)
list "digest==$digest"
[ "$(cut -d' ' -f1 "$WORK/list")" = "$digest" ] || { cat "$WORK/list"; fail "filter by digest"; }
list 'labels.x==y'
[ ! -s "$WORK/list" ] || fail "a label that no blob has"
[ "$(python3 "$HERE/peer.py" statuses "$WORK/sock")" = 0 ] || fail "writes under way"
"$BIN/buildctl" prune-histories > /dev/null || fail "prune-histories"
"$BIN/buildctl" prune --all > /dev/null || fail "prune"
list
[ ! -s "$WORK/list" ] || { cat "$WORK/list"; fail "blobs after everything was removed"; }
