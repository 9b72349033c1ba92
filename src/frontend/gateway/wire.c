/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/gateway/wire.h"
#include "api/message.h"
#include "base/version.h"

/* ---- sources */

void gateway_source_request_read(const Gateway__ResolveSourceMetaRequest *m, struct bridge_source_request *ret)
{
	const Gateway__ChecksumRequest *checksum = m->http ? m->http->checksumrequest : NULL;
	*ret = (struct bridge_source_request){
		.source = m->source,
		.platform = m->platform,
		.resolve_mode = m->resolvemode,
		.log_name = *m->logname ? m->logname : NULL,
		.no_config = m->image && m->image->noconfig,
		.attestations = m->image && (m->image->attestationchain || m->image->n_resolveattestations > 0),
		.predicate_types = m->image ? (const char *const *)m->image->resolveattestations : NULL,
		.n_predicate_types = m->image ? m->image->n_resolveattestations : 0,
		.objects = m->git && m->git->returnobject,
		.source_policies = m->sourcepolicies,
		.n_source_policies = m->n_sourcepolicies,
	};
	if (!checksum)
		return;
	ret->checksum.wanted = true;
	ret->checksum.algorithm = (int)checksum->algo;
	ret->checksum.suffix = checksum->suffix.data;
	ret->checksum.suffix_len = checksum->suffix.len;
}

static Gateway__AttestationChain__BlobsEntry *chain_blob_new(const struct attestation_blob *from)
{
	Gateway__AttestationChain__BlobsEntry *entry =
		message_new(Gateway__AttestationChain__BlobsEntry, gateway__attestation_chain__blobs_entry);
	Gateway__Blob *blob = entry->value = message_new(Gateway__Blob, gateway__blob);
	Gateway__Descriptor *d = blob->descriptor = message_new(Gateway__Descriptor, gateway__descriptor);
	entry->key = g_strdup(from->descriptor->digest.text);
	blob->data = message_bytes(from->bytes);
	d->media_type = g_strdup(from->descriptor->media_type);
	d->digest = g_strdup(from->descriptor->digest.text);
	d->size = (int64_t)g_bytes_get_size(from->bytes);
	message_set_map(d, annotations, from->descriptor->annotations);
	return entry;
}

static Gateway__AttestationChain *chain_new(const attestation_chain *c)
{
	if (!c)
		return NULL;
	Gateway__AttestationChain *m = message_new(Gateway__AttestationChain, gateway__attestation_chain);
	m->root = g_strdup(c->root.text);
	m->imagemanifest = g_strdup(c->image.text);
	m->attestationmanifest = g_strdup(c->attestation.text);
	if (digest_is_set(&c->signature))
		message_append(m, signaturemanifests, g_strdup(c->signature.text));
	for (guint i = 0; i < c->blobs->len; i++)
		message_append(m, blobs, chain_blob_new(c->blobs->pdata[i]));
	return m;
}

static Gateway__ResolveSourceImageResponse *image_new(const struct bridge_image *image)
{
	Gateway__ResolveSourceImageResponse *m =
		message_new(Gateway__ResolveSourceImageResponse, gateway__resolve_source_image_response);
	m->digest = g_strdup(image->digest.text);
	m->config = message_bytes(image->config);
	m->attestationchain = chain_new(image->attestations);
	return m;
}

static Gateway__ResolveSourceGitResponse *git_new(const struct git_meta *git)
{
	Gateway__ResolveSourceGitResponse *m =
		message_new(Gateway__ResolveSourceGitResponse, gateway__resolve_source_git_response);
	m->ref = g_strdup(git->ref);
	m->checksum = g_strdup(git->checksum);
	m->commitchecksum = g_strdup(git->commit_checksum);
	m->commitobject = message_bytes(git->commit_object);
	m->tagobject = message_bytes(git->tag_object);
	return m;
}

