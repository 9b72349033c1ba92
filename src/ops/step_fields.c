/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/step_fields.h"
#include "base/secret.h"
#include "ops/secret_mount.h"
#include <arpa/inet.h>

void step_fields_init(struct step_fields *f)
{
	f->env = g_ptr_array_new_with_free_func(secret_free);
	f->args = g_ptr_array_new();
	f->hosts = g_array_new(FALSE, FALSE, sizeof(struct step_host));
	f->ips = g_ptr_array_new_with_free_func(g_free);
	f->limits = g_array_new(FALSE, FALSE, sizeof(struct step_limit));
}

void step_fields_clear(struct step_fields *f)
{
	g_ptr_array_set_size(f->env, (int)f->env->len - (f->env->len > 0 && !f->env->pdata[f->env->len - 1]));
	g_ptr_array_unref(f->env);
	g_ptr_array_unref(f->args);
	g_array_unref(f->hosts);
	g_ptr_array_unref(f->ips);
	g_array_unref(f->limits);
}

void step_fields_add_args(struct step_fields *f, char *const *args, size_t n)
{
	for (size_t i = 0; i < n; i++)
		g_ptr_array_add(f->args, args[i]);
}

void step_fields_add_limits(struct step_fields *f, Pb__Ulimit *const *limits, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct step_limit limit = {limits[i]->name, limits[i]->soft, limits[i]->hard};
		g_array_append_val(f->limits, limit);
	}
}

bool step_fields_add_hosts(struct step_fields *f, Pb__HostIP *const *hosts, size_t n, GError **error)
{
	for (size_t i = 0; i < n; i++) {
		const Pb__HostIP *h = hosts[i];
		unsigned char address[sizeof(struct in6_addr)];
		char text[INET6_ADDRSTRLEN];
		int family = strchr(h->ip, ':') ? AF_INET6 : AF_INET;
		if (inet_pton(family, h->ip, address) != 1)
			return error_set(error, ERROR_INVALID_ARGUMENT, "failed to parse IP %s", h->ip);
		g_ptr_array_add(f->ips, g_strdup(inet_ntop(family, address, text, sizeof text)));
		struct step_host host = {h->host, g_ptr_array_index(f->ips, f->ips->len - 1)};
		g_array_append_val(f->hosts, host);
	}
	return true;
}

/* ---- environment */

void step_fields_add_env(struct step_fields *f, char *const *env, size_t n)
{
	for (size_t i = 0; i < n; i++)
		g_ptr_array_add(f->env, g_strdup(env[i]));
}

static void add_proxy(GPtrArray *env, const char *name, const char *value)
{
	if (!value || *value == '\0')
		return;
	g_autofree char *lower = g_ascii_strdown(name, -1);
	g_ptr_array_add(env, g_strconcat(name, "=", value, NULL));
	g_ptr_array_add(env, g_strconcat(lower, "=", value, NULL));
}

void step_fields_add_proxy(struct step_fields *f, const Pb__ProxyEnv *proxy)
{
	if (!proxy)
		return;
	add_proxy(f->env, "HTTP_PROXY", proxy->http_proxy);
	add_proxy(f->env, "HTTPS_PROXY", proxy->https_proxy);
	add_proxy(f->env, "FTP_PROXY", proxy->ftp_proxy);
	add_proxy(f->env, "NO_PROXY", proxy->no_proxy);
	add_proxy(f->env, "ALL_PROXY", proxy->all_proxy);
}

void step_fields_set_env(struct step_fields *f, const char *variable)
{
	size_t n = strcspn(variable, "=") + 1;
	for (guint i = f->env->len; i-- > 0;)
		if (strncmp(g_ptr_array_index(f->env, i), variable, n) == 0)
			g_ptr_array_remove_index(f->env, i);
	g_ptr_array_add(f->env, g_strdup(variable));
}

void step_fields_default_env(struct step_fields *f, const char *name, const char *value)
{
	size_t n = strlen(name);
	for (guint i = 0; i < f->env->len; i++) {
		const char *one = g_ptr_array_index(f->env, i);
		if (strncmp(one, name, n) == 0 && one[n] == '=')
			return;
	}
	g_ptr_array_add(f->env, g_strconcat(name, "=", value, NULL));
}

static bool add_secret(GPtrArray *env, const Pb__SecretEnv *s, struct work *work, GError **error)
{
	if (*s->id == '\0')
		return error_set(error, ERROR_INVALID_ARGUMENT, "secret ID missing for \"%s\" environment variable",
				 s->name);
	g_autoptr(GError) why = NULL;
	g_autoptr(GBytes) value = secret_mount_value(s->id, s->optional, work, &why);
	if (why) {
		g_propagate_error(error, g_steal_pointer(&why));
		return false;
	}
	size_t n = 0, n_name = strlen(s->name);
	const void *bytes = value ? g_bytes_get_data(value, &n) : NULL;
	if (n > 0 && memchr(bytes, 0, n))
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "secret %s contains a NUL byte and cannot be an environment variable", s->id);
	char *text = g_malloc(n_name + n + 2);
	memcpy(text, s->name, n_name);
	text[n_name] = '=';
	if (n > 0)
		memcpy(text + n_name + 1, bytes, n);
	text[n_name + 1 + n] = '\0';
	g_ptr_array_add(env, text);
	return true;
}

bool step_fields_add_secrets(struct step_fields *f, Pb__SecretEnv *const *secrets, size_t n, struct work *work,
			     GError **error)
{
	for (size_t i = 0; i < n; i++)
		if (!add_secret(f->env, secrets[i], work, error))
			return false;
	return true;
}

/* ---- the step */

bool step_fields_modes(struct step *step, Pb__NetMode network, Pb__SecurityMode security, GError **error)
{
	/* Unknown values are refused rather than treated as the default. */
	switch (network) {
	case PB__NET_MODE__UNSET:
		step->network = STEP_NETWORK_DEFAULT;
		break;
	case PB__NET_MODE__HOST:
		step->network = STEP_NETWORK_HOST;
		break;
	case PB__NET_MODE__NONE:
		step->network = STEP_NETWORK_NONE;
		break;
	case _PB__NET_MODE_IS_INT_SIZE:
	default:
		return error_set(error, ERROR_INVALID_ARGUMENT, "unknown network mode %d", (int)network);
	}
	switch (security) {
	case PB__SECURITY_MODE__SANDBOX:
		step->insecure = false;
		break;
	case PB__SECURITY_MODE__INSECURE:
		step->insecure = true;
		break;
	case _PB__SECURITY_MODE_IS_INT_SIZE:
	default:
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid security mode %d", (int)security);
	}
	return true;
}

void step_fields_fill(struct step_fields *f, struct step *step)
{
	g_ptr_array_add(f->env, NULL);
	g_ptr_array_add(f->args, NULL);
	step->args = (const char *const *)f->args->pdata;
	step->env = (const char *const *)f->env->pdata;
	step->hosts = (const struct step_host *)(const void *)f->hosts->data;
	step->n_hosts = f->hosts->len;
	step->limits = (const struct step_limit *)(const void *)f->limits->data;
	step->n_limits = f->limits->len;
}
