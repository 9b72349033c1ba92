/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/bridge.h"
#include "api/guard.h"

static void ref_free(gpointer data)
{
	bridge_ref *ref = data;
	if (ref)
		ref->class->ref_unref(ref);
}

build_result *build_result_new(void)
{
	build_result *r = g_new0(build_result, 1);
	r->refs_count = 1;
	r->metadata = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);
	return r;
}

build_result *build_result_ref(build_result *r)
{
	g_atomic_int_inc(&r->refs_count);
	return r;
}

void build_result_unref(build_result *r)
{
	if (!r || !g_atomic_int_dec_and_test(&r->refs_count))
		return;
	ref_free(r->ref);
	g_clear_pointer(&r->refs, g_hash_table_unref);
	g_hash_table_unref(r->metadata);
	g_free(r);
}

void build_result_make_map(build_result *r)
{
	if (!r->refs)
		r->refs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, ref_free);
}

void build_result_set_metadata(build_result *r, const char *key, const void *bytes, size_t n)
{
	g_hash_table_replace(r->metadata, g_strdup(key), g_bytes_new(bytes, n));
}

void bridge_source_clear(struct bridge_source *s)
{
	guard_free(s->source);
	g_clear_pointer(&s->image.config, g_bytes_unref);
	g_clear_pointer(&s->image.attestations, attestation_chain_free);
	if (s->kind == BRIDGE_SOURCE_GIT)
		git_meta_clear(&s->git);
	if (s->kind == BRIDGE_SOURCE_HTTP)
		http_meta_clear(&s->http);
	*s = (struct bridge_source){0};
}
