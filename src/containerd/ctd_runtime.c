/* SPDX-License-Identifier: Apache-2.0 */
#include "api/guard.h"
#include "base/hash_walk.h"
#include "containerd/ctd_tasks.h"
#include "ctd_runc.pb-c.h"
#include "format/gotype.h"
#include <stddef.h>
#include <string.h>

#define RUNC_PREFIX "io.containerd.runc."
#define TYPE_RUNC "containerd.runc.v1.Options"
#define TYPE_OTHER "runtimeoptions.v1.Options"

enum kind { KIND_BOOL, KIND_STRING, KIND_NUMBER };
struct key {
	const char *name;
	enum kind kind;
	size_t offset;
};
#define RUNC(member) offsetof(CtdRunc__Options, member)
#define OTHER(member) offsetof(CtdRunc__RuntimeOptions, member)

static const struct key runc_keys[] = {
	{"NoPivotRoot", KIND_BOOL, RUNC(no_pivot_root)},
	{"NoNewKeyring", KIND_BOOL, RUNC(no_new_keyring)},
	{"ShimCgroup", KIND_STRING, RUNC(shim_cgroup)},
	{"IoUid", KIND_NUMBER, RUNC(io_uid)},
	{"IoGid", KIND_NUMBER, RUNC(io_gid)},
	{"BinaryName", KIND_STRING, RUNC(binary_name)},
	{"Root", KIND_STRING, RUNC(root)},
	{"SystemdCgroup", KIND_BOOL, RUNC(systemd_cgroup)},
	{"CriuImagePath", KIND_STRING, RUNC(criu_image_path)},
	{"CriuWorkPath", KIND_STRING, RUNC(criu_work_path)},
};
static const struct key other_keys[] = {
	{"TypeUrl", KIND_STRING, OTHER(type_url)},
	{"ConfigPath", KIND_STRING, OTHER(config_path)},
};

static bool set(void *member, enum kind kind, char *value, GError **error)
{
	switch (kind) {
	case KIND_STRING:
		*(char **)member = value;
		return true;
	case KIND_NUMBER: {
		guint64 number;
		if (!g_ascii_string_to_unsigned(value, 10, 0, G_MAXUINT32, &number, NULL))
			return error_set(error, ERROR_INVALID_ARGUMENT, "invalid number \"%s\"", value);
		*(uint32_t *)member = (uint32_t)number;
		return true;
	}
	case KIND_BOOL: {
		bool flag;
		if (!bool_parse(value, &flag, error))
			return false;
		*(protobuf_c_boolean *)member = flag;
		return true;
	}
	}
	return true;
}

static bool set_key(const struct key *keys, size_t n, void *message, const char *name, char *value, GError **error)
{
	for (size_t i = 0; i < n; i++) {
		if (g_ascii_strcasecmp(keys[i].name, name) != 0)
			continue;
		if (set((char *)message + keys[i].offset, keys[i].kind, value, error))
			return true;
		return error_prefix(error, "runtime option %s: ", name);
	}
	return error_set(error, ERROR_INVALID_ARGUMENT, "unknown runtime option %s", name);
}

static GBytes *pack(const struct key *keys, size_t n, ProtobufCMessage *message, GHashTable *options, GError **error)
{
	for (struct hash_walk it = hash_walk(options); hash_walk_next(&it);)
		if (!set_key(keys, n, message, it.key, it.value, error))
			return NULL;
	return message_pack(message);
}

GBytes *ctd_runtime_options(const struct ctd_runtime *runtime, const char **ret_type, GError **error)
{
	CtdRunc__Options runc = CTD_RUNC__OPTIONS__INIT;
	CtdRunc__RuntimeOptions other = CTD_RUNC__RUNTIME_OPTIONS__INIT;
	bool is_runc = g_str_has_prefix(runtime->name, RUNC_PREFIX);
	*ret_type = is_runc ? TYPE_RUNC : TYPE_OTHER;
	return is_runc ? pack(runc_keys, G_N_ELEMENTS(runc_keys), &runc.base, runtime->options, error)
		       : pack(other_keys, G_N_ELEMENTS(other_keys), &other.base, runtime->options, error);
}
