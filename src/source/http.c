/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "api/message.h"
#include "base/secret.h"
#include "format/json_writer.h"
#include "format/url_redact.h"
#include "registry/transport.h"
#include "source/source.h"
#include "source/file_record.h"
#include "source/http_name.h"
#include "source/pull.h"
#include "source/signature.h"
#include "os/path.h"
#include <errno.h>
#include <unistd.h>
#include "upload.pb-c.h"
#include <string.h>

#define KEY_ETAG "etag"
#define KEY_CHECKSUM "http.checksum"
#define KEY_MODTIME "http.modtime"
#define SESSION_HOST "buildkit-session"
#define ETAGS_MAX 64
#define ERROR_BODY_MAX KIB(64)

/*
 * An instance resolves once: first nothing is known, then digest and name (and ref, unless the digest was pinned), then
 * the cache record.
 */
struct http_source {
	const struct source_context *context; /* borrowed */
	char *url;                            /* owned */
	char *shown;                          /* owned: without credentials, for messages */
	struct file_spec spec;
	struct digest pinned; /* unset: none */
	char *auth_secret;    /* owned or NULL */
	char *accept, *agent; /* owned or NULL: http.header.* */
	/* Owned or NULL: both are set if the file must be verified. */
	char *signature, *signature_key;
	bool resolved;
	struct digest digest;
	char *name; /* owned */
	int64_t modified_s;
	bool has_modified;
	cache_ref *ref; /* owned or NULL */
};

static void http_free(void *self)
{
	struct http_source *h = self;
	g_free(h->url);
	g_free(h->shown);
	file_spec_clear(&h->spec);
	g_free(h->auth_secret);
	g_free(h->accept);
	g_free(h->agent);
	g_free(h->signature);
	g_free(h->signature_key);
	g_free(h->name);
	cache_ref_unref(h->ref);
	g_free(h);
}

/* ---- attributes */

static bool signature_attributes_read(struct http_source *h, const Pb__SourceOp *op, GError **error)
{
	const char *key = message_map_find(op, attrs, "http.sig.pubkey");
	const char *signature = message_map_find(op, attrs, "http.sig.signature");
	bool has_key = key && *key, has_signature = signature && *signature;
	if (has_key != has_signature)
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "http signature verification requires both pubkey and signature");
	/* Empty attributes request a verification too, which then fails. */
	h->signature_key = key || signature ? g_strdup(key ? key : "") : NULL;
	h->signature = key || signature ? g_strdup(signature ? signature : "") : NULL;
	return true;
}

static bool is_clean_header(const char *value)
{
	for (; *value; value++)
		if ((unsigned char)*value < 0x20 && *value != '\t')
			return false;
	return true;
}

static bool attributes_read(struct http_source *h, const Pb__SourceOp *op, GError **error)
{
	const char *checksum = message_map_find(op, attrs, "http.checksum");
	if ((checksum && !digest_parse(checksum, &h->pinned, error)) || !file_spec_read(&h->spec, op, error) ||
	    !signature_attributes_read(h, op, error))
		return false;
	for (size_t i = 0; i < op->n_attrs; i++) {
		const char *key = op->attrs[i]->key, *value = op->attrs[i]->value;
		char **slot = g_ascii_strcasecmp(key, "http.header.accept") == 0       ? &h->accept
			      : g_ascii_strcasecmp(key, "http.header.user-agent") == 0 ? &h->agent
										       : NULL;
		if (!slot)
			continue;
		if (!is_clean_header(value))
			return error_set(error, ERROR_INVALID_ARGUMENT, "invalid value of header %s", key);
		g_free(*slot);
		*slot = g_strdup(value);
	}
	const char *secret = message_map_find(op, attrs, "http.authheadersecret");
	h->auth_secret = secret && *secret ? g_strdup(secret) : NULL;
	return true;
}

