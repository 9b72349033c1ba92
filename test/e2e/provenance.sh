# SPDX-License-Identifier: Apache-2.0
# Provenance of images, of files and in the history, and data that it must not contain.
make_context "$WORK/c"
mkdir -p "$WORK/web"
echo data > "$WORK/web/file"
echo f > "$WORK/c/f"
printf 'the-secret-value' > "$WORK/secret"
port=$((20000 + $$ % 20000))
python3 -m http.server --bind 127.0.0.1 --directory "$WORK/web" $port > "$WORK/web.log" 2>&1 &
web=$!
undo "kill $web"
await python3 -c "import socket; socket.create_connection(('127.0.0.1', $port))"
{
	cat "$WORK/c/base"
	cat <<DOCKERFILE
ARG A
RUN --mount=type=secret,id=token test -s /run/secrets/token
FROM scratch
ADD http://user:password@127.0.0.1:$port/file /d/file
COPY --from=base /bin/busybox /b
COPY f /f
DOCKERFILE
} > "$WORK/c/Dockerfile"
mkdir "$WORK/provenance.d"
printf '{"foo":"bar","numbers":[1,2,3]}' > "$WORK/provenance.d/a.json"
sed -i "1i provenanceEnvDir = \"$WORK/provenance.d\"" "$WORK/buildkitd.toml"
start_daemon

