# SPDX-License-Identifier: Apache-2.0
# SBOM generators: images, files and the history; stages and the context; plain definitions; generators that misbehave.
# TIMEOUT 300

mkdir -p "$WORK/reg"
python3 "$HERE/counting_registry.py" "$WORK/reg" &
REGISTRY=$!
undo "kill $REGISTRY; wait $REGISTRY 2>/dev/null"
await test -s "$WORK/reg/port"
REG="127.0.0.1:$(cat "$WORK/reg/port")"
start_daemon

must() { "$@" > "$WORK/said" 2>&1 || { cat "$WORK/said"; fail "$*"; }; }
push() { # NAME DIR
	must build "$2" --output "type=image,name=$REG/$1,push=true"
}

# ---- images: a base, the generator of test/scanner on it, and what is scanned
make_context "$WORK/base"
cp "$WORK/base/base" "$WORK/base/Dockerfile"
push base "$WORK/base"
cp -r "$HERE/../scanner" "$WORK/scanner"
must build "$WORK/scanner" --opt "build-arg:BASE=$REG/base" --output "type=image,name=$REG/scanner,push=true"
VERSION=$(grep -ao 'BusyBox v[0-9][0-9.]*' "$WORK/base/busybox" | head -n 1 | sed 's/.* v//')
mkdir "$WORK/c"
printf 'Package: one\nStatus: install ok installed\nVersion: 1.0-1\n\nPackage: gone\nStatus: deinstall ok config-files\nVersion: 2\n' \
	> "$WORK/c/status"
cat > "$WORK/c/Dockerfile" <<DOCKERFILE
FROM scratch AS first
ARG BUILDKIT_SBOM_SCAN_STAGE
COPY status /in-first
FROM scratch AS second
COPY status /in-second
FROM $REG/base
ARG BUILDKIT_SBOM_SCAN_CONTEXT
COPY --from=first /in-first /var/lib/dpkg/status
COPY --from=second /in-second /second
DOCKERFILE

# holds FILE EXPRESSION over s, the statements by name of their predicate; p, the predicate of "sbom"; and layers.
cat > "$WORK/holds.py" <<'PYTHON'
import glob, json, os, sys
path, expression = sys.argv[1:]
s, layers, manifests = {}, [], []
if os.path.isdir(path):
    files = glob.glob(path + "/blobs/sha256/*")
    manifests = [m for m in (json.load(open(f)) for f in files if open(f, "rb").read(1) == b"{") if "layers" in m]
    for m in manifests:
        blobs = [path + "/blobs/" + l["digest"].replace(":", "/") for l in m["layers"]]
        if "subject" in m or "artifactType" in m or any(l["mediaType"] == "application/vnd.in-toto+json" for l in m["layers"]):
            order = [json.load(open(b)) for b in blobs]
            s.update({d["predicate"].get("name"): d for d in order})
        else:
            layers = [l["digest"] for l in m["layers"]]
else:
    d = json.load(open(path))
    s[d["predicate"]["name"]] = d
p = s["sbom"]["predicate"] if "sbom" in s else None
if not eval(expression):
    print(json.dumps(s, indent=1)[:4000], layers)
    sys.exit("not " + expression)
PYTHON
holds() { python3 "$WORK/holds.py" "$WORK/$1" "$2" || fail "$1"; }
sbom() { # NAME [ARGS]: an OCI layout in $WORK/NAME
	name=$1
	shift
	rm -rf "${WORK:?}/$name"
	must build "$WORK/c" --output "type=oci,dest=$WORK/$name,tar=false,name=h/n:1" "$@"
}

# ---- the image: packages, layers of files, creators, subject
sbom image --opt "attest:sbom=generator=$REG/scanner"
grep -qF "[linux/amd64] generating sbom using $REG/scanner:latest" "$WORK/said" || { cat "$WORK/said"; fail "name of the vertex"; }
holds image "set(s) == {'sbom'} and s['sbom']['_type'] == 'https://in-toto.io/Statement/v1'"
holds image "s['sbom']['predicateType'] == 'https://spdx.dev/Document'"
holds image "[x['name'] for x in s['sbom']['subject']] == ['pkg:docker/h/n@1?platform=linux%2Famd64']"
holds image "[(x['name'], x['versionInfo']) for x in p['packages']] == [('one', '1.0-1'), ('busybox', '$VERSION')]"
holds image "p['creationInfo']['creators'][0] == 'Tool: test-scanner' and p['creationInfo']['creators'][1].startswith('Tool: buildkit-v')"
holds image "{f['fileName']: f['comment'] for f in p['files'] if f['fileName'] in ('/second', '/var/lib/dpkg/status', '/bin/busybox')} == {
	'/bin/busybox': 'layerID: ' + layers[0], '/var/lib/dpkg/status': 'layerID: ' + layers[-2], '/second': 'layerID: ' + layers[-1]}"
holds image "[m['artifactType'] for m in manifests if 'artifactType' in m] == ['application/vnd.docker.attestation.manifest.v1+json']"