static void *http_open(const struct source_context *context, const Pb__SourceOp *op, const struct platform *platform,
		       GError **error)
{
	struct http_source *h = g_new0(struct http_source, 1);
	h->context = context;
	h->url = g_strdup(op->identifier);
	h->shown = url_redact(h->url);
	if (!attributes_read(h, op, error)) {
		http_free(h);
		return NULL;
	}
	return h;
}

/* ---- keys */

static void headers_write(json_writer *w, const struct http_source *h)
{
	const char *const pairs[][2] = {{"Accept", h->accept}, {"User-Agent", h->agent}};
	json_array_begin(w);
	for (size_t i = 0; i < G_N_ELEMENTS(pairs); i++) {
		if (!pairs[i][1])
			continue;
		json_object_begin(w);
		json_put_string_member(w, "Name", pairs[i][0]);
		json_put_string_member(w, "Value", pairs[i][1]);
		json_object_end(w);
	}
	json_array_end(w);
}

static void owner_write(json_writer *w, const struct file_spec *spec)
{
	json_put_int_member(w, "Perm", spec->perm);
	json_put_int_member(w, "UID", spec->uid);
	json_put_int_member(w, "GID", spec->gid);
}

static void hash_document(json_writer **w, struct digest *ret)
{
	size_t n;
	g_autofree char *text = json_writer_take(w, &n);
	digest_of(text, n, ret);
}

/* Returns the name by which records of this request are found again. */
static void url_hash(const struct http_source *h, struct digest *ret)
{
	g_autoptr(GString) name = g_string_new(h->url);
	g_string_append_len(name, "", 1);
	g_string_append(name, h->spec.name);
	json_writer *w = json_writer_new(0);
	json_object_begin(w);
	json_key(w, "Filename");
	json_put_base64(w, name->str, name->len);
	owner_write(w, &h->spec);
	json_put_string_member_nonempty(w, "AuthHeaderSecret", h->auth_secret);
	json_key(w, "Header");
	if (h->accept || h->agent)
		headers_write(w, h);
	else
		json_put_null(w);
	json_object_end(w);
	hash_document(&w, ret);
}

static void cache_key(const struct http_source *h, struct digest *ret)
{
	json_writer *w = json_writer_new(0);
	json_object_begin(w);
	json_put_string_member(w, "Filename", h->name);
	owner_write(w, &h->spec);
	json_put_string_member(w, "Checksum", h->digest.text);
	if (h->has_modified) {
		g_autofree char *date = http_date_format(h->modified_s);
		json_put_string_member(w, "LastModTime", date);
	}
	json_put_string_member_nonempty(w, "AuthHeaderSecret", h->auth_secret);
	if (h->accept || h->agent) {
		json_key(w, "Header");
		headers_write(w, h);
	}
	json_object_end(w);
	hash_document(&w, ret);
}

/* ---- authorization */

/* Wipes and frees a secret. */
static bool secret_get(const struct work *work, const char *id, const char *prefix, char **ret, GError **error)
{
	g_autoptr(GBytes) value = NULL;
	if (!work->sessions)
		return error_set(error, ERROR_NOT_FOUND, "secret %s: not found", id);
	if (!session_secret_get(work->sessions, id, work->cancel, &value, error))
		return false;
	gsize n;
	const char *bytes = g_bytes_get_data(value, &n);
	char *text = g_malloc(strlen(prefix) + n + 1);
	memcpy(text, prefix, strlen(prefix));
	if (n > 0)
		memcpy(text + strlen(prefix), bytes, n);
	text[strlen(prefix) + n] = '\0';
	secret_clear(ret);
	*ret = text;
	if (strlen(text) == strlen(prefix) + n && is_clean_header(text))
		return true;
	secret_clear(ret);
	return error_set(error, ERROR_INVALID_ARGUMENT, "secret %s contains characters not allowed in an HTTP header",
			 id);
}

/*
 * Returns the Authorization header from the named secret, or from the secrets of the host; the token has precedence
 * over the header.
 */
