/* SPDX-License-Identifier: Apache-2.0 */
#include "build_options.h"
#include "api/message.h"
#include "base/digest.h"
#include "base/limits.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void output_free(gpointer data)
{
	services_output_clear(data);
	g_free(data);
}

static void options_init(struct build_options *o)
{
	*o = (struct build_options){
		.attrs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
		.services = services_new(),
		.exporters = g_array_new(FALSE, TRUE, sizeof(struct solve_target)),
		.cache_exports = g_array_new(FALSE, TRUE, sizeof(struct solve_target)),
		.cache_imports = g_array_new(FALSE, TRUE, sizeof(struct solve_target)),
		.cache_stores = g_array_new(FALSE, TRUE, sizeof(struct cache_store)),
		.outputs = g_ptr_array_new_with_free_func(output_free),
		.tables = g_ptr_array_new_with_free_func((GDestroyNotify)g_hash_table_unref),
		.texts = g_ptr_array_new_with_free_func(g_free),
	};
}

void build_options_clear(struct build_options *o)
{
	g_hash_table_unref(o->attrs);
	guard_free(o->definition);
	guard_free(o->source_policy);
	services_free(o->services);
	g_array_unref(o->exporters);
	g_array_unref(o->cache_exports);
	g_array_unref(o->cache_imports);
	g_array_unref(o->cache_stores);
	g_ptr_array_unref(o->outputs);
	g_ptr_array_unref(o->tables);
	g_ptr_array_unref(o->texts);
}

/* ---- --opt */

static bool add_opt(struct build_options *o, const char *text, GError **error)
{
	const char *equals = strchr(text, '=');
	if (equals) {
		g_hash_table_replace(o->attrs, g_strndup(text, (gsize)(equals - text)), g_strdup(equals + 1));
		return true;
	}
	/*
	 * A build argument without a value takes its value from the environment, or is dropped if the variable is not
	 * set.
	 */
	if (!g_str_has_prefix(text, "build-arg:"))
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid opt: invalid value %s", text);
	const char *value = g_getenv(text + strlen("build-arg:"));
	if (value)
		g_hash_table_replace(o->attrs, g_strdup(text), g_strdup(value));
	return true;
}

static bool read_opts(struct build_options *o, const flags *f, GError **error)
{
	static const char epoch_key[] = "build-arg:SOURCE_DATE_EPOCH";
	const char *epoch = g_getenv("SOURCE_DATE_EPOCH");
	if (epoch)
		g_hash_table_replace(o->attrs, g_strdup(epoch_key), g_strdup(epoch));
	for (const char *const *opt = flags_strings(f, "opt"); *opt; opt++)
		if (!add_opt(o, *opt, error))
			return false;
	if (flags_bool(f, "no-cache") && o->frontend)
		g_hash_table_replace(o->attrs, g_strdup("no-cache"), g_strdup(""));
	if (g_hash_table_contains(o->attrs, "requestid") && !g_hash_table_contains(o->attrs, "frontend.caps"))
		g_hash_table_replace(o->attrs, g_strdup("frontend.caps"),
				     g_strdup("moby.buildkit.frontend.subrequests"));
	return true;
}

/* ---- session services */

static bool add_each(const flags *f, const char *name, services *s, bool (*add)(services *, const char *, GError **),
		     GError **error)
{
	for (const char *const *value = flags_strings(f, name); *value; value++)
		if (!add(s, *value, error)) {
			if (error && *error && g_str_has_prefix((*error)->message, "invalid value"))
				g_prefix_error(error, "invalid %s: ", name);
			return false;
		}
	return true;
}

static bool read_services(struct build_options *o, const flags *f, GError **error)
{
	services_add_auth(o->services);
	return add_each(f, "registry-auth-tlscontext", o->services, services_add_auth_tls, error) &&
	       add_each(f, "local", o->services, services_add_local, error) &&
	       add_each(f, "oci-layout", o->services, services_add_oci_layout, error) &&
	       add_each(f, "secret", o->services, services_add_secret, error) &&
	       add_each(f, "ssh", o->services, services_add_ssh, error);
}

static bool read_outputs(struct build_options *o, const flags *f, GError **error)
{
	for (const char *const *value = flags_strings(f, "output"); *value; value++) {
		struct services_output *output = g_new0(struct services_output, 1);
		if (!services_add_output(o->services, *value, output, error)) {
			g_free(output);
			return false;
		}
		g_ptr_array_add(o->outputs, output);
		struct solve_target target = {.type = output->type, .attrs = output->attrs};
		g_array_append_val(o->exporters, target);
	}
	return true;
}

/* ---- definition from stdin */