# The step is cached like any other; parameters reach the generator.
sbom again --opt "attest:sbom=generator=$REG/scanner"
grep -qF 'CACHED' "$WORK/said" || { cat "$WORK/said"; fail "the step ran again"; }
must build "$WORK/c" --opt "attest:sbom=generator=$REG/scanner" --opt attest:provenance=mode=min \
	--output "type=oci,dest=$WORK/manifest,tar=false,name=h/n:1,oci-artifact=false"
holds manifest "set(s) == {'sbom', None} and not [m for m in manifests if 'artifactType' in m]"

# A cache has the documents of the generator, too.
must build "$WORK/c" --opt "attest:sbom=generator=$REG/scanner" --export-cache "type=local,dest=$WORK/cache"
must "$BIN/buildctl" prune --all
sbom cached --opt "attest:sbom=generator=$REG/scanner" --import-cache "type=local,src=$WORK/cache"
vertex=$(sed -n 's/^\(#[0-9]*\) .*generating sbom using.*/\1/p' "$WORK/said" | head -n 1)
grep -qx "$vertex CACHED" "$WORK/said" || { cat "$WORK/said"; fail "the generator ran in spite of a cache"; }
holds cached "[(x['name'], x['versionInfo']) for x in p['packages']] == [('one', '1.0-1'), ('busybox', '$VERSION')]"

# ---- stages and the context
sbom stages --opt "attest:sbom=generator=$REG/scanner" --opt build-arg:BUILDKIT_SBOM_SCAN_STAGE=true \
	--opt build-arg:BUILDKIT_SBOM_SCAN_CONTEXT=true
holds stages "list(s)[0] == 'sbom' and set(s) == {'sbom', 'sbom-first', 'sbom-context'}"
holds stages "[f['fileName'] for f in s['sbom-first']['predicate']['files']] == ['/in-first']"
holds stages "[f['fileName'] for f in s['sbom-context']['predicate']['files']] == ['/status']"
holds stages "not [f for n in ('sbom-first', 'sbom-context') for f in s[n]['predicate']['files'] if 'comment' in f]"
sbom named --opt "attest:sbom=generator=$REG/scanner" --opt build-arg:BUILDKIT_SBOM_SCAN_STAGE=second,first
holds named "set(s) == {'sbom', 'sbom-first'}"
sbom off --opt "attest:sbom=generator=$REG/scanner" --opt build-arg:BUILDKIT_SBOM_SCAN_STAGE=second
holds off "set(s) == {'sbom'}"

# ---- files: the subjects are the files of the result
must build "$WORK/c" --opt "attest:sbom=generator=$REG/scanner" --output "type=local,dest=$WORK/files,attestation-prefix=a-"
SECOND=$(sha256sum < "$WORK/c/status" | cut -d ' ' -f 1)
holds files/a-sbom.spdx.json "{x['name']: x['digest'] for x in s['sbom']['subject']}['second'] == {'sha256': '$SECOND'}"
holds files/a-sbom.spdx.json "[(x['name'], x['versionInfo']) for x in p['packages']] == [('one', '1.0-1'), ('busybox', '$VERSION')]"
must build "$WORK/c" --opt "attest:sbom=generator=$REG/scanner" --output "type=tar,dest=$WORK/files.tar"
tar -xOf "$WORK/files.tar" sbom.spdx.json > "$WORK/files.json" || fail "no SBOM in the archive"
holds files.json "len(s['sbom']['subject']) > 2"

# The build argument is the same option.
must build "$WORK/c" --opt "build-arg:BUILDKIT_ATTEST_SBOM=generator=$REG/scanner" --output "type=local,dest=$WORK/argument"
holds argument/sbom.spdx.json "[(x['name'], x['versionInfo']) for x in p['packages']] == [('one', '1.0-1'), ('busybox', '$VERSION')]"

# ---- several platforms: the generator runs on that of the builder, once for each
mkdir "$WORK/two"
printf 'FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH /\n' > "$WORK/two/Dockerfile"
echo 1 > "$WORK/two/amd64"
echo 2 > "$WORK/two/arm64"
must build "$WORK/two" --opt "attest:sbom=generator=$REG/scanner" --opt platform=linux/amd64,linux/arm64 \
	--output "type=local,dest=$WORK/both"
must build "$WORK/two" --opt "attest:sbom=generator=$REG/scanner" --opt platform=linux/amd64,linux/arm64 \
	--output "type=local,dest=$WORK/flat,platform-split=false"
for arch in amd64 arm64; do
	holds "both/linux_$arch/sbom.spdx.json" "[f['fileName'] for f in p['files']] == ['/$arch']"
	cmp "$WORK/both/linux_$arch/sbom.spdx.json" "$WORK/flat/sbom.spdx.linux_$arch.json" || fail "names without split"
done

# ---- a plain definition; the record of the build keeps the statements of its image
printf '{"ops": [{"file": {"actions": [{"input": -1, "secondaryInput": -1, "output": 0,
	"mkfile": {"path": "/plain", "mode": 420, "data": "x"}}]}}], "result": [0, 0]}' | python3 "$HERE/llb.py" > "$WORK/plain.llb"