static bool authorization_get(const struct http_source *h, struct work *work, char **ret, GError **error)
{
	if (h->auth_secret) {
		if (secret_get(work, h->auth_secret, "", ret, error))
			return true;
		return error_prefix(error, "failed to retrieve HTTP auth secret %s: ", h->auth_secret);
	}
	g_autoptr(GUri) uri = g_uri_parse(h->url, G_URI_FLAGS_PARSE_RELAXED, NULL);
	const char *host = uri ? g_uri_get_host(uri) : NULL;
	if (!host || !work->sessions || session_group_is_empty(work->sessions))
		return true;
	g_autofree char *header = g_strconcat("HTTP_AUTH_HEADER_", host, NULL);
	g_autofree char *token = g_strconcat("HTTP_AUTH_TOKEN_", host, NULL);
	secret_get(work, header, "", ret, NULL);
	secret_get(work, token, "Bearer ", ret, NULL);
	return cancel_check(work->cancel, error);
}

/* ---- requests */

struct download {
	struct http_source *h;
	struct work *work;
	file_record file;
	char *name; /* owned */
	bool begun;
};

static bool download_begin(struct download *d, const char *content_disposition, GError **error)
{
	g_autofree char *description = g_strconcat("http url ", d->h->shown, NULL);
	d->name = http_file_name(d->h->url, d->h->spec.name, content_disposition);
	d->begun = true;
	return file_record_begin(&d->file, d->h->context->cache, description, d->name, &d->h->spec, d->work, error);
}

static bool on_head(void *data, const struct transport_reply *reply, GError **error)
{
	struct download *d = data;
	if (reply->content_length > LIMIT_HTTP_SOURCE_BYTES)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED,
				 "%s has %" G_GINT64_FORMAT " bytes, at most %lld are supported", d->h->shown,
				 reply->content_length, LIMIT_HTTP_SOURCE_BYTES);
	return download_begin(d, transport_reply_header(reply, "content-disposition"), error);
}

static bool on_bytes(void *data, const void *bytes, size_t n, GError **error)
{
	return file_record_write(&((struct download *)data)->file, bytes, n, error);
}

static bool request(struct http_source *h, struct work *work, const char *method, const char *etags, struct download *d,
		    transport_reply *ret_reply, GError **error)
{
	scoped_secret authorization = NULL;
	if (!authorization_get(h, work, &authorization, error))
		return false;
	g_autofree char *agent = g_strconcat("User-Agent: ", h->agent ? h->agent : h->context->user_agent, NULL);
	g_autofree char *accept = h->accept ? g_strconcat("Accept: ", h->accept, NULL) : g_strdup("Accept:");
	g_autofree char *match = etags ? g_strconcat("If-None-Match: ", etags, NULL) : NULL;
	const char *headers[4] = {agent, accept, match, NULL};
	struct transport_request q = {
		.method = method,
		.url = h->url,
		.headers = headers,
		.authorization = authorization,
		.body_size = -1,
		.redirects = true,
		.is_verified = digest_is_set(&h->pinned),
		.body_max = ERROR_BODY_MAX,
		.decode = true,
		.ask_gzip = true,
		.on_head = d ? on_head : NULL,
		.on_bytes = d ? on_bytes : NULL,
		.data = d,
	};
	enum transport_failure failure;
	return transport_do(registry_transport(h->context->registry), &q, work->cancel, ret_reply, &failure, error);
}

/* ---- records of earlier downloads */

struct earlier {
	char *etag;     /* owned */
	cache_ref *ref; /* owned */
};

static void earlier_free(gpointer data)
{
	struct earlier *e = data;
	g_free(e->etag);
	cache_ref_unref(e->ref);
	g_free(e);
}

static char *value_text(cache_ref *ref, const char *key)
{
	g_autoptr(GBytes) bytes = cache_ref_get_value(ref, key);
	return bytes ? g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes)) : NULL;
}