attested() { # NAME PARAMETERS [OUTPUT-ATTRIBUTES]: an archive, its attestations in $WORK/NAME.att
	name=$1
	rm -rf "${WORK:?}/$name"
	mkdir "$WORK/$name"
	build "$WORK/c" --secret id=token,src="$WORK/secret" --opt build-arg:A=argument-value \
		--opt "attest:provenance=$2" --output "type=oci,dest=$WORK/$name.tar,name=h/n:1${3:-}" > "$WORK/said" 2>&1 ||
		{ cat "$WORK/said"; fail "$name"; }
	tar -xf "$WORK/$name.tar" -C "$WORK/$name"
	grep -l '"_type":' "$WORK/$name"/blobs/sha256/* > "$WORK/$name.list" || [ $? = 1 ]
	xargs -r cat < "$WORK/$name.list" > "$WORK/$name.att"
}
# In $WORK/$1.att: EXPRESSION over p, the predicate, and s, the statement.
holds() { # NAME EXPRESSION
	python3 -c "import json, sys
s = json.load(open(sys.argv[1])); p = s['predicate']
sys.exit(not ($2))" "$WORK/$1.att" || { cat "$WORK/$1.att"; fail "$1: not $2"; }
}
never() { # TEXT FILE...
	text=$1
	shift
	! grep -qF -- "$text" "$@" || fail "\"$text\" is in $*"
}

attested min mode=min
never argument-value "$WORK/min.att"
never token "$WORK/min.att"
never password "$WORK/min.att"
holds min "s['subject'][0]['name'].startswith('pkg:docker/h/n@1?platform=linux%2F')"
holds min "p['buildDefinition']['resolvedDependencies'] == [{'uri': 'http://xxxxx:xxxxx@127.0.0.1:$port/file', 'digest':
	{'sha256': '$(sha256sum < "$WORK/web/file" | cut -d' ' -f1)'}}]"
holds min "p['runDetails']['metadata']['buildkit_completeness'] == {'request': False, 'resolvedDependencies': False}"

attested max mode=max,builder-id=https://b/1,reproducible=true
never the-secret-value "$WORK/max.att"
holds max "p['buildDefinition']['externalParameters']['request']['secrets'] == [{'id': 'token', 'optional': True}] or
	p['buildDefinition']['externalParameters']['request']['secrets'] == [{'id': 'token'}]"
holds max "p['buildDefinition']['externalParameters']['request']['args']['build-arg:A'] == 'argument-value'"
holds max "p['runDetails']['builder']['id'] == 'https://b/1' and p['runDetails']['metadata']['buildkit_reproducible']"
holds max "len(p['buildDefinition']['internalParameters']['buildConfig']['llbDefinition']) > 3"
holds max "p['runDetails']['metadata']['buildkit_metadata']['layers']"

# What the machine used is recorded while a step runs: not in this build, which finds all of its steps in the cache.
never Usage "$WORK/max.att"
attested cached mode=max,capture-usage=true
never Usage "$WORK/cached.att"
sed -i 's/^RUN --mount/RUN true; true\n&/' "$WORK/c/Dockerfile"
attested usage mode=max,capture-usage=true
holds usage "p['runDetails']['metadata']['buildkit_metadata']['sysUsage'][-1]['memoryStat']['total'] > 1000"
holds usage "all(len(s['cpuStat']) == 10 and s['procStat']['contextSwitches'] > 0
	for s in p['runDetails']['metadata']['buildkit_metadata']['sysUsage'])"

# The digest of the subject is that of the image in the index.
image=$(python3 -c "import json, sys
print(json.load(open(sys.argv[1]))['subject'][0]['digest']['sha256'])" "$WORK/max.att")
[ -f "$WORK/max/blobs/sha256/$image" ] || fail "the subject is not in the archive"

attested v02 mode=min,version=v0.2
holds v02 "s['predicateType'] == 'https://slsa.dev/provenance/v0.2' and p['buildType'] == 'https://mobyproject.org/buildkit@v1'"

# buildx requests provenance by default; an archive has it only if requested explicitly.
attested inline mode=min,inline-only=true
[ ! -s "$WORK/inline.list" ] || fail "an inline-only attestation is in the archive"
attested inline mode=min,inline-only=true ,attestation-inline=true
[ -s "$WORK/inline.list" ] || fail "no attestation with attestation-inline=true"

# Files: the subjects are the other files of the result.
build "$WORK/c" --secret id=token,src="$WORK/secret" --opt attest:provenance=mode=max,filename=p.json \
	--opt vcs:source=https://me:address-secret@127.0.0.1/x \
	--output type=local,dest="$WORK/files",attestation-prefix=a- > "$WORK/said" 2>&1 || { cat "$WORK/said"; fail "local"; }
cp "$WORK/files/a-p.json" "$WORK/files.att"
holds files "{x['name']: x['digest']['sha256'] for x in s['subject']} == {
	'b': '$(sha256sum < "$WORK/files/b" | cut -d' ' -f1)', 'd/file': '$(sha256sum < "$WORK/files/d/file" | cut -d' ' -f1)',
	'f': '$(sha256sum < "$WORK/files/f" | cut -d' ' -f1)'}"
never password "$WORK/files/a-p.json"

# The gateway frontend with the built-in frontend as its source is recorded as that frontend; the administrator's
# files are included.
build "$WORK/c" --secret id=token,src="$WORK/secret" --frontend gateway.v0 --opt source=dockerfile.v0 --opt cmdline=dockerfile.v0 \
	--opt attest:provenance=mode=max,filename=p.json --output type=local,dest="$WORK/gateway" > "$WORK/said" 2>&1 ||
	{ cat "$WORK/said"; fail "gateway.v0 with source=dockerfile.v0"; }
cp "$WORK/gateway/p.json" "$WORK/gateway.att"
holds gateway "p['buildDefinition']['externalParameters']['request']['frontend'] == 'dockerfile.v0'"
holds gateway "'source' not in p['buildDefinition']['externalParameters']['request']['args']"
holds gateway "p['buildDefinition']['internalParameters']['foo'] == 'bar'"
holds gateway "list(p['buildDefinition']['internalParameters']) == sorted(p['buildDefinition']['internalParameters'])"
fails 'failed to resolve source metadata for nowhere.invalid/x:latest' "$WORK/said" build "$WORK/c" --frontend gateway.v0 \
	--opt source=dockerfile.v0 --opt context:dockerfile.v0=docker-image://nowhere.invalid/x

# complete-materials: an incomplete list fails the build.
! build "$WORK/c" --secret id=token,src="$WORK/secret" --opt attest:provenance=complete-materials=true > "$WORK/said" 2>&1 ||
	fail "local sources are complete materials"
grep -q 'provenance materials are incomplete' "$WORK/said" || { cat "$WORK/said"; fail "another error"; }

# The history has provenance even if it was not requested.
"$BIN/buildctl" debug histories --format '{{json .}}' > "$WORK/histories"
digest=$(python3 -c "import json, sys
for line in open(sys.argv[1]):
	for a in json.loads(line)['record'].get('Result', {}).get('Attestations', []):
		print(a['digest'])" "$WORK/histories" | tail -n 1)
[ -n "$digest" ] || { cat "$WORK/histories"; fail "no attestation in the history"; }
never address-secret "$WORK/histories" # (a Dockerfile that an error quotes stays as it is)
"$BIN/buildctl" debug get "$digest" > "$WORK/record" || fail "the attestation of a record cannot be read"
grep -q '"buildDefinition"' "$WORK/record" || { cat "$WORK/record"; fail "no predicate"; }
never password "$WORK/record"
never the-secret-value "$WORK/record"
alive
