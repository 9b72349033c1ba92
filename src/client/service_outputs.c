/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FileSend.DiffCopy: receives build results. A file is written under a temporary name in its directory and renamed when
 * complete; a directory is updated through fsutil packets. The daemon cannot reach other paths.
 */
#include "base/ident.h"
#include "base/scope.h"
#include "client/output_path.h"
#include "client/services_internal.h"
#include "export/kinds.h"
#include "filesync.pb-c.h"
#include "api/guard.h"
#include "api/wire.h"
#include "format/gotype.h"
#include "fssync/call.h"
#include "os/file.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

DEFINE_MESSAGE_AUTOPTR(Filesync__BytesMessage)

void service_target_free(void *target)
{
	struct service_target *t = target;
	fd_close(&t->parent_fd);
	g_free(t->path);
	g_free(t->name);
	g_free(t);
}

void services_output_clear(struct services_output *o)
{
	g_free(o->type);
	g_free(o->store_dir);
	g_clear_pointer(&o->attrs, g_hash_table_unref);
	*o = (struct services_output){0};
}

/* ---- --output */

static bool output_field(void *data, const char *key, const char *value, const char *field, GError **error)
{
	struct services_output *o = data;
	if (g_str_equal(key, "type")) {
		g_free(o->type);
		o->type = g_strdup(value);
	} else {
		g_hash_table_replace(o->attrs, g_strdup(key), g_strdup(value));
	}
	return true;
}

#define DESTINATION(type, destination) {#type, destination},
static const struct {
	const char *type;
	enum exporter_destination destination;
} destinations[] = {EXPORTER_KINDS(DESTINATION)};

/* Reports what the exporter writes with these attributes. */
static enum target_kind target_kind_of(const struct services_output *o)
{
	enum exporter_destination destination = EXPORTER_NO_DESTINATION;
	for (size_t i = 0; i < G_N_ELEMENTS(destinations); i++)
		if (g_str_equal(destinations[i].type, o->type))
			destination = destinations[i].destination;
	const char *text = g_hash_table_lookup(o->attrs, "tar");
	bool is_tar = true;
	switch (destination) {
	case EXPORTER_DIRECTORY:
		return TARGET_DIR;
	case EXPORTER_FILE:
		return TARGET_FILE;
	case EXPORTER_FILE_OR_LAYOUT:
		if (text)
			(void)bool_parse(text, &is_tar, NULL);
		return is_tar ? TARGET_FILE : TARGET_STORE;
	case EXPORTER_NO_DESTINATION:
		break;
	}
	return TARGET_NONE;
}

/* Splits a path of the command line and opens its directory. */
static bool target_file(struct service_target *t, const char *dest, GError **error)
{
	struct stat st;
	if (stat(dest, &st) == 0 && S_ISDIR(st.st_mode))
		return error_set(error, ERROR_INVALID_ARGUMENT, "destination file is a directory");
	g_autofree char *directory = g_path_get_dirname(dest);
	t->kind = TARGET_FILE;
	t->path = g_strdup(dest);
	t->name = g_path_get_basename(dest);
	t->parent_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return t->parent_fd >= 0 ? output_path_check("dest", dest, OUTPUT_PATH_FILE, error)
				 : error_set_errno(error, errno, "open %s", dest);
}

static bool target_resolve(struct service_target *t, const struct services_output *o, GError **error)
{
	const char *dest = g_hash_table_lookup(o->attrs, "dest");
	bool has_dest = dest && *dest;
	enum target_kind kind = target_kind_of(o);
	switch (kind) {
	case TARGET_DIR:
	case TARGET_STORE:
		t->kind = kind;
		t->path = g_strdup(dest);
		return has_dest ? output_path_check("dest", dest, OUTPUT_PATH_DIRECTORY, error)
				: error_set(error, ERROR_INVALID_ARGUMENT,
					    "output directory is required for %s exporter", o->type);
	case TARGET_FILE:
		if (has_dest && !g_str_equal(dest, "-"))
			return target_file(t, dest, error);
		t->kind = TARGET_STDOUT;
		return !isatty(STDOUT_FILENO) ||
		       error_set(error, ERROR_INVALID_ARGUMENT,
				 "output file is required for %s exporter. refusing to write to console", o->type);
	case TARGET_NONE:
	case TARGET_STDOUT:
		break;
	}
	return !has_dest ||
	       error_set(error, ERROR_INVALID_ARGUMENT, "output %s is not supported by %s exporter", dest, o->type);
}