static GPtrArray *earlier_find(const struct http_source *h)
{
	GPtrArray *list = g_ptr_array_new_with_free_func(earlier_free);
	struct digest name;
	url_hash(h, &name);
	g_auto(GStrv) ids = cache_find_named(h->context->cache, name.text);
	for (char **id = ids; *id && list->len < ETAGS_MAX; id++) {
		cache_ref *ref = cache_get(h->context->cache, *id, NULL);
		g_autofree char *etag = ref ? value_text(ref, KEY_ETAG) : NULL;
		g_autofree char *checksum = ref ? value_text(ref, KEY_CHECKSUM) : NULL;
		if (!etag || !digest_is_valid(checksum)) {
			cache_ref_unref(ref);
			continue;
		}
		struct earlier *e = g_new0(struct earlier, 1);
		*e = (struct earlier){g_steal_pointer(&etag), ref};
		g_ptr_array_add(list, e);
	}
	return list;
}

static char *etag_list(const GPtrArray *list)
{
	g_autoptr(GPtrArray) etags = g_ptr_array_new();
	for (guint i = 0; i < list->len; i++)
		g_ptr_array_add(etags, ((struct earlier *)g_ptr_array_index(list, i))->etag);
	g_ptr_array_add(etags, NULL);
	return g_strjoinv(", ", (char **)etags->pdata);
}

static const char *etag_strong(const char *etag)
{
	return etag && g_str_has_prefix(etag, "W/") ? etag + 2 : etag;
}

/* Returns the record that a reply confirms, or NULL. Some servers omit the ETag in a 304 reply. */
static struct earlier *earlier_match(const GPtrArray *list, const transport_reply *reply)
{
	const char *etag = etag_strong(transport_reply_header(reply, "etag"));
	if ((!etag || !*etag) && reply->status == 304 && list->len == 1)
		return g_ptr_array_index(list, 0);
	for (guint i = 0; etag && i < list->len; i++) {
		struct earlier *e = g_ptr_array_index(list, i);
		if (g_str_equal(e->etag, etag))
			return e;
	}
	return NULL;
}

static bool use_earlier(struct http_source *h, const struct earlier *e, const transport_reply *reply, GError **error)
{
	g_autofree char *checksum = value_text(e->ref, KEY_CHECKSUM);
	g_autofree char *modified = value_text(e->ref, KEY_MODTIME);
	if (!digest_parse(checksum, &h->digest, error))
		return false;
	h->has_modified = modified && http_date_parse(modified, &h->modified_s);
	h->name = http_file_name(h->url, h->spec.name, transport_reply_header(reply, "content-disposition"));
	h->ref = cache_ref_ref(e->ref);
	return true;
}

/* ---- one reply per build and URL */

/* The reply for a URL, shared by all requests of a build. */
struct http_pin {
	gint refs;
	struct digest digest;
	char *name; /* owned */
	int64_t modified_s;
	bool has_modified;
	cache_ref *ref; /* owned: keeps the record from being pruned */
};

static void *http_pin_ref(void *data)
{
	g_atomic_int_inc(&((struct http_pin *)data)->refs);
	return data;
}

static void http_pin_unref(void *data)
{
	struct http_pin *p = data;
	if (!g_atomic_int_dec_and_test(&p->refs))
		return;
	cache_ref_unref(p->ref);
	g_free(p->name);
	g_free(p);
}

static const struct pin_class http_pin_class = {http_pin_ref, http_pin_unref};

static char *http_pin_key(const struct http_source *h)
{
	struct digest name;
	url_hash(h, &name);
	return g_strconcat("http:", name.text, NULL);
}

static void http_pin_apply(const struct http_pin *p, struct http_source *h)
{
	cache_ref *ref = cache_ref_ref(p->ref);
	h->digest = p->digest;
	g_free(h->name);
	h->name = g_strdup(p->name);
	h->modified_s = p->modified_s;
	h->has_modified = p->has_modified;
	cache_ref_unref(h->ref);
	h->ref = ref;
}

