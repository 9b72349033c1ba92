/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/devices.h"
#include "api/message.h"
#include "base/hash_walk.h"
#include "format/csv.h"
#include <string.h>

struct device_grants {
	bool all;
	GHashTable *names; /* char * name or alias to char * device of the alias ("": the name itself), owned */
};

device_grants *device_grants_new(void)
{
	device_grants *g = g_new0(device_grants, 1);
	g->names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	return g;
}

void device_grants_free(device_grants *g)
{
	if (!g)
		return;
	g_hash_table_unref(g->names);
	g_free(g);
}

bool device_grants_add(device_grants *g, const char *config, GError **error)
{
	if (!*config) {
		g->all = true;
		return true;
	}
	g_auto(GStrv) fields = csv_parse(config, error);
	if (!fields)
		return false;
	const char *alias = "", *name = fields[0] ? fields[0] : "";
	for (char **field = fields[0] ? fields + 1 : fields; *field; field++) {
		if (!strchr(*field, '='))
			return error_set(error, ERROR_INVALID_ARGUMENT, "invalid device config \"%s\"", *field);
		if (!g_str_has_prefix(*field, "alias="))
			return error_set(error, ERROR_INVALID_ARGUMENT, "unknown device config key \"%.*s\"",
					 (int)strcspn(*field, "="), *field);
		alias = *field + strlen("alias=");
	}
	if (*alias)
		g_hash_table_replace(g->names, g_strdup(alias), g_strdup(name));
	else
		g_hash_table_replace(g->names, g_strdup(name), g_strdup(""));
	return true;
}

/* What is granted without an alias: full names, borrowed from the list. */
static bool find_granted(const device_grants *g, const cdi_list *list, GPtrArray *granted, GError **error)
{
	for (struct hash_walk it = hash_walk(g->names); hash_walk_next(&it);)
		if (!*(const char *)it.value && !cdi_list_find(list, it.key, false, granted, error))
			return false;
	return true;
}

static bool contains(const GPtrArray *names, const char *name)
{
	for (guint i = 0; i < names->len; i++)
		if (strcmp(names->pdata[i], name) == 0)
			return true;
	return false;
}

static void set_devices(Pb__ExecOp *exec, const GPtrArray *aliased, const GPtrArray *found)
{
	GPtrArray *devices = g_ptr_array_new();
	for (guint i = 0; i < aliased->len; i++)
		g_ptr_array_add(devices, aliased->pdata[i]);
	for (guint i = 0; i < found->len; i++) {
		Pb__CDIDevice *d = message_new(Pb__CDIDevice, pb__cdidevice);
		d->name = g_strdup(found->pdata[i]);
		g_ptr_array_add(devices, d);
	}
	exec->n_cdidevices = devices->len;
	exec->cdidevices = (Pb__CDIDevice **)g_ptr_array_free(devices, FALSE);
}

/*
 * Sorts the requests: those for an alias are renamed and kept, the others are resolved to names. The requests are taken
 * out of the op.
 */
static bool resolve(const device_grants *g, const cdi_list *list, Pb__ExecOp *exec, GPtrArray *aliased,
		    GPtrArray *found, GError **error)
{
	for (size_t i = 0; i < exec->n_cdidevices; i++) {
		Pb__CDIDevice *d = exec->cdidevices[i];
		const char *device = g_hash_table_lookup(g->names, d->name);
		if (device && *device) {
			message_replace_text(&d->name, device);
			g_ptr_array_add(aliased, d);
			exec->cdidevices[i] = NULL;
		} else if (!cdi_list_find(list, d->name, d->optional, found, error)) {
			return false;
		}
	}
	return true;
}

static bool check(const device_grants *g, const cdi_list *list, const GPtrArray *found, GError **error)
{
	g_autoptr(GPtrArray) granted = g_ptr_array_new();
	g_autoptr(GString) forbidden = g_string_new(NULL);
	guint n = 0;
	if (found->len > 0 && !find_granted(g, list, granted, error))
		return false;
	for (guint i = 0; i < found->len; i++) {
		const char *name = found->pdata[i];
		if (contains(granted, name) || cdi_list_is_auto_allowed(list, cdi_list_lookup(list, name)))
			continue;
		g_string_append_printf(forbidden, "%s%s", n++ ? ", " : "", name);
	}
	return n == 0 || error_set(error, ERROR_PERMISSION_DENIED, "%s %s %s requested by the build but not allowed",
				   n == 1 ? "device" : "devices", forbidden->str, n == 1 ? "is" : "are");
}

bool device_grants_apply(const device_grants *g, const cdi_list *list, Pb__ExecOp *exec, GError **error)
{
	if (g->all)
		return true;
	if (!list) {
		for (size_t i = 0; i < exec->n_cdidevices; i++)
			if (!exec->cdidevices[i]->optional)
				return error_set(error, ERROR_FAILED_PRECONDITION,
						 "device %s: CDI devices are disabled", exec->cdidevices[i]->name);
		return true;
	}
	g_autoptr(GPtrArray) aliased = g_ptr_array_new(), found = g_ptr_array_new();
	bool ok = resolve(g, list, exec, aliased, found, error) && check(g, list, found, error);
	/* What is left of the requests; a failed load frees the op. */
	size_t kept = 0;
	for (size_t i = 0; i < exec->n_cdidevices; i++) {
		if (exec->cdidevices[i] && !ok)
			exec->cdidevices[kept++] = exec->cdidevices[i];
		else if (exec->cdidevices[i])
			guard_free(&exec->cdidevices[i]->base);
	}
	if (!ok) {
		for (guint i = 0; i < aliased->len; i++)
			exec->cdidevices[kept++] = aliased->pdata[i];
		exec->n_cdidevices = kept;
		return false;
	}
	free(exec->cdidevices);
	set_devices(exec, aliased, found);
	return true;
}
