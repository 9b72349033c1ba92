# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 400
# Images of Windows on a Linux daemon: layers have the form that Windows reads, paths follow its rules, RUN fails.
mkdir -p "$WORK/reg" "$WORK/c/sub"
python3 "$HERE/counting_registry.py" "$WORK/reg" > "$WORK/registry.txt" 2>&1 &
REGISTRY=$!
undo "kill $REGISTRY"
await test -e "$WORK/reg/port"
PORT=$(cat "$WORK/reg/port")

# A base image: a tree in Files, beside hives and a utility VM that are no part of it.
python3 - "$PORT" <<'PYTHON'
import gzip, hashlib, io, json, sys, tarfile, urllib.request
URL = "http://127.0.0.1:%s" % sys.argv[1]
def send(method, path, data, **headers):
    url = path if path.startswith("http") else URL + path
    return urllib.request.urlopen(urllib.request.Request(url, data=data, method=method, headers=headers))
def blob(data):
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    send("PUT", send("POST", "/v2/u/win/blobs/uploads/", b"").headers["Location"] + "?digest=" + digest, data)
    return {"digest": digest, "size": len(data)}
layer = io.BytesIO()
tar = tarfile.open(fileobj=layer, mode="w", format=tarfile.PAX_FORMAT)
def add(name, data=None, link=""):
    info = tarfile.TarInfo(name)
    info.type = tarfile.LNKTYPE if link else tarfile.DIRTYPE if data is None else tarfile.REGTYPE
    info.mode, info.mtime, info.linkname, info.size = 0o755 if data is None else 0o644, 10**9, link, len(data or b"")
    info.pax_headers = {"MSWINDOWS.fileattr": "16" if data is None else "32", "LIBARCHIVE.creationtime": "1000000000.5"}
    tar.addfile(info, io.BytesIO(data or b""))
for name in ("Files", "Hives", "Files/Windows", "Files/Windows/System32"):
    add(name)
