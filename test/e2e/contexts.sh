# SPDX-License-Identifier: Apache-2.0
# Sources of a build's files: an archive or a Dockerfile from http, a subdirectory, all kinds of named contexts.
make_context "$WORK/c"
mkdir -p "$WORK/web" "$WORK/tree/sub" "$WORK/more/deep" "$WORK/far"
printf 'FROM scratch\nCOPY . /\n' > "$WORK/tree/Dockerfile"
for f in one sub/two; do echo "$f" > "$WORK/tree/$f"; done
find "$WORK/tree" -exec touch -d @1500000000 {} +
tar -C "$WORK/tree" -cf "$WORK/web/c.tar" Dockerfile one sub
gzip -k "$WORK/web/c.tar"
touch -d @1400000000 "$WORK/web/c.tar"
printf 'FROM scratch\nCOPY context /whole\n' > "$WORK/web/alone"
python3 - "$WORK/web" > "$WORK/port" 2> /dev/null <<'P' &
import functools, http.server, sys
class Handler(http.server.SimpleHTTPRequestHandler):
    def send_header(self, name, value):
        if not (name == "Last-Modified" and "undated" in self.path):
            super().send_header(name, value)
    def translate_path(self, path):
        return super().translate_path(path.replace("/undated", ""))
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=sys.argv[1]))
print(server.server_address[1], flush=True)
server.serve_forever()
P
SERVER=$!
undo "kill $SERVER"
await test -s "$WORK/port"
U="http://127.0.0.1:$(cat "$WORK/port")"
start_daemon

remote() { "$BIN/buildctl" build --progress=plain --frontend=dockerfile.v0 "$@" > "$WORK/build.log" 2>&1; }
files() { (cd "$WORK/out" && find . -type f | sort | tr '\n' ' '); }
# holds FILES WHAT ARGS...: the build with ARGS gives FILES.
holds() {
	want=$1
	what=$2
	shift 2
	rm -rf "$WORK/out"
	remote "$@" --output type=local,dest="$WORK/out" || { cat "$WORK/build.log"; fail "$what"; }
	[ "$(files)" = "$want" ] || { find "$WORK/out"; fail "$what: wrong files"; }
}

holds './Dockerfile ./one ./sub/two ' 'tar' --opt context="$U/c.tar"
holds './Dockerfile ./one ./sub/two ' 'tar.gz' --opt context="$U/c.tar.gz"
grep -q 'load remote build context' "$WORK/build.log" || fail "no vertex for the remote context"
holds './two ' 'subdirectory' --opt context="$U/c.tar" --opt contextsubdir=sub
holds './whole ' 'a single Dockerfile' --opt context="$U/alone"
holds './Dockerfile ./one ./sub/two ' 'other key' --opt contextkey=where --opt where="$U/c.tar"
remote --opt context="$U/none" && fail "a context that is not there"
grep -q 'invalid response status 404' "$WORK/build.log" || { cat "$WORK/build.log"; fail "no reason"; }

# created TEXT ARGS...: the image of the build with ARGS is from that time.
created() {
	want=$1
	shift
	remote "$@" --output type=oci,dest="$WORK/image.tar" || { cat "$WORK/build.log"; fail "epoch"; }
	got=$(python3 - "$WORK/image.tar" <<'P'
import json, sys, tarfile
tar = tarfile.open(sys.argv[1])
read = lambda name: json.load(tar.extractfile(name))
blob = lambda d: read("blobs/" + d["digest"].replace(":", "/"))
print(blob(blob(read("index.json")["manifests"][0])["config"])["created"])
P
)
	[ "$got" = "$want" ] || fail "created $got, not $want"
}
created 2014-05-13T16:53:20Z --opt context="$U/c.tar" --opt build-arg:SOURCE_DATE_EPOCH=context
created 2017-07-14T02:40:00Z --opt context="$U/undated/c.tar" --opt build-arg:SOURCE_DATE_EPOCH=context

# Named contexts: a directory with its ignore file, of which only used files are transferred; a file; a layout.
echo skipped > "$WORK/more/.dockerignore"
for f in used skipped unused deep/file; do echo "$f" > "$WORK/more/$f"; done
mkdir -p "$WORK/far/df"
named() { printf "$1" > "$WORK/far/df/Dockerfile"; }
named 'FROM scratch\nCOPY --from=tree used skip* /\nCOPY --from=tree /deep /deep\n'
holds './deep/file ./used ' 'named directory' --local dockerfile="$WORK/far/df" --local context="$WORK/far" \
	--local more="$WORK/more" --opt context:tree=local:more
named 'FROM tree\nCOPY --from=page context /page\n'
holds './.dockerignore ./deep/file ./page ./unused ./used ' 'named base' --local dockerfile="$WORK/far/df" \
	--local context="$WORK/far" --local more="$WORK/more" --opt context:tree=local:more --opt context:page="$U/alone"
remote --local dockerfile="$WORK/tree" --local context="$WORK/tree" --output type=oci,tar=false,dest="$WORK/layout" ||
	{ cat "$WORK/build.log"; fail "layout"; }
digest=$(sed 's/.*"digest":"\(sha256:[0-9a-f]*\)".*/\1/' "$WORK/layout/index.json")
named 'FROM img\nCOPY --from=img /one /copied\n'
holds './Dockerfile ./copied ./one ./sub/two ' 'named layout' --local dockerfile="$WORK/far/df" --local context="$WORK/far" \
	--oci-layout img="$WORK/layout" --opt "context:img=oci-layout://img@$digest"
named 'FROM scratch AS replaced\nRUN never\nFROM replaced\n'
holds './.dockerignore ./deep/file ./unused ./used ' 'named stage' --local dockerfile="$WORK/far/df" --local context="$WORK/far" \
	--local more="$WORK/more" --opt context:replaced=local:more

# gateway.v0 that names the dockerfile frontend is the built-in one; the syntax line too.
printf '# syntax=docker/dockerfile:1\nFROM scratch\nCOPY one /\n' > "$WORK/tree/Dockerfile"
rm -rf "$WORK/out"
"$BIN/buildctl" build --progress=plain --frontend=gateway.v0 --opt source=docker/dockerfile --local context="$WORK/tree" \
	--local dockerfile="$WORK/tree" --output type=local,dest="$WORK/out" > "$WORK/build.log" 2>&1 || { cat "$WORK/build.log"; fail "gateway.v0"; }
[ "$(files)" = './one ' ] || fail "gateway.v0: wrong files"
alive
no_leftovers
