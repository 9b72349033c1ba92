# SPDX-License-Identifier: Apache-2.0
# The manifests of examples/kubernetes: fields, references, secrets. test/e2e/image executes their pods.
python3 -c 'import yaml' 2> /dev/null || fail "no python3-yaml (tools/setup test)"
examples=$HERE/../../examples/kubernetes
check() { python3 "$HERE/kubernetes.py" check "$@"; }
check "$examples"/*.yaml || fail "a manifest"

# wrong FILE SED TEXT: a manifest with that change is refused.
wrong() {
	sed "$2" "$examples/$1" > "$WORK/wrong.yaml"
	! cmp -s "$examples/$1" "$WORK/wrong.yaml" || fail "sed changes nothing: $2"
	fails "$3" "$WORK/log" check "$WORK/wrong.yaml"
}
wrong deployment.yaml 's/replicas: 2/replica: 2/' 'Deployment.spec.replica is not known'
wrong deployment.yaml 's/replicas: 2/replicas: "2"/' "Deployment.spec.replicas is '2'"
wrong deployment.yaml 's/targetPort: grpc/targetPort: http/' 'Service: no port http'
wrong deployment.yaml 's,policy/v1,policy/v1beta1,' 'PodDisruptionBudget of policy/v1beta1 is not known'
wrong deployment.yaml 's/kind: Deployment/kind: StatefulSet/' 'StatefulSet.spec.serviceName is missing'
wrong deployment.yaml 's/secretName/secret/' 'secret.secret is not known'
wrong statefulset.yaml 's/- name: state/- name: other/' 'StatefulSet: no volume other'
wrong statefulset.yaml 's/serviceName: buildkitd/serviceName: other/' 'StatefulSet: no service other'
wrong job.yaml 's/privileged: true/privileged: "yes"/' "securityContext.privileged is 'yes'"
wrong deployment.rootless.yaml 's/runAsUser: 1000/runAsUser: "1000"/' "securityContext.runAsUser is '1000'"
wrong statefulset.rootless.yaml 's/seccompProfile/seccomp/' 'securityContext.seccomp is not known'
wrong job.rootless.yaml 's/type: Unconfined/type: None/' "Profile.type is 'None'"

# Secrets with certificates that are good for the service.
"$examples/create-secrets" "$WORK/certs" buildkitd 10.0.0.1 > "$WORK/log" || fail "create-secrets"
grep -qx "kubectl apply -f $WORK/certs/buildkit-daemon-certs.yaml -f $WORK/certs/buildkit-client-certs.yaml" "$WORK/log" || fail "no command"
check "$WORK"/certs/*.yaml || fail "a secret"
for who in daemon client; do
	[ "$(stat -c %a "$WORK/certs/buildkit-$who-certs.yaml")" = 600 ] || fail "others can read the key"
	grep -qx "  name: buildkit-$who-certs" "$WORK/certs/buildkit-$who-certs.yaml" || fail "name"
	for file in ca.pem cert.pem key.pem; do
		sed -n "s/^  $file: //p" "$WORK/certs/buildkit-$who-certs.yaml" | base64 -d > "$WORK/$who-$file"
	done
	openssl verify -CAfile "$WORK/$who-ca.pem" "$WORK/$who-cert.pem" > /dev/null || fail "certificate"
done
openssl x509 -in "$WORK/daemon-cert.pem" -noout -ext subjectAltName | grep -q 'DNS:buildkitd, IP Address:10.0.0.1' || fail "names"
grep -q "secretName: buildkit-daemon-certs" "$examples/deployment.yaml" || fail "the pods use another secret"
