#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kubernetes: checks manifests and executes what their pods execute, with docker.

    kubernetes.py check FILE...                          fields, types and references between the objects of each file
    kubernetes.py run FILE CONTAINER IMAGE ARGS...       docker run ARGS with the command and arguments of a container
    kubernetes.py probe FILE CONTAINER PROBE NAME        docker exec NAME with the command of a probe

The schema lists the fields of the Kubernetes API that the manifests use; others are refused, so that a misspelt one is not
silently ignored. A "!" marks required fields.
"""
import os, re, sys
import yaml

NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")
PORT_NAME = re.compile(r"(?=.*[a-z])[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?$")
PATH = re.compile(r"/[^:]*$")
QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?(m|[kMGT]i?)?$")
LABELS = {None: str}
META = {"name!": NAME, "labels": LABELS}
SELECTOR = {"matchLabels!": LABELS}
PROBE = {"exec!": {"command!": [str]}, "periodSeconds": int, "timeoutSeconds": int, "failureThreshold": int}
RESOURCES = {"requests": {"cpu": QUANTITY, "memory": QUANTITY, "storage": QUANTITY}}
PROFILE = {"type!": re.compile("RuntimeDefault$|Unconfined$")}
CONTAINER = {
    "name!": NAME, "image!": str, "command": [str], "args": [str], "ports": [{"name!": PORT_NAME, "containerPort!": int}],
    "startupProbe": PROBE, "readinessProbe": PROBE, "livenessProbe": PROBE, "resources": RESOURCES,
    "env": [{"name!": str, "value!": str}],
    "securityContext": {"privileged": bool, "runAsUser": int, "runAsGroup": int, "seccompProfile": PROFILE, "appArmorProfile": PROFILE},
    "volumeMounts": [{"name!": NAME, "mountPath!": PATH, "readOnly": bool}],
}
VOLUME = {"name!": NAME, "secret": {"secretName!": NAME, "defaultMode": int}, "emptyDir": {}}
POD = {"terminationGracePeriodSeconds": int, "restartPolicy": re.compile("Always|OnFailure|Never"),
       "securityContext": {"fsGroup": int, "fsGroupChangePolicy": re.compile("OnRootMismatch$|Always$")},
       "initContainers": [CONTAINER], "containers!": [CONTAINER], "volumes": [VOLUME]}
TEMPLATE = {"metadata!": {"labels!": LABELS}, "spec!": POD}
CLAIM = {"metadata!": META, "spec!": {"accessModes!": [re.compile("ReadWrite(Once|Many|OncePod)$")], "resources!": RESOURCES}}
METRIC = {"type!": re.compile("Resource$"), "resource!": {
    "name!": re.compile("cpu$|memory$"), "target!": {"type!": re.compile("Utilization$"), "averageUtilization!": int}}}
SPECS = {
    ("apps/v1", "Deployment"): {"replicas": int, "selector!": SELECTOR, "template!": TEMPLATE},
    ("apps/v1", "StatefulSet"): {
        "serviceName!": NAME, "replicas": int, "podManagementPolicy": re.compile("Parallel$|OrderedReady$"),
        "selector!": SELECTOR, "template!": TEMPLATE, "volumeClaimTemplates": [CLAIM]},
    ("batch/v1", "Job"): {"backoffLimit": int, "template!": TEMPLATE},
    ("v1", "Service"): {"selector!": LABELS, "clusterIP": re.compile("None$"),
                        "ports": [{"name!": PORT_NAME, "port!": int, "targetPort!": (int, str)}]},
    ("policy/v1", "PodDisruptionBudget"): {"minAvailable!": (int, str), "selector!": SELECTOR},
    ("autoscaling/v2", "HorizontalPodAutoscaler"): {
        "scaleTargetRef!": {"apiVersion!": str, "kind!": str, "name!": NAME}, "minReplicas": int, "maxReplicas!": int,
        "metrics!": [METRIC], "behavior": {"scaleDown": {"stabilizationWindowSeconds": int}}},
}
SECRET = {"apiVersion!": re.compile("v1$"), "kind!": str, "metadata!": META, "type!": re.compile("Opaque$"), "data!": LABELS}


def require(condition, text):
    if not condition:
        sys.exit(f"kubernetes.py: {text}")


def check(value, schema, where):
    if isinstance(schema, dict):
        require(isinstance(value, dict), f"{where} is not an object")
        known = {name.rstrip("!"): part for name, part in schema.items() if name}
        for name, part in value.items():
            require(isinstance(name, str), f"{where}: {name} is not a string")
            require(name in known or None in schema, f"{where}.{name} is not known")
            check(part, known[name] if name in known else schema[None], f"{where}.{name}")
        for name in schema:
            require(not name or name[-1] != "!" or name[:-1] in value, f"{where}.{str(name)[:-1]} is missing")
    elif isinstance(schema, list):
        require(isinstance(value, list) and value, f"{where} is not a list of anything")
        for number, part in enumerate(value):
            check(part, schema[0], f"{where}[{number}]")
    elif isinstance(schema, re.Pattern):
        require(isinstance(value, str) and schema.match(value), f"{where} is {value!r}")
    else:
        require(isinstance(value, schema) and (schema is bool or not isinstance(value, bool)), f"{where} is {value!r}")


def check_pod(spec, where):
    pod = spec["template"]["spec"]
    claims = [claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates", [])]
    volumes = [volume["name"] for volume in pod.get("volumes", [])] + claims
    used = set()
    for container in pod.get("initContainers", []) + pod["containers"]:
        for mount in container.get("volumeMounts", []):
            require(mount["name"] in volumes, f"{where}: no volume {mount['name']}")
            used.add(mount["name"])
    require(used == set(volumes), f"{where}: a volume is not used")
    for volume in pod.get("volumes", []):
        require(len(volume) == 2, f"{where}: volume {volume['name']} has not one kind")
    if "selector" in spec:
        labels = spec["template"]["metadata"]["labels"]
        require(spec["selector"]["matchLabels"].items() <= labels.items(), f"{where} selects other pods")


def check_file(path):
    with open(path) as f:
        documents = list(yaml.safe_load_all(f))
    require(documents, f"{path} is empty")
    pods = []
    for document in documents:
        require(isinstance(document, dict), f"{path} has something that is not an object")
        kind = (document.get("apiVersion"), document.get("kind"))
        where = f"{path}: {kind[1]}"
        if kind == ("v1", "Secret"):
            check(document, SECRET, where)
            continue
        require(kind in SPECS, f"{where} of {kind[0]} is not known")
        check(document, {"apiVersion!": str, "kind!": str, "metadata!": META, "spec!": SPECS[kind]}, where)
        if "template" in document["spec"]:
            check_pod(document["spec"], where)
            pods.append(document)
    for document in documents:
        spec, where = document.get("spec", {}), f"{path}: {document['kind']}"
        selector = {"Service": spec.get("selector"), "PodDisruptionBudget": spec.get("selector", {}).get("matchLabels")}.get(document["kind"])
        if selector is not None:
            selected = [pod for pod in pods if selector.items() <= pod["spec"]["template"]["metadata"]["labels"].items()]
            require(selected, f"{where} selects no pod")
            ports = [port["name"] for pod in selected for c in pod["spec"]["template"]["spec"]["containers"] for port in c.get("ports", [])]
            for port in spec.get("ports", []):
                require(port["targetPort"] in ports, f"{where}: no port {port['targetPort']}")
        if document["kind"] == "HorizontalPodAutoscaler":
            target = spec["scaleTargetRef"]
            require(any((target["apiVersion"], target["kind"], target["name"]) ==
                        (pod["apiVersion"], pod["kind"], pod["metadata"]["name"]) for pod in pods), f"{where} scales nothing")
        if document["kind"] == "StatefulSet":
            require(any(d["kind"] == "Service" and d["metadata"]["name"] == spec["serviceName"] for d in documents),
                    f"{where}: no service {spec['serviceName']}")


def container_of(path, name):
    with open(path) as f:
        for document in yaml.safe_load_all(f):
            pod = document["spec"].get("template", {}).get("spec", {})
            for container in pod.get("initContainers", []) + pod.get("containers", []):
                if container["name"] == name:
                    return container
    sys.exit(f"kubernetes.py: no container {name} in {path}")


def context_options(context):
    """Options of docker run for a container's securityContext."""
    options = ["--privileged"] if context.get("privileged") else []
    if "runAsUser" in context:
        options += ["--user", f"{context['runAsUser']}:{context['runAsGroup']}"]
    for profile, name in (("seccompProfile", "seccomp"), ("appArmorProfile", "apparmor")):
        if context.get(profile, {}).get("type") == "Unconfined":
            options += ["--security-opt", f"{name}=unconfined"]
    return options


def main():
    if sys.argv[1] == "check":
        for path in sys.argv[2:]:
            check_file(path)
        return
    container = container_of(sys.argv[2], sys.argv[3])
    if sys.argv[1] == "run":
        image, options = sys.argv[4], sys.argv[5:]
        command, args = container.get("command", []), container.get("args", [])
        options += context_options(container.get("securityContext", {}))
        for variable in container.get("env", []):
            options += ["--env", f"{variable['name']}={variable['value']}"]
        if command:
            options += ["--entrypoint", command[0]]
        os.execvp("docker", ["docker", "run", *options, image, *command[1:], *args])
    os.execvp("docker", ["docker", "exec", sys.argv[5], *container[sys.argv[4]]["exec"]["command"]])


main()
