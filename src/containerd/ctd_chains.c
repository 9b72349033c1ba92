/* SPDX-License-Identifier: Apache-2.0 */
#include "containerd/ctd_chains.h"
#include "api/guard.h"
#include "base/limits.h"
#include "content.pb-c.h"
#include "ctd_images.pb-c.h"
#include "oci/oci.h"

DEFINE_MESSAGE_AUTOPTR(CtdImages__ListImagesResponse)
DEFINE_MESSAGE_AUTOPTR(Content__ReadContentResponse)

struct ctd_chains {
	ctd_client *client; /* borrowed */
	GMutex mu;
	GHashTable *known; /* digest of a document to the chains of its images (GPtrArray of char *) */
};

struct look {
	ctd_chains *chains;
	GHashTable *used; /* as known: the documents of the current read */
};

/* Reads a small blob of any lease; NULL: not available. */
static GByteArray *read_document(ctd_client *c, const char *digest)
{
	Content__ReadContentRequest request = CONTENT__READ_CONTENT_REQUEST__INIT;
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	g_autoptr(GError) failure = NULL;
	request.digest = (char *)(uintptr_t)digest;
	g_autoptr(rpc_call) call = ctd_stream(c, CTD_PLAIN, "/containerd.services.content.v1.Content/Read", NULL, NULL);
	if (!call || !rpc_call_send_message(call, &request, NULL) || !rpc_call_close_send(call, NULL))
		return NULL;
	for (;;) {
		g_autoptr(Content__ReadContentResponse) part =
			rpc_call_recv_message(call, &content__read_content_response__descriptor, &failure);
		if (!part)
			break;
		if (bytes->len + part->data.len > (size_t)LIMIT_INDEX_BYTES)
			return NULL;
		g_byte_array_append(bytes, part->data.data, (guint)part->data.len);
	}
	return failure ? NULL : g_steal_pointer(&bytes);
}

static void add_manifest(GPtrArray *chains, const GByteArray *bytes, const char *media_type)
{
	g_autoptr(oci_manifest) m = oci_manifest_parse(bytes->data, bytes->len, media_type, NULL);
	if (!m || !m->layers || m->layers->len == 0)
		return;
	g_autoptr(GString) chain = g_string_new(NULL);
	for (guint i = 0; i < m->layers->len; i++)
		g_string_append(chain, ((const oci_descriptor *)m->layers->pdata[i])->digest.text);
	g_ptr_array_add(chains, g_strdup(chain->str));
}

static const GPtrArray *chains_of(struct look *look, const char *digest, const char *media_type, int depth);

static void add_index(struct look *look, GPtrArray *chains, const GByteArray *bytes, const char *media_type, int depth)
{
	g_autoptr(oci_index) index = oci_index_parse(bytes->data, bytes->len, media_type, NULL);
	for (guint i = 0; index && i < index->manifests->len; i++) {
		const oci_descriptor *d = index->manifests->pdata[i];
		const GPtrArray *more = chains_of(look, d->digest.text, d->media_type, depth + 1);
		for (guint j = 0; more && j < more->len; j++)
			g_ptr_array_add(chains, g_strdup(more->pdata[j]));
	}
}

/* Borrowed from the current read; NULL: not available. */
static const GPtrArray *chains_of(struct look *look, const char *digest, const char *media_type, int depth)
{
	GPtrArray *chains = g_hash_table_lookup(look->used, digest);
	GPtrArray *known = g_hash_table_lookup(look->chains->known, digest);
	if (chains || depth > LIMIT_INDEX_NESTING)
		return chains;
	g_autoptr(GByteArray) bytes = known ? NULL : read_document(look->chains->client, digest);
	if (!known && !bytes)
		return NULL;
	chains = known ? g_ptr_array_ref(known) : g_ptr_array_new_with_free_func(g_free);
	g_hash_table_replace(look->used, g_strdup(digest), chains);
	if (bytes && oci_media_type_is_index(media_type))
		add_index(look, chains, bytes, media_type, depth);
	else if (bytes)
		add_manifest(chains, bytes, media_type);
	return chains;
}

static GHashTable *new_table(void)
{
	return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
}

ctd_chains *ctd_chains_new(ctd_client *c)
{
	ctd_chains *s = g_new0(ctd_chains, 1);
	g_mutex_init(&s->mu);
	s->client = c;
	s->known = new_table();
	return s;
}

void ctd_chains_free(ctd_chains *s)
{
	if (!s)
		return;
	g_hash_table_unref(s->known);
	g_mutex_clear(&s->mu);
	g_free(s);
}

GHashTable *ctd_chains_read(ctd_chains *s)
{
	CtdImages__ListImagesRequest request = CTD_IMAGES__LIST_IMAGES_REQUEST__INIT;
	GHashTable *set = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(CtdImages__ListImagesResponse) reply =
		ctd_call(s->client, CTD_PLAIN, "/containerd.services.images.v1.Images/List", &request,
			 &ctd_images__list_images_response__descriptor, NULL, NULL);
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&s->mu);
	struct look look = {s, new_table()};
	for (size_t i = 0; reply && i < reply->n_images; i++) {
		const Ctd__Descriptor *target = reply->images[i]->target;
		const GPtrArray *chains = target ? chains_of(&look, target->digest, target->media_type, 0) : NULL;
		for (guint j = 0; chains && j < chains->len; j++)
			g_hash_table_add(set, g_strdup(chains->pdata[j]));
	}
	g_hash_table_unref(s->known);
	s->known = look.used;
	return set;
}