"$BIN/buildctl" build --progress=plain --opt "attest:sbom=generator=$REG/scanner" \
	--output "type=oci,dest=$WORK/plain,tar=false" < "$WORK/plain.llb" > "$WORK/said" 2>&1 || { cat "$WORK/said"; fail "plain"; }
holds plain "[f['fileName'] for f in p['files']] == ['/plain'] and p['files'][0]['comment'] == 'layerID: ' + layers[0]"
statement=$(grep -l '"_type"' "$WORK"/plain/blobs/sha256/* | sed 's,.*/,,')
"$BIN/buildctl" debug get "sha256:$statement" | cmp - "$WORK/plain/blobs/sha256/$statement" || fail "the history has no SBOM"

# ---- options
fails 'sbom generator cannot be empty' "$WORK/said" build "$WORK/c" --opt attest:sbom=generator=
fails 'failed to parse sbom generator UPPER:' "$WORK/said" build "$WORK/c" --opt attest:sbom=generator=UPPER
fails "failed to resolve source metadata for $REG/none:latest" "$WORK/said" build "$WORK/c" --opt "attest:sbom=generator=$REG/none"

# ---- generators that misbehave: the text of the error, and the script that is the generator
hostile() { # TEXT SCRIPT
	mkdir -p "$WORK/hostile"
	printf 'FROM %s/base\nCOPY bad /bad\nENTRYPOINT ["/bin/sh", "/bad"]\n' "$REG" > "$WORK/hostile/Dockerfile"
	printf 'cd $BUILDKIT_SCAN_DESTINATION\n%s\n' "$2" > "$WORK/hostile/bad"
	N=$((${N:-0} + 1))
	push "hostile:$N" "$WORK/hostile"
	for output in "type=oci,dest=$WORK/hostile.tar" "type=local,dest=$WORK/hostile.dir"; do
		fails "$1" "$WORK/said" build "$WORK/c" --opt "attest:sbom=generator=$REG/hostile:$N" --output "$output"
		[ ! -e "$WORK/hostile.tar" ] && [ ! -e "$WORK/hostile.dir/second" ] || fail "a result of: $2"
	done
}
SPDX='{"predicateType":"https://spdx.dev/Document"}'
hostile 'the SBOM generator wrote no documents' 'true'
hostile 'exit code: 3' 'exit 3'
hostile 'cannot decode in-toto statement: failed to parse x: invalid value at offset 0' 'echo garbage > x'
hostile 'cannot decode in-toto statement: failed to parse x: unexpected end at offset 2' "echo '$SPDX' > a; printf '[1' > x"
hostile 'cannot decode in-toto statement: not a JSON object' 'echo 1 > x'
hostile 'cannot decode in-toto statement: failed to parse x: invalid value at offset 0' ': > x'
hostile 'bundle entry  does not match required predicate type https://spdx.dev/Document' 'echo {} > x'
hostile 'bundle entry https://slsa.dev/provenance/v1 does not match required predicate type https://spdx.dev/Document' \
	"echo '{\"predicateType\":\"https://slsa.dev/provenance/v1\"}' > x"
hostile 'x is nested more than 64 levels deep' 'yes [ | head -n 100 > x'
hostile 'x exceeds 41943040 bytes' 'truncate -s 41943041 x'
hostile 'more than 1000 attestations of a platform' "for i in \$(seq 1001); do echo '$SPDX' > \$i; done"
hostile 'control character in a string at offset 59' "printf '{\"predicateType\":\"https://spdx.dev/Document\",\"predicate\":\"a\\000b\"}' > x"
hostile 'open x: no such file or directory' 'ln -s /etc/passwd x'
hostile 'open x: no such file or directory' 'ln -s ../../../../../etc/passwd x'
hostile 'x is not a regular file' 'mkdir x'
hostile 'x is not a regular file' 'mkfifo x'
hostile 'x is not a regular file' 'mknod x c 1 5'
hostile 'x is not a regular file' 'ln -s / x'
hostile 'x is not a regular file' 'ln -s x x'
hostile 'exit code: 4' 'echo x > $BUILDKIT_SCAN_SOURCE/x || exit 4'

# A link to another document of the destination is read. What a document says of another type of SPDX is not touched.
printf 'cd $BUILDKIT_SCAN_DESTINATION\nprintf %%s '"'%s'"' > sbom.json\nln -s sbom.json link\n' \
	'{"predicateType":"https://spdx.dev/Document","predicate":{"name":"sbom","spdxVersion":"SPDX-9","n":[1.0,1e5]}}' \
	> "$WORK/hostile/bad"
push odd "$WORK/hostile"
sbom odd --opt "attest:sbom=generator=$REG/odd"
holds odd "p == {'name': 'sbom', 'spdxVersion': 'SPDX-9', 'n': [1.0, 1e5]}"
! grep -q creationInfo "$WORK"/odd/blobs/sha256/* || fail "a document of another version was changed"

# A generator without a process.
printf 'FROM scratch\nCOPY bad /\n' > "$WORK/hostile/Dockerfile"
push empty "$WORK/hostile"
fails "scanner $REG/empty:latest does not have cmd" "$WORK/said" build "$WORK/c" --opt "attest:sbom=generator=$REG/empty"
alive
no_leftovers
