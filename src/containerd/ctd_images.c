/* SPDX-License-Identifier: Apache-2.0 */
#include "containerd/ctd_images.h"
#include "api/message.h"
#include "base/ident.h"
#include "base/limits.h"
#include "containerd/ctd_blobs.h"
#include "containerd/ctd_snapshots.h"
#include "ctd_diff.pb-c.h"
#include "ctd_images.pb-c.h"
#include <string.h>

#define IMAGES "/containerd.services.images.v1.Images/"
#define REF_LABEL "containerd.io/gc.ref.content."

DEFINE_MESSAGE_AUTOPTR(CtdDiff__ApplyResponse)
DEFINE_MESSAGE_AUTOPTR(CtdImages__GetImageResponse)
DEFINE_MESSAGE_AUTOPTR(CtdSnapshots__PrepareSnapshotResponse)

static char *borrow(const char *text)
{
	return (char *)(uintptr_t)text;
}

static bool images_refer(void *self, const struct digest *document, const struct digest *children, size_t n,
			 GError **error)
{
	struct ctd_images *images = self;
	g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GPtrArray) values = g_ptr_array_new();
	for (size_t i = 0; i < n; i++) {
		g_ptr_array_add(keys, g_strdup_printf(REF_LABEL "%zu", i));
		g_ptr_array_add(values, borrow(children[i].text));
	}
	return n == 0 || ctd_blobs_label(images->client, document, (const char *const *)keys->pdata,
					 (const char *const *)values->pdata, n, error);
}

/* ---- names */

static bool images_find(void *self, const char *name, cancel *c, oci_descriptor **ret, GError **error)
{
	struct ctd_images *images = self;
	CtdImages__GetImageRequest request = CTD_IMAGES__GET_IMAGE_REQUEST__INIT;
	request.name = borrow(name);
	g_autoptr(CtdImages__GetImageResponse) reply = ctd_call(images->client, CTD_PLAIN, IMAGES "Get", &request,
								&ctd_images__get_image_response__descriptor, c, error);
	if (!reply)
		return false;
	const Ctd__Descriptor *target = reply->image ? reply->image->target : NULL;
	struct digest digest;
	if (!target || !digest_parse(target->digest, &digest, NULL) || target->size < 0)
		return error_set(error, ERROR_DATA_LOSS, "containerd: image \"%.200s\" has no valid target", name);
	*ret = oci_descriptor_new(target->media_type, &digest, target->size);
	return true;
}

static bool create(struct ctd_images *images, CtdImages__Image *image, Google__Timestamp *epoch, cancel *stop,
		   GError **error)
{
	CtdImages__CreateImageRequest request = CTD_IMAGES__CREATE_IMAGE_REQUEST__INIT;
	request.image = image;
	request.source_date_epoch = epoch;
	void *reply = ctd_call(images->client, CTD_PLAIN, IMAGES "Create", &request,
			       &ctd_images__create_image_response__descriptor, stop, error);
	guard_free(reply);
	return reply != NULL;
}

static bool update(struct ctd_images *images, CtdImages__Image *image, Google__Timestamp *epoch, cancel *stop,
		   GError **error)
{
	CtdImages__UpdateImageRequest request = CTD_IMAGES__UPDATE_IMAGE_REQUEST__INIT;
	request.image = image;
	request.source_date_epoch = epoch;
	void *reply = ctd_call(images->client, CTD_PLAIN, IMAGES "Update", &request,
			       &ctd_images__update_image_response__descriptor, stop, error);
	guard_free(reply);
	return reply != NULL;
}

/* Retries as often as other clients create or delete the name in between. */
static bool set_name(struct ctd_images *images, CtdImages__Image *image, Google__Timestamp *epoch, cancel *stop,
		     GError **error)
{
	for (int tries = 0;; tries++) {
		GError *failure = NULL;
		if (update(images, image, epoch, stop, &failure))
			return true;
		bool absent = error_is(failure, ERROR_NOT_FOUND);
		if (absent) {
			g_clear_error(&failure);
			if (create(images, image, epoch, stop, &failure))
				return true;
		}
		if (!absent || !error_is(failure, ERROR_ALREADY_EXISTS) || tries == LIMIT_RETRIES)
			return error_propagate(error, failure);
		g_clear_error(&failure);
	}
}

static Ctd__Descriptor *descriptor_to_wire(const oci_descriptor *d)
{
	Ctd__Descriptor *wire = message_new(Ctd__Descriptor, ctd__descriptor);
	wire->media_type = g_strdup(d->media_type);
	wire->digest = g_strdup(d->digest.text);
	wire->size = d->size;
	message_set_map(wire, annotations, d->annotations);
	return wire;
}