static Gateway__ResolveSourceHTTPResponse *http_new(const struct http_meta *http, const struct http_checksum *checksum)
{
	Gateway__ResolveSourceHTTPResponse *m =
		message_new(Gateway__ResolveSourceHTTPResponse, gateway__resolve_source_httpresponse);
	m->checksum = g_strdup(http->checksum.text);
	m->filename = g_strdup(http->filename);
	if (http->has_modified) {
		m->lastmodified = message_new(Google__Timestamp, google__timestamp);
		m->lastmodified->seconds = http->modified_s;
	}
	if (checksum->algorithm) {
		m->checksumresponse = message_new(Gateway__ChecksumResponse, gateway__checksum_response);
		m->checksumresponse->digest = g_strdup(checksum->digest.text);
		m->checksumresponse->suffix.data = g_memdup2(checksum->suffix, checksum->suffix_len);
		m->checksumresponse->suffix.len = checksum->suffix_len;
	}
	return m;
}

Gateway__ResolveSourceMetaResponse *gateway_source_new(const struct bridge_source *s)
{
	Gateway__ResolveSourceMetaResponse *m =
		message_new(Gateway__ResolveSourceMetaResponse, gateway__resolve_source_meta_response);
	m->source = message_copy(s->source);
	if (s->kind == BRIDGE_SOURCE_IMAGE)
		m->image = image_new(&s->image);
	else if (s->kind == BRIDGE_SOURCE_GIT)
		m->git = git_new(&s->git);
	else if (s->kind == BRIDGE_SOURCE_HTTP)
		m->http = http_new(&s->http, &s->checksum);
	return m;
}

/* ---- files */

Fsutil__Stat *gateway_stat_new(const struct fssync_stat *stat)
{
	Fsutil__Stat *m = message_new(Fsutil__Stat, fsutil__stat);
	m->path = g_strdup(stat->path);
	m->mode = stat->mode;
	m->uid = stat->uid;
	m->gid = stat->gid;
	m->size = stat->size;
	m->modtime = stat->mtime_ns;
	m->linkname = g_strdup(stat->linkname);
	m->devmajor = stat->devmajor;
	m->devminor = stat->devminor;
	return m;
}

/* ---- workers */

static Types__GCPolicy *gc_policy_new(const struct gc_rule *rule)
{
	Types__GCPolicy *m = message_new(Types__GCPolicy, types__gcpolicy);
	m->all = rule->all;
	m->keepduration = rule->keep_duration_ns;
	m->reservedspace = rule->reserved_bytes;
	m->maxusedspace = rule->max_used_bytes;
	m->minfreespace = rule->min_free_bytes;
	message_set_texts(m, filters, rule->filters);
	return m;
}

Types__BuildkitVersion *gateway_version_new(void)
{
	Types__BuildkitVersion *m = message_new(Types__BuildkitVersion, types__buildkit_version);
	m->package = g_strdup(BUILDKIT_PACKAGE);
	m->version = g_strdup(BUILDKIT_VERSION);
	m->revision = g_strdup(BUILDKIT_REVISION);
	m->dockerfileversion = g_strdup(DOCKERFILE_VERSION);
	return m;
}

static void add_devices(Types__WorkerRecord *m, cdi *host)
{
	g_autoptr(cdi_list) list = cdi_read(host);
	for (size_t i = 0; i < cdi_list_count(list); i++) {
		const struct cdi_device *device = cdi_list_get(list, i);
		Types__CDIDevice *d = message_new(Types__CDIDevice, types__cdidevice);
		d->name = g_strdup(device->full_name);
		d->autoallow = cdi_list_is_auto_allowed(list, device);
		message_set_map(d, annotations, device->annotations);
		message_append(m, cdidevices, d);
	}
}

Types__WorkerRecord *gateway_worker_record_new(const worker *w)
{
	Types__WorkerRecord *m = message_new(Types__WorkerRecord, types__worker_record);
	m->id = g_strdup(w->id);
	size_t n;
	const struct platform *platforms = worker_platforms(w, &n);
	for (size_t i = 0; i < n; i++)
		message_append(m, platforms, message_platform_new(&platforms[i]));
	for (size_t i = 0; i < w->n_gc; i++)
		message_append(m, gcpolicy, gc_policy_new(&w->gc[i]));
	message_set_map(m, labels, w->labels);
	m->buildkitversion = gateway_version_new();
	if (w->cdi)
		add_devices(m, w->cdi);
	return m;
}