add("Hives/System_Delta", b"hive")
add("Files/Windows/System32/a.dll", b"dll")
add("Files/Windows/hard.dll", link="Files/Windows/System32/a.dll")
add("Files/gone.txt", b"gone")
add("UtilityVM/x", b"vm")
tar.close()
raw = layer.getvalue()
config = {"architecture": "amd64", "os": "windows", "os.version": "10.0.17763.1", "os.features": ["win32k"],
          "config": {"WorkingDir": "C:\\start"}, "history": [{"created_by": "base"}],
          "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(raw).hexdigest()]}}
types = "application/vnd.oci.image."
manifest = {"schemaVersion": 2, "mediaType": types + "manifest.v1+json",
            "config": dict(blob(json.dumps(config).encode()), mediaType=types + "config.v1+json"),
            "layers": [dict(blob(gzip.compress(raw)), mediaType=types + "layer.v1.tar+gzip")]}
send("PUT", "/v2/u/win/manifests/1", json.dumps(manifest).encode(), **{"Content-Type": types + "manifest.v1+json"})
PYTHON
BASE="127.0.0.1:$PORT/u/win:1"

cd "$WORK/c"
echo one > one
echo two > sub/two
ln -s two sub/link
chmod 755 one
find . -exec touch -h -d @1100000000 {} +
printf '# escape=`\nFROM %s\nCOPY one C:\\app\\\nWORKDIR deep\\er\nCOPY sub\\ .\nCOPY --link --chmod=600 one c:/Windows/System32/a.dll\nCMD dir\n' "$BASE" > Dockerfile

# list ARCHIVE: the platform, the config's directory, and the entries of all layers with their pax records.
list() {
	python3 - "$1" <<'PYTHON'
import gzip, io, json, sys, tarfile
archive = tarfile.open(sys.argv[1])
def blob(digest):
    return archive.extractfile("blobs/" + digest.replace(":", "/")).read()
root = json.loads(archive.extractfile("index.json").read())["manifests"][0]
print(json.dumps(root["platform"], sort_keys=True))
manifest = json.loads(blob(root["digest"]))
config = json.loads(blob(manifest["config"]["digest"]))
print(config["os"], config["os.version"], config["os.features"], config["config"]["WorkingDir"], config["config"]["Cmd"])
names = {"LIBARCHIVE.creationtime": "born", "MSWINDOWS.fileattr": "attr", "MSWINDOWS.rawsd": "sd"}
for layer in manifest["layers"][1:]:
    print("layer")
    for e in tarfile.open(fileobj=io.BytesIO(gzip.decompress(blob(layer["digest"])))):
        pax = {names.get(k, k): len(v) if k.endswith("sd") else v for k, v in e.pax_headers.items()}
        if e.mtime not in (0, 1100000000):
            assert pax.pop("born") == "%d.0" % e.mtime
        print(e.type.decode(), "%o" % e.mode, e.name, e.linkname or "-", *("%s=%s" % row for row in sorted(pax.items())))
PYTHON
}

cat > "$WORK/expected" <<'LIST'
{"architecture": "amd64", "os": "windows", "os.features": ["win32k"], "os.version": "10.0.17763.1"}
windows 10.0.17763.1 ['win32k'] \start\deep\er ['cmd', '/S', '/C', 'dir']
layer
5 40000 Hives - attr=16 born=0.0
5 40000 Files - attr=16 born=0.0
5 40755 Files/app - attr=16 sd=288
0 100755 Files/app/one - attr=32 born=1100000000.0 sd=168
layer
5 40000 Hives - attr=16 born=0.0
5 40000 Files - attr=16 born=0.0
5 40755 Files/start - attr=16 sd=288
5 40755 Files/start/deep - attr=16 sd=288
5 40755 Files/start/deep/er - attr=16 sd=288
layer
5 40000 Hives - attr=16 born=0.0
5 40000 Files - attr=16 born=0.0
5 40755 Files/start - attr=16 sd=288
5 40755 Files/start/deep - attr=16 sd=288
5 40755 Files/start/deep/er - attr=16 born=1100000000.0 sd=288
2 777 Files/start/deep/er/link Files/two born=1100000000.0
0 100644 Files/start/deep/er/two - attr=32 born=1100000000.0 sd=168
layer
5 40000 Hives - attr=16 born=0.0
5 40000 Files - attr=16 born=0.0
5 40755 Files/Windows - attr=16 sd=288
5 40755 Files/Windows/System32 - attr=16 sd=288
0 100600 Files/Windows/System32/a.dll - attr=32 born=1100000000.0 sd=168
LIST
for snapshotter in auto native; do
	start_daemon --oci-worker-snapshotter $snapshotter
	build "$WORK/c" --opt platform=windows/amd64 --output "type=oci,dest=$WORK/image.tar,oci-mediatypes=true" > "$WORK/log" 2>&1 ||
		{ cat "$WORK/log"; fail "build with snapshotter $snapshotter"; }
	list "$WORK/image.tar" > "$WORK/list"
	diff "$WORK/expected" "$WORK/list" || fail "wrong image with snapshotter $snapshotter"
	[ "$(tar -xOf "$WORK/image.tar" index.json | grep -c .)" = 1 ] || fail "no index"

	# The tree of an image: what is below Files. The second image is based on the first one, through the registry.
	build "$WORK/c" --opt platform=windows/amd64 --output "type=image,name=127.0.0.1:$PORT/u/win:2,push=true" > "$WORK/log" 2>&1 ||
		{ cat "$WORK/log"; fail "push"; }
	"$BIN/buildctl" prune --all > /dev/null
	mkdir -p "$WORK/d"
	printf '# escape=`\nFROM 127.0.0.1:%s/u/win:2\nCOPY --from=127.0.0.1:%s/u/win:1 \\Windows\\hard.dll \\b.dll\n' "$PORT" "$PORT" > "$WORK/d/Dockerfile"
	rm -rf "$WORK/out"
	build "$WORK/d" --opt platform=windows/amd64 --output "type=local,dest=$WORK/out" > "$WORK/log" 2>&1 ||
		{ cat "$WORK/log"; fail "build on a built image"; }
	(cd "$WORK/out" && find . -mindepth 1 | sort | tr '\n' ' ') > "$WORK/names"
	[ "$(cat "$WORK/names")" = "./Windows ./Windows/System32 ./Windows/System32/a.dll ./Windows/hard.dll ./app ./app/one ./b.dll ./gone.txt ./start ./start/deep ./start/deep/er ./start/deep/er/link ./start/deep/er/two " ] ||
		{ cat "$WORK/names"; fail "wrong tree"; }
	[ "$(cat "$WORK/out/Windows/System32/a.dll") $(cat "$WORK/out/b.dll") $(readlink "$WORK/out/start/deep/er/link")" = "one dll two" ] || fail "wrong files"
	stop_daemon
	rm -rf "$WORK/root"
done

# Equal builds give equal images, also in another second.
start_daemon
for n in 1 2; do
	begun=$(date +%s)
	while [ $n = 2 ] && [ "$(date +%s)" = "$begun" ]; do sleep 0.1; done
	build "$WORK/c" --no-cache --opt platform=windows/amd64 --opt build-arg:SOURCE_DATE_EPOCH=1200000000 \
		--output "type=oci,dest=$WORK/same$n.tar,rewrite-timestamp=true" > "$WORK/log" 2>&1 || { cat "$WORK/log"; fail "reproducible build"; }
done
[ "$(tar -xOf "$WORK/same1.tar" index.json)" = "$(tar -xOf "$WORK/same2.tar" index.json)" ] || fail "two builds differ"

# Errors: other drives, UNC paths, RUN.
windows_fails() { # INSTRUCTION TEXT
	printf '# escape=`\nFROM %s\n%s\n' "$BASE" "$1" > "$WORK/d/Dockerfile"
	fails "$2" "$WORK/log" build "$WORK/d" --opt platform=windows/amd64
}
windows_fails 'WORKDIR D:\x' 'normalizing workdir: normalizing working directory: removing drive letter: The specified path is not on the system drive (C:)'
windows_fails 'WORKDIR C:' 'removing drive letter: No relative path specified in "C:"'
windows_fails 'COPY . \\host\share' 'removing drive letter: UNC paths are not supported'
windows_fails 'COPY D:\x /' 'removing drive letter: The specified path is not on the system drive (C:)'
windows_fails 'RUN dir' 'did not complete successfully'

# A cache that is imported does not say for which system a layer is: its layers are used, but not unpacked.
build "$WORK/c" --opt platform=windows/amd64 --export-cache "type=registry,ref=127.0.0.1:$PORT/u/cache:1,mode=max" > "$WORK/log" 2>&1 ||
	{ cat "$WORK/log"; fail "cache export"; }
"$BIN/buildctl" prune --all > /dev/null
build "$WORK/c" --opt platform=windows/amd64 --import-cache "type=registry,ref=127.0.0.1:$PORT/u/cache:1" \
	--output "type=oci,dest=$WORK/imported.tar,oci-mediatypes=true" > "$WORK/log" 2>&1 || { cat "$WORK/log"; fail "cache import"; }
[ "$(grep -c CACHED "$WORK/log")" -ge 4 ] || { cat "$WORK/log"; fail "the cache is not used"; }
list "$WORK/imported.tar" > "$WORK/list"
diff "$WORK/expected" "$WORK/list" || fail "wrong image from an imported cache"
"$BIN/buildctl" prune --all > /dev/null
echo 'COPY one /more' >> "$WORK/c/Dockerfile"
cached() { # DIR
	build "$WORK/$1" --opt platform=windows/amd64 --import-cache "type=registry,ref=127.0.0.1:$PORT/u/cache:1" \
		--output "type=local,dest=$WORK/cached"
}
fails "is one of a Windows image" "$WORK/log" cached c
printf 'FROM %s\nCOPY one /more\n' "$BASE" > "$WORK/d/Dockerfile"
cp -p one "$WORK/d"
"$BIN/buildctl" prune --all > /dev/null
cached d > "$WORK/log" 2>&1 || { cat "$WORK/log"; fail "build on a base image beside an imported cache"; }
[ "$(cat "$WORK/cached/more" "$WORK/cached/Windows/hard.dll" | tr '\n' ' ')" = "one dll" ] && [ ! -e "$WORK/cached/Files" ] ||
	{ find "$WORK/cached"; fail "wrong tree beside an imported cache"; }
alive
