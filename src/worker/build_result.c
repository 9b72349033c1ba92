/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/bridge.h"
#include "api/guard.h"
#include "base/hash_walk.h"
#include <string.h>

static void ref_free(gpointer data)
{
	bridge_ref *ref = data;
	if (ref)
		ref->class->ref_unref(ref);
}

static void subject_clear(void *subject)
{
	struct build_subject *s = subject;
	g_clear_pointer(&s->name, g_free);
	g_clear_pointer(&s->digests, g_strfreev);
}

static void attestation_free(void *data)
{
	struct build_attestation *a = data;
	ref_free(a->ref);
	g_free(a->key);
	g_free(a->path);
	g_free(a->predicate_type);
	g_hash_table_unref(a->metadata);
	g_array_unref(a->subjects);
	g_free(a);
}

struct build_attestation *build_result_attest(build_result *r, const char *key, const char *predicate_type)
{
	struct build_attestation *a = g_new0(struct build_attestation, 1);
	a->key = g_strdup(key);
	a->path = g_strdup("");
	a->predicate_type = g_strdup(predicate_type);
	a->metadata = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);
	a->subjects = g_array_new(FALSE, TRUE, sizeof(struct build_subject));
	g_array_set_clear_func(a->subjects, subject_clear);
	g_ptr_array_add(r->attestations, a);
	return a;
}

void build_result_attestation_set(struct build_attestation *a, const char *key, const char *value)
{
	g_hash_table_replace(a->metadata, g_strdup(key), g_bytes_new(value, strlen(value)));
}

bool build_result_find_ref(const build_result *r, const char *key, bridge_ref **ret)
{
	struct hash_walk it = hash_walk(r->refs);
	*ret = r->ref;
	if (!r->refs)
		return true;
	bool known = g_hash_table_lookup_extended(r->refs, key, NULL, &it.value) ||
		     (g_hash_table_size(r->refs) == 1 && hash_walk_next(&it));
	*ret = known ? it.value : NULL;
	return known;
}

build_result *build_result_new(void)
{
	build_result *r = g_new0(build_result, 1);
	r->refs_count = 1;
	r->metadata = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);
	r->attestations = g_ptr_array_new_with_free_func(attestation_free);
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
	g_ptr_array_unref(r->attestations);
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
