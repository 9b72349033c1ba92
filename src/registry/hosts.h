/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hosts: the endpoints of a registry domain: its mirrors, then the registry itself, each with scheme, path and TLS
 * settings.
 *
 *	g_autoptr(GPtrArray) endpoints = hosts_find(hosts, "docker.io", insecure, error);   of struct endpoint *
 *
 * Configured by buildkitd.toml's [registry] tables. CA files are read again when they change. Thread: any.
 */
#pragma once
#include "registry/registry.h"
#include "registry/transport.h"

struct endpoint {
	char *scheme;    /* owned; "http" or "https" */
	char *host;      /* owned; with port */
	char *path;      /* owned; "/v2" or "/v2/prefix" */
	char *namespace; /* owned; the requested domain, if a mirror replaces it; or NULL */
	bool is_mirror;
	bool may_fall_back;         /* https first, then http */
	struct transport_tls tls;   /* roots: a reference of the endpoint */
	char *cert_file, *key_file; /* owned */
};

typedef struct hosts hosts;
hosts *hosts_new(const struct registry_host *list, size_t n);
void hosts_free(hosts *h);
/* insecure: registry.insecure=true of a push: no mirrors, no verification, fallback to http. */
/* Reports whether this host (with port) uses plain http by configuration, or because it is a loopback address. */
bool hosts_uses_http(hosts *h, const char *host);
GPtrArray *hosts_find(hosts *h, const char *domain, bool insecure, GError **error);