static GByteArray *read_stdin(GError **error)
{
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	for (;;) {
		guint8 buffer[65536];
		ssize_t n = read(STDIN_FILENO, buffer, sizeof buffer);
		if (n < 0)
			return error_null_errno(error, errno, "read standard input");
		if (n == 0)
			return g_steal_pointer(&bytes);
		g_byte_array_append(bytes, buffer, (guint)n);
		if (bytes->len > LIMIT_MESSAGE_BYTES)
			return error_null(error, ERROR_RESOURCE_EXHAUSTED, "the definition is larger than %lld bytes",
					  LIMIT_MESSAGE_BYTES);
	}
}

/* Sets ignore_cache on every op of the definition (--no-cache). */
static void ignore_cache(Pb__Definition *d)
{
	GHashTable *known = g_hash_table_new(g_str_hash, g_str_equal);
	for (size_t i = 0; i < d->n_metadata; i++) {
		g_hash_table_add(known, d->metadata[i]->key);
		if (d->metadata[i]->value)
			d->metadata[i]->value->ignore_cache = true;
	}
	d->metadata = g_realloc_n(d->metadata, d->n_metadata + d->n_def, sizeof *d->metadata);
	for (size_t i = 0; i < d->n_def; i++) {
		struct digest digest;
		digest_of(d->def[i].data, d->def[i].len, &digest);
		if (g_hash_table_contains(known, digest.text))
			continue;
		Pb__Definition__MetadataEntry *entry =
			message_new(Pb__Definition__MetadataEntry, pb__definition__metadata_entry);
		entry->key = g_strdup(digest.text);
		entry->value = message_new(Pb__OpMetadata, pb__op_metadata);
		entry->value->ignore_cache = true;
		d->metadata[d->n_metadata++] = entry;
	}
	g_hash_table_unref(known);
}

/*
 * Offers the daemon only the local directories that the definition names. The daemon reports names without a directory.
 */
static bool keep_used_locals(struct build_options *o, GError **error)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	for (size_t i = 0; i < o->definition->n_def; i++) {
		const ProtobufCBinaryData *bytes = &o->definition->def[i];
		Pb__Op *op = guard_unpack_go(&pb__op__descriptor, bytes->data, bytes->len, error);
		if (!op)
			return error_prefix(error, "failed to parse llb proto op: ");
		if (op->op_case == PB__OP__OP_SOURCE && g_str_has_prefix(op->source->identifier, "local://"))
			g_ptr_array_add(names, g_strdup(op->source->identifier + strlen("local://")));
		guard_free(op);
	}
	for (guint i = 0; i < names->len; i++)
		if (!services_has_local(o->services, names->pdata[i]))
			return true;
	g_ptr_array_add(names, NULL);
	services_keep_locals(o->services, (const char *const *)names->pdata);
	return true;
}

static bool read_definition(struct build_options *o, const flags *f, GError **error)
{
	struct stat st;
	if (fstat(STDIN_FILENO, &st) == 0 && S_ISCHR(st.st_mode)) /* stdin is a terminal or /dev/null */
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "please specify --frontend or pipe LLB definition to stdin");
	g_autoptr(GByteArray) bytes = read_stdin(error);
	if (!bytes)
		return false;
	if (bytes->len == 0)
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "empty definition sent to build. Specify --frontend instead?");
	o->definition = guard_unpack_go(&pb__definition__descriptor, bytes->data, bytes->len, error);
	if (!o->definition)
		return error_prefix(error, "failed to parse input: ");
	if (o->definition->n_def == 0)
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "empty definition sent to build. Specify --frontend instead?");
	if (flags_bool(f, "no-cache"))
		ignore_cache(o->definition);
	return keep_used_locals(o, error);
}

static bool check_entitlements(const flags *f, GError **error)
{
	for (const char *const *e = flags_strings(f, "allow"); *e; e++)
		if (strcmp(*e, "network.host") != 0 && strcmp(*e, "security.insecure") != 0 &&
		    strcmp(*e, "device") != 0 && !g_str_has_prefix(*e, "device="))
			return error_set(error, ERROR_INVALID_ARGUMENT, "unknown entitlement %s", *e);
	return true;
}

bool build_options_read(struct build_options *o, const flags *f, GError **error)
{
	options_init(o);
	o->frontend = *flags_string(f, "frontend") ? flags_string(f, "frontend") : NULL;
	o->proxy_network = flags_bool(f, "proxy-network");
	return read_opts(o, f, error) && read_services(o, f, error) && read_outputs(o, f, error) &&
	       build_cache_read(o, f, error) && build_policy_read(o, f, error) && check_entitlements(f, error) &&
	       (o->frontend || read_definition(o, f, error));
}