/* Uses the reply of an earlier request of this build; with a pinned digest only if it has that digest. */
static bool http_pin_use(struct http_source *h, struct work *work)
{
	g_autofree char *key = http_pin_key(h);
	struct http_pin *p = pins_find(work->pins, key);
	bool usable = p && (!digest_is_set(&h->pinned) || digest_equal(&p->digest, &h->pinned));
	if (usable)
		http_pin_apply(p, h);
	if (p)
		http_pin_unref(p);
	return usable;
}

static void http_pin_settle(struct http_source *h, struct work *work)
{
	g_autofree char *key = http_pin_key(h);
	struct http_pin *mine = g_new(struct http_pin, 1);
	*mine = (struct http_pin){
		1, h->digest, g_strdup(h->name), h->modified_s, h->has_modified, cache_ref_ref(h->ref)};
	struct http_pin *agreed = pins_agree(work->pins, key, mine, &http_pin_class);
	if (agreed != mine)
		http_pin_apply(agreed, h);
	http_pin_unref(agreed);
	http_pin_unref(mine);
}

/* ---- downloading */

static bool record_describe(struct http_source *h, cache_ref *ref, const struct digest *digest,
			    const transport_reply *reply, GError **error)
{
	const char *etag = etag_strong(transport_reply_header(reply, "etag"));
	const char *modified = transport_reply_header(reply, "last-modified");
	if (etag && *etag) {
		struct digest name;
		url_hash(h, &name);
		if (!cache_ref_set_value(ref, KEY_ETAG, etag, strlen(etag), error) ||
		    !cache_ref_set_value(ref, KEY_CHECKSUM, digest->text, strlen(digest->text), error) ||
		    !cache_ref_set_name(ref, name.text, error))
			return false;
	}
	return !modified || cache_ref_set_value(ref, KEY_MODTIME, modified, strlen(modified), error);
}

static bool download_finish(struct download *d, const transport_reply *reply, cache_ref **ret,
			    struct digest *ret_digest, GError **error)
{
	struct http_source *h = d->h;
	const char *modified = transport_reply_header(reply, "last-modified");
	h->has_modified = modified && http_date_parse(modified, &h->modified_s);
	g_autoptr(cache_ref) ref =
		file_record_commit(&d->file, h->has_modified ? h->modified_s : 0, d->work, ret_digest, error);
	if (!ref || !record_describe(h, ref, ret_digest, reply, error))
		return false;
	g_free(h->name);
	h->name = g_strdup(d->name);
	*ret = g_steal_pointer(&ref);
	return true;
}

/* http://buildkit-session/<id> is received from the Upload service of the client. */
static bool upload_receive(struct download *d, rpc_call *call, GError **error)
{
	if (!download_begin(d, NULL, error))
		return false;
	for (;;) {
		GError *why = NULL;
		Upload__BytesMessage *m = rpc_call_recv_message(call, &upload__bytes_message__descriptor, &why);
		if (!m) {
			if (why)
				g_propagate_error(error, why);
			return !why;
		}
		bool ok = on_bytes(d, m->data.data, m->data.len, error);
		protobuf_c_message_free_unpacked(&m->base, NULL);
		if (!ok)
			return false;
	}
}

static bool upload_pull(struct download *d, GError **error)
{
	g_autoptr(GUri) uri = g_uri_parse(d->h->url, G_URI_FLAGS_NONE, error);
	if (!uri)
		return false;
	if (!d->work->sessions)
		return error_set(error, ERROR_FAILED_PRECONDITION, "no session to upload %s from", d->h->shown);
	g_autoptr(session) s = session_group_any(d->work->sessions, "/moby.upload.v1.Upload/Pull", SESSION_WAIT_MS,
						 d->work->cancel, error);
	g_autoptr(rpc_call) call =
		s ? session_upload_open(s, g_uri_get_path(uri), SESSION_HOST, d->work->cancel, error) : NULL;
	return call && upload_receive(d, call, error) && rpc_call_finish(call, error);
}