static bool parse_mode(const char *text, bool *ret_delete, GError **error)
{
	g_autofree char *lower = text ? g_strstrip(g_ascii_strdown(text, -1)) : g_strdup("");
	*ret_delete = g_str_equal(lower, "delete");
	if (!*lower || *ret_delete || g_str_equal(lower, "copy"))
		return true;
	g_autofree char *quoted = go_quote(text);
	return error_set(error, ERROR_INVALID_ARGUMENT, "invalid local exporter mode %s", quoted);
}

static bool output_parse(const char *value, struct services_output *o, GError **error)
{
	if (!services_parse_fields(value, "invalid value %s", output_field, o, error))
		return false;
	if (!o->type || !*o->type)
		return error_set(error, ERROR_INVALID_ARGUMENT, "--output requires type=<type>");
	const char *wrong = g_hash_table_lookup(o->attrs, "output");
	return !wrong || error_set(error, ERROR_INVALID_ARGUMENT,
				   "output=%s not supported for --output, you meant dest=%s?", wrong, wrong);
}

static bool add_target(services *s, struct service_target *t, struct services_output *o, GError **error)
{
	if (!target_resolve(t, o, error))
		return error_prefix(error, "invalid output option: output: ");
	if (t->kind != TARGET_NONE)
		g_hash_table_remove(o->attrs, "dest");
	if (t->kind == TARGET_DIR)
		return parse_mode(g_hash_table_lookup(o->attrs, "mode"), &t->delete_rest, error);
	if (t->kind != TARGET_STORE)
		return true;
	if (g_hash_table_contains(s->stores, "export"))
		return error_set(error, ERROR_INVALID_ARGUMENT, "oci store key \"export\" already exists");
	t->kind = TARGET_NONE;
	o->store_dir = g_strdup(t->path);
	return services_add_store(s, "export", t->path, true, error);
}

bool services_add_output(services *s, const char *value, struct services_output *ret, GError **error)
{
	struct services_output o = {.attrs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free)};
	struct service_target *t = g_new0(struct service_target, 1);
	t->parent_fd = -1;
	if (!output_parse(value, &o, error) || !add_target(s, t, &o, error)) {
		service_target_free(t);
		services_output_clear(&o);
		return false;
	}
	g_ptr_array_add(s->targets, t);
	*ret = o;
	return true;
}

/* ---- files */

static bool write_message(int fd, const char *path, GBytes *message, GError **error)
{
	gsize n;
	size_t n_data;
	const uint8_t *bytes = g_bytes_get_data(message, &n), *data = bytes;
	g_autoptr(Filesync__BytesMessage) m = NULL;
	if (!wire_read_bytes_message(bytes, n, &data, &n_data)) {
		m = guard_unpack(&filesync__bytes_message__descriptor, bytes, n, error);
		if (!m)
			return false;
		data = m->data.data;
		n_data = m->data.len;
	}
	/* The error reaches the user through the daemon, so it says that the client failed. */
	return file_write_all(fd, data, n_data) || error_set_errno(error, errno, "the client could not write %s", path);
}

static bool write_stream(rpc_call *call, int fd, const char *path, GError **error)
{
	GError *failure = NULL;
	for (;;) {
		g_autoptr(GBytes) message = rpc_call_recv(call, &failure);
		if (!message)
			break;
		if (!write_message(fd, path, message, error))
			return false;
	}
	return !failure || error_propagate(error, failure);
}