static bool images_name(void *self, const char *name, const oci_descriptor *target, bool has_epoch, int64_t epoch_s,
			cancel *c, GError **error)
{
	CtdImages__Image image = CTD_IMAGES__IMAGE__INIT;
	Google__Timestamp epoch = GOOGLE__TIMESTAMP__INIT;
	epoch.seconds = epoch_s;
	image.name = borrow(name);
	image.target = descriptor_to_wire(target);
	bool ok = set_name(self, &image, has_epoch ? &epoch : NULL, c, error);
	guard_free(image.target);
	return ok;
}

/* ---- trees */
struct unpacking {
	struct ctd_images *images;
	const char *lease, *type; /* of snapshots, in leases */
	cancel *cancel;
	struct digest chain; /* of the existing snapshot */
};

static bool apply(const struct unpacking *u, const oci_layer *layer, CtdSnapshots__PrepareSnapshotResponse *mounts,
		  GError **error)
{
	CtdDiff__ApplyRequest request = CTD_DIFF__APPLY_REQUEST__INIT;
	request.diff = descriptor_to_wire(layer->descriptor);
	request.mounts = mounts->mounts;
	request.n_mounts = mounts->n_mounts;
	g_autoptr(CtdDiff__ApplyResponse) reply =
		ctd_call_under(u->images->client, u->lease, CTD_ENDLESS, "/containerd.services.diff.v1.Diff/Apply",
			       &request, &ctd_diff__apply_response__descriptor, u->cancel, error);
	guard_free(request.diff);
	if (!reply)
		return false;
	const char *got = reply->applied ? reply->applied->digest : "";
	return strcmp(got, layer->diff_id.text) == 0 ||
	       error_set(error, ERROR_DATA_LOSS, "diff id mismatch: expected %s, got %s", layer->diff_id.text, got);
}

static bool extract(const struct unpacking *u, const oci_layer *layer, const struct digest *chain, GError **error)
{
	const struct ctd_images *images = u->images;
	char random[IDENT_SIZE];
	ident_new(random);
	g_autofree char *key = g_strdup_printf("extract-%s %s", random, chain->text);
	const struct ctd_snapshot_request request = {
		.lease = u->lease,
		.snapshotter = images->snapshotter,
		.key = key,
		.parent = digest_is_set(&u->chain) ? u->chain.text : "",
	};
	g_autoptr(CtdSnapshots__PrepareSnapshotResponse) mounts =
		ctd_snapshot_prepare(images->client, &request, u->cancel, error);
	GError *failure = NULL;
	if (mounts && apply(u, layer, mounts, &failure) &&
	    ctd_snapshot_commit(images->client, u->lease, images->snapshotter, chain->text, key, &failure))
		return true;
	if (!mounts)
		return false;
	ctd_snapshot_remove(images->client, ctd_lease_id(images->client), images->snapshotter, key, NULL);
	if (error_is(failure, ERROR_ALREADY_EXISTS)) { /* another client was faster */
		g_clear_error(&failure);
		return ctd_lease_other_add(images->client, u->lease, u->type, chain->text, error);
	}
	g_propagate_prefixed_error(error, failure, "unpack %s: ", layer->descriptor->digest.text);
	return false;
}

static bool unpack_layer(struct unpacking *u, const oci_layer *layer, GError **error)
{
	const struct ctd_images *images = u->images;
	struct digest chain;
	GError *failure = NULL;
	oci_chain_id(&u->chain, &layer->diff_id, &chain);
	/* Adds it to the lease first, so that an existing one is kept. */
	bool ok = ctd_lease_other_add(images->client, u->lease, u->type, chain.text, &failure) &&
		  (ctd_snapshot_exists(images->client, images->snapshotter, chain.text, &failure) ||
		   (!failure && extract(u, layer, &chain, &failure)));
	if (ok)
		u->chain = chain;
	else
		g_propagate_error(error, failure);
	return ok;
}

static bool unpack_all(struct unpacking *u, const GPtrArray *layers, const struct digest *config, GError **error)
{
	for (guint i = 0; i < layers->len; i++)
		if (!unpack_layer(u, layers->pdata[i], error))
			return false;
	if (layers->len == 0)
		return true;
	g_autofree char *key = g_strconcat("containerd.io/gc.ref.snapshot.", u->images->snapshotter, NULL);
	const char *keys[] = {key}, *values[] = {u->chain.text};
	return ctd_blobs_label(u->images->client, config, keys, values, 1, error);
}

static bool images_unpack(void *self, const GPtrArray *layers, const struct digest *config, cancel *c, GError **error)
{
	struct ctd_images *images = self;
	g_autofree char *type = g_strconcat("snapshots/", images->snapshotter, NULL);
	char *lease = ctd_lease_other(images->client, "unpack", error);
	if (!lease)
		return false;
	struct unpacking u = {.images = images, .lease = lease, .type = type, .cancel = c};
	bool ok = unpack_all(&u, layers, config, error);
	ctd_lease_other_end(images->client, lease);
	return ok;
}

const struct image_store_class ctd_images_class = {
	.find = images_find,
	.refer = images_refer,
	.name = images_name,
	.unpack = images_unpack,
};