static bool is_upload(const struct http_source *h)
{
	g_autoptr(GUri) uri = g_uri_parse(h->url, G_URI_FLAGS_PARSE_RELAXED, NULL);
	return uri && g_strcmp0(g_uri_get_host(uri), SESSION_HOST) == 0;
}

/* Sends GET with the known ETags: returns a new record, or an earlier one (*ret_earlier). */
static bool download(struct http_source *h, struct work *work, const GPtrArray *known, cache_ref **ret,
		     struct digest *ret_digest, struct earlier **ret_earlier, transport_reply *ret_reply,
		     GError **error)
{
	struct download d = {.h = h, .work = work, .file = {.fd = -1}};
	g_autofree char *etags = known && known->len > 0 ? etag_list(known) : NULL;
	bool ok;
	if (is_upload(h)) {
		ok = upload_pull(&d, error);
	} else {
		ok = request(h, work, "GET", etags, &d, ret_reply, error);
		*ret_earlier = ok && ret_reply->status == 304 && known ? earlier_match(known, ret_reply) : NULL;
		if (ok && !*ret_earlier && (ret_reply->status < 200 || ret_reply->status >= 300))
			ok = error_set(error, ERROR_UNKNOWN, "invalid response status %d", ret_reply->status);
	}
	if (ok && !*ret_earlier)
		ok = download_finish(&d, ret_reply, ret, ret_digest, error);
	file_record_clear(&d.file);
	g_free(d.name);
	return ok;
}

static bool resolve_by_request(struct http_source *h, struct work *work, GError **error)
{
	g_autoptr(GPtrArray) known = earlier_find(h);
	if (known->len > 0 && !is_upload(h)) {
		/* Some servers handle If-None-Match incorrectly for GET but not for HEAD, so ask with HEAD first. */
		g_autofree char *etags = etag_list(known);
		g_auto(transport_reply) head = {0};
		bool answered = request(h, work, "HEAD", etags, NULL, &head, NULL);
		struct earlier *e =
			answered && (head.status == 200 || head.status == 304) ? earlier_match(known, &head) : NULL;
		if (e)
			return use_earlier(h, e, &head, error);
		if (!cancel_check(work->cancel, error))
			return false;
	}
	struct earlier *e = NULL;
	g_auto(transport_reply) reply = {0};
	if (!download(h, work, known, &h->ref, &h->digest, &e, &reply, error))
		return false;
	return !e || use_earlier(h, e, &reply, error);
}

/* Ensures that there is a cache record of the file. */
static bool file_ensure(struct http_source *h, struct work *work, GError **error)
{
	if (h->ref || http_pin_use(h, work))
		return true;
	g_autoptr(cache_ref) ref = NULL;
	g_auto(transport_reply) reply = {0};
	struct digest digest;
	struct earlier *none = NULL;
	if (!download(h, work, NULL, &ref, &digest, &none, &reply, error))
		return false;
	if (!digest_equal(&digest, &h->digest))
		return error_set(error, ERROR_FAILED_PRECONDITION, "digest mismatch %s: %s", digest.text,
				 h->digest.text);
	h->ref = g_steal_pointer(&ref);
	return true;
}

/* Returns the file for reading, or -1. */
static int file_open(struct http_source *h, struct work *work, GError **error)
{
	scoped_fd root = cache_ref_open_tree(h->context->cache, h->ref, CACHE_TREE_READ, work, error);
	return root < 0 ? -1 : path_open(root, h->name, O_RDONLY | O_NONBLOCK | O_CLOEXEC, PATH_BENEATH, error);
}