/* Writes a temporary file and renames it. Returns false with EACCES if the directory is not writable. */
static bool replace_file(struct service_target *t, rpc_call *call, bool *ret_denied, GError **error)
{
	char id[IDENT_SIZE];
	ident_new(id);
	g_autofree char *temp = g_strdup_printf(".%.200s.%s", t->name, id);
	scoped_fd fd = openat(t->parent_fd, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	*ret_denied = fd < 0 && (errno == EACCES || errno == EPERM || errno == EROFS);
	if (fd < 0)
		return error_set_errno(error, errno, "the client could not open %s", t->path);
	bool ok = write_stream(call, fd, t->path, error);
	if (ok && renameat(t->parent_fd, temp, t->parent_fd, t->name) < 0)
		ok = error_set_errno(error, errno, "the client could not rename to %s", t->path);
	if (!ok)
		unlinkat(t->parent_fd, temp, 0);
	return ok;
}

static bool receive_file(struct service_target *t, rpc_call *call, GError **error)
{
	struct stat st;
	bool denied = false;
	/* Pipes, devices and symbolic links are opened for writing. */
	if (fstatat(t->parent_fd, t->name, &st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISREG(st.st_mode)) {
		g_autoptr(GError) failure = NULL;
		if (replace_file(t, call, &denied, &failure))
			return true;
		if (!denied)
			return error_propagate(error, g_steal_pointer(&failure));
	}
	scoped_fd fd = openat(t->parent_fd, t->name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	return fd < 0 ? error_set_errno(error, errno, "the client could not open %s", t->path)
		      : write_stream(call, fd, t->path, error);
}

/* ---- directories */

static bool receive_directory(struct service_target *t, rpc_call *call, GError **error)
{
	if (g_mkdir_with_parents(t->path, 0700) < 0)
		return error_set_errno(error, errno, "failed to create synctarget dest dir %s: mkdir %s", t->path,
				       t->path);
	scoped_fd fd = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_set_errno(error, errno, "failed to open synctarget dest root %s", t->path);
	struct fssync_channel channel = fssync_channel_of_server(call);
	struct fssync_receive_options options = {
		.merge = !t->delete_rest,
		.diff_none = t->delete_rest,
		.set_owner = true,
		.owner_uid = getuid(),
		.owner_gid = getgid(),
		.as_root = geteuid() == 0,
	};
	if (fssync_receive(&channel, fd, &options, rpc_call_cancel(call), error))
		return true;
	if (!cancel_is_set(rpc_call_cancel(call)))
		g_prefix_error(error, "the client could not write %s: ", t->path);
	return false;
}

static struct service_target *find_target(services *s, const rpc_metadata *md, int64_t *ret_id)
{
	const char *text = rpc_metadata_get(md, "buildkit-attachable-exporter-id");
	*ret_id = 0;
	if (text && !int_parse(text, 10, ret_id, NULL))
		*ret_id = 0;
	return *ret_id >= 0 && *ret_id < s->targets->len ? s->targets->pdata[*ret_id] : NULL;
}

static bool supports_multi_platform(const rpc_metadata *md)
{
	g_auto(GStrv) values = rpc_metadata_get_all(md, "buildkit-exporter-multi-platform");
	return g_strv_contains((const char *const *)values, "1");
}

static bool outputs_diff_copy(rpc_call *call, void *data, GError **error)
{
	int64_t id;
	const rpc_metadata *md = rpc_call_metadata(call);
	struct service_target *t = find_target(data, md, &id);
	switch (t ? t->kind : TARGET_NONE) {
	case TARGET_DIR:
		if (t->delete_rest && !supports_multi_platform(md))
			return error_set(error, ERROR_UNKNOWN,
					 "local exporter mode=delete requires a BuildKit daemon with "
					 "multi-platform local export support");
		return receive_directory(t, call, error);
	case TARGET_FILE:
		return receive_file(t, call, error);
	case TARGET_STDOUT:
		return write_stream(call, STDOUT_FILENO, "its standard output", error);
	case TARGET_STORE:
	case TARGET_NONE:
		break;
	}
	return error_set(error, ERROR_UNKNOWN, "exporter %" G_GINT64_FORMAT " not found", id);
}

static const struct rpc_method methods[] = {
	{.path = "/moby.filesync.v1.FileSend/DiffCopy", .stream = outputs_diff_copy},
};
const struct rpc_method_table service_outputs_table = {methods, G_N_ELEMENTS(methods)};