static bool verify(struct http_source *h, struct work *work, GError **error)
{
	struct signature_key key = {.text = h->signature_key};
	if (!file_ensure(h, work, error))
		return error_prefix(error, "failed to resolve source reference for signature verification: ");
	scoped_fd fd = file_open(h, work, error);
	if (fd < 0)
		return false;
	if (signature_verify_pgp(fd, h->signature, strlen(h->signature), &key, work->cancel, error))
		return true;
	if (!cancel_is_set(work->cancel))
		g_prefix_error(error, "failed to verify pgp signature: ");
	return false;
}

static bool resolve(struct http_source *h, struct work *work, GError **error)
{
	if (h->resolved)
		return true;
	if (digest_is_set(&h->pinned)) { /* no request: the download is verified against this digest */
		h->digest = h->pinned;
		if (!h->name) /* else that of a download */
			h->name = http_file_name(h->url, h->spec.name, NULL);
	} else if (!http_pin_use(h, work)) {
		if (!resolve_by_request(h, work, error))
			return false;
		http_pin_settle(h, work);
	}
	h->resolved = !h->signature || verify(h, work, error);
	return h->resolved;
}

static bool http_cache_key(void *self, struct work *work, unsigned phase, char **ret_key, bool *ret_last,
			   GError **error)
{
	struct http_source *h = self;
	if (!resolve(h, work, error))
		return false;
	struct digest key;
	cache_key(h, &key);
	*ret_key = g_strdup(key.text);
	*ret_last = true;
	return true;
}

static bool http_snapshot(void *self, struct work *work, cache_ref **ret_ref, GError **error)
{
	struct http_source *h = self;
	if (!resolve(h, work, error) || !file_ensure(h, work, error))
		return false;
	*ret_ref = cache_ref_ref(h->ref);
	return true;
}

static char *http_pin(void *self)
{
	const struct http_source *h = self;
	return h->resolved ? g_strdup(h->digest.text) : NULL;
}

static bool hash_file(struct http_source *h, struct http_checksum *c, struct work *work, GError **error)
{
	scoped_fd fd = file_open(h, work, error);
	if (fd < 0)
		return false;
	g_autoptr(hasher) hash = hasher_new(c->algorithm);
	g_autofree uint8_t *buffer = g_malloc(KIB(256));
	for (;;) {
		ssize_t n = read(fd, buffer, KIB(256));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set_errno(error, errno, "read %s", h->name);
		if (n == 0)
			break;
		if (!cancel_check(work->cancel, error))
			return false;
		hasher_update(hash, buffer, (size_t)n);
	}
	hasher_update(hash, c->suffix, c->suffix_len);
	hasher_finish(hash, &c->digest);
	return true;
}

bool source_http_resolve(const struct source_context *context, const Pb__SourceOp *op, struct http_checksum *checksum,
			 struct work *work, struct http_meta *ret, GError **error)
{
	struct http_source *h = http_open(context, op, NULL, error);
	bool ok = h && resolve(h, work, error) &&
		  (!checksum || (file_ensure(h, work, error) && hash_file(h, checksum, work, error)));
	if (ok)
		*ret = (struct http_meta){.checksum = h->digest,
					  .filename = g_steal_pointer(&h->name),
					  .has_modified = h->has_modified,
					  .modified_s = h->modified_s};
	if (h)
		http_free(h);
	return ok;
}

void http_meta_clear(struct http_meta *m)
{
	g_clear_pointer(&m->filename, g_free);
}

const struct source_class source_http_class = {
	.scheme = "http",
	.material = SOURCE_MATERIAL_HTTP,
	.is_address_whole = true,
	.open = http_open,
	.cache_key = http_cache_key,
	.snapshot = http_snapshot,
	.pin = http_pin,
	.free = http_free,
};
const struct source_class source_https_class = {
	.scheme = "https",
	.material = SOURCE_MATERIAL_HTTP,
	.is_address_whole = true,
	.open = http_open,
	.cache_key = http_cache_key,
	.snapshot = http_snapshot,
	.pin = http_pin,
	.free = http_free,
};
