/* SPDX-License-Identifier: Apache-2.0 */
/* git://HOST/PATH[#REF[:SUBDIR]]: resolves the commit and checks out its files. */
#include "source/git.h"
#include "api/message.h"
#include "format/git_address.h"
#include "format/gotype.h"
#include "os/path.h"
#include "source/source.h"
#include "source/pull.h"
#include <string.h>

static void git_free(void *self)
{
	struct git_source *s = self;
	g_free(s->remote);
	g_free(s->shown);
	g_free(s->user_info);
	g_free(s->host);
	g_free(s->ref);
	g_free(s->subdir);
	g_free(s->checksum);
	g_free(s->auth_header);
	g_free(s->auth_token);
	g_free(s->ssh_id);
	g_free(s->known_hosts);
	g_free(s->signature_key);
	git_bundle_free(s->bundle);
	git_listing_clear(&s->found);
	g_free(s);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(git_source, git_free)

/* ---- identifier and attributes */

/* Returns the address with xxxxx for everything that may be secret. */
static char *shown_of(const git_address *a)
{
	if (!a->user_info || a->scp)
		return g_strdup(a->remote);
	const char *password = strchr(a->user_info, ':');
	const char *mask = !password                  ? (*a->user_info ? "xxxxx" : "")
			   : password == a->user_info ? ":xxxxx"
						      : "xxxxx:xxxxx";
	const char *rest = strstr(a->remote, "://") + 3 + strlen(a->user_info);
	return g_strdup_printf("%s://%s%s", a->scheme, mask, rest);
}

/* Credentials of http addresses are passed separately; for other schemes the password is not used. */
static char *without_secret(bool http, const git_address *a)
{
	const char *rest = strstr(a->remote, "://") + 3 + strlen(a->user_info) + 1;
	size_t user = http ? 0 : strcspn(a->user_info, ":");
	return g_strdup_printf("%s://%.*s%s%s", a->scheme, (int)user, a->user_info, user > 0 ? "@" : "", rest);
}

static bool take_remote(struct git_source *s, const git_address *a, GError **error)
{
	g_autofree char *shown = shown_of(a);
	if (!git_address_is_safe(a)) {
		g_autofree char *quoted = go_quote(shown);
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid git URL %s", quoted);
	}
	g_free(s->remote);
	g_free(s->shown);
	g_free(s->user_info);
	g_free(s->host);
	s->http = g_str_has_prefix(a->scheme, "http");
	bool secret = a->user_info && !a->scp && (s->http || strchr(a->user_info, ':'));
	s->user_info = secret && *a->user_info ? g_strdup(a->user_info) : NULL;
	s->remote = secret ? without_secret(s->http, a) : g_strdup(a->remote);
	s->shown = g_steal_pointer(&shown);
	s->host = g_strdup(a->host);
	return true;
}

/* An address without "://" that is not in scp form is parsed as an https address. */
static bool address_of(const char *text, git_address *ret, GError **error)
{
	if (git_address_parse(text, ret))
		return true;
	g_autofree char *with_scheme = g_strconcat("https://", text, NULL);
	return (!strstr(text, "://") && git_address_parse(with_scheme, ret)) ||
	       error_set(error, ERROR_INVALID_ARGUMENT, "invalid git URL: unknown protocol");
}

static bool identifier_read(struct git_source *s, const Pb__SourceOp *op, GError **error)
{
	g_auto(git_address) a = {0}, full = {0};
	const char *full_url = message_map_find(op, attrs, "git.fullurl");
	if (!address_of(op->identifier + strlen("git://"), &a, error) ||
	    (full_url && !address_of(full_url, &full, error)) || !take_remote(s, full_url ? &full : &a, error))
		return false;
	const char *fragment = a.fragment ? a.fragment : "", *colon = strchr(fragment, ':');
	g_autofree char *ref = colon ? g_strndup(fragment, (gsize)(colon - fragment)) : g_strdup(fragment);
	g_autofree char *rooted = path_join("/", colon ? colon + 1 : "");
	s->subdir = g_strdup(rooted + 1);
	s->shape.subdir = s->subdir;
	if (*ref && !git_ref_is_safe(ref)) {
		g_autofree char *quoted = go_quote(ref);
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid git ref %s", quoted);
	}
	s->ref = *ref ? g_steal_pointer(&ref) : NULL;
	return true;
}

static bool is_on(const Pb__SourceOp *op, const char *key)
{
	return g_strcmp0(message_map_find(op, attrs, key), "true") == 0;
}

static char *text_attribute(const Pb__SourceOp *op, const char *key)
{
	const char *value = message_map_find(op, attrs, key);
	return value && *value ? g_strdup(value) : NULL;
}

/* Any of the attributes requests a verification, which fails without a key. */
static void signature_attributes_read(struct git_source *s, const Pb__SourceOp *op)
{
	static const char *const keys[] = {"git.sig.pubkey", "git.sig.rejectexpired", "git.sig.requiresignedtag",
					   "git.sig.ignoresignedtag"};
	for (size_t i = 0; i < G_N_ELEMENTS(keys) && !s->signature_key; i++)
		if (message_map_find(op, attrs, keys[i])) {
			const char *key = message_map_find(op, attrs, keys[0]);
			s->signature_key = g_strdup(key ? key : "");
		}
	s->reject_expired = is_on(op, "git.sig.rejectexpired");
	s->require_signed_tag = is_on(op, "git.sig.requiresignedtag");
	s->ignore_signed_tag = is_on(op, "git.sig.ignoresignedtag");
}

static bool bundle_attributes_read(struct git_source *s, const Pb__SourceOp *op, GError **error)
{
	const char *text = message_map_find(op, attrs, "git.bundle");
	s->shape.checkout_bundle = is_on(op, "git.checkoutbundle");
	if (text && *text) {
		s->bundle = git_bundle_parse(text, message_map_find(op, attrs, "oci.session"),
					     message_map_find(op, attrs, "oci.store"), error);
		if (!s->bundle)
			return false;
		if (!s->checksum)
			return error_set(error, ERROR_INVALID_ARGUMENT, "git.bundle requires git.checksum to be set");
		if (s->ref && git_is_commit(s->ref) && !g_str_has_prefix(s->ref, s->checksum))
			return error_set(error, ERROR_INVALID_ARGUMENT, "expected checksum to match %s, got %s",
					 s->checksum, s->ref);
	}
	if (s->shape.checkout_bundle && s->shape.keep_git_dir)
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "git.checkoutbundle is incompatible with git.keepgitdir");
	return !s->shape.checkout_bundle || !*s->subdir ||
	       error_set(error, ERROR_INVALID_ARGUMENT, "git.checkoutbundle is incompatible with git.subdir");
}

static bool attributes_read(struct git_source *s, const Pb__SourceOp *op, GError **error)
{
	s->shape.keep_git_dir = is_on(op, "git.keepgitdir");
	s->shape.skip_submodules = is_on(op, "git.skipsubmodules");
	s->fetch_by_commit = is_on(op, "git.fetchbycommit");
	s->checksum = text_attribute(op, "git.checksum");
	s->auth_header = text_attribute(op, "git.authheadersecret");
	s->auth_token = text_attribute(op, "git.authtokensecret");
	s->ssh_id = text_attribute(op, "git.mountsshsock");
	s->known_hosts = text_attribute(op, "git.knownsshhosts");
	signature_attributes_read(s, op);
	g_autofree char *mtime = text_attribute(op, "git.mtime");
	s->shape.mtime_commit = g_strcmp0(mtime, "commit") == 0;
	if (mtime && !s->shape.mtime_commit && strcmp(mtime, "checkout") != 0)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid git mtime %.32s", mtime);
	return bundle_attributes_read(s, op, error);
}

static void *git_open(const struct source_context *context, const Pb__SourceOp *op, const struct platform *platform,
		      GError **error)
{
	g_autoptr(git_source) s = g_new0(struct git_source, 1);
	s->context = context;
	return identifier_read(s, op, error) && attributes_read(s, op, error) ? g_steal_pointer(&s) : NULL;
}

/* ---- resolving the commit */

static bool has_checksum(const struct git_source *s, const git_listing *l)
{
	return !s->checksum || g_str_has_prefix(l->sha, s->checksum) || g_str_has_prefix(l->peeled, s->checksum);
}

static bool mismatch(const struct git_source *s, GError **error)
{
	const git_listing *f = &s->found;
	return error_set(error, ERROR_FAILED_PRECONDITION, "expected checksum to match %s, got %s%s%s", s->checksum,
			 f->sha, *f->peeled ? " or " : "", f->peeled);
}

/* The ref is a commit, or the commit is given: no request is needed. */
static bool take_commit(struct git_source *s, const char *commit, const char *full_ref)
{
	s->found.ref = g_strdup(s->ref ? s->ref : commit);
	s->found.full_ref = g_strdup(full_ref);
	g_strlcpy(s->found.sha, commit, sizeof s->found.sha);
	return true;
}

static bool resolve_by_commit(struct git_source *s, GError **error)
{
	if (!s->checksum)
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "fetch-by-commit requires a checksum or a commit SHA ref");
	if (!git_is_commit(s->checksum)) {
		g_autofree char *quoted = go_quote(s->checksum);
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "fetch-by-commit requires a full commit SHA checksum, got %s", quoted);
	}
	if (s->ref && !g_str_has_prefix(s->ref, "refs/")) {
		g_autofree char *plain = g_steal_pointer(&s->ref);
		s->ref = g_strconcat("refs/heads/", plain, NULL);
	}
	return take_commit(s, s->checksum, s->ref ? s->ref : s->checksum);
}

static bool list_remote(const struct git_source *s, const git_link *link, struct work *work, GBytes **ret,
			GError **error)
{
	struct git_how how = git_link_how(link, s);
	if (!s->ref) {
		const char *args[] = {"ls-remote", "--symref", "--end-of-options", s->remote, "HEAD", NULL};
		if (git_run(&how, args, work, ret, error))
			return true;
		return error_prefix(error, "error fetching default branch for repository %s: ", s->shown);
	}
	g_autofree char *peeled = g_strconcat(s->ref, "^{}", NULL);
	const char *args[] = {"ls-remote", "--end-of-options", s->remote, s->ref, peeled, NULL};
	return git_run(&how, args, work, ret, error) || error_prefix(error, "failed to fetch remote %s: ", s->shown);
}

static bool take_listing(struct git_source *s, GBytes *output, GError **error)
{
	gsize n;
	const char *text = g_bytes_get_data(output, &n);
	s->found.ref = g_strdup(s->ref);
	if (!git_listing_parse(&s->found, text ? text : "", n)) {
		if (!s->ref)
			return error_set(error, ERROR_UNKNOWN, "could not find default branch for repository: %s",
					 s->shown);
		g_autofree char *copy = g_strndup(text ? text : "", MIN(n, 1024)), *quoted = go_quote(copy);
		return error_set(error, ERROR_UNKNOWN, "repository does not contain ref %s, output: %s", s->ref,
				 quoted);
	}
	return has_checksum(s, &s->found) || mismatch(s, error);
}

static bool resolve_by_listing(struct git_source *s, struct work *work, GError **error)
{
	g_auto(git_link) link = {0};
	g_autoptr(GBytes) output = NULL;
	return git_link_open(&link, s, work, error) && list_remote(s, &link, work, &output, error) &&
	       take_listing(s, output, error);
}

/* ---- bundles */

static bool list_bundle(struct git_source *s, struct work *work, GBytes **ret, GError **error)
{
	g_auto(git_link) link = {0};
	g_auto(git_repo) repo = {0};
	git_link_init(&link);
	if (!git_repo_open(&repo, s, &link, work, error))
		return false;
	struct git_how how = git_repo_how(&repo);
	how.protocols = "file";
	g_autofree char *url = g_filename_to_uri(repo.dir, NULL, error);
	g_autofree char *peeled = g_strconcat(s->ref, "^{}", NULL);
	const char *args[] = {"ls-remote", "--end-of-options", url, s->ref, peeled, NULL};
	return url && git_run(&how, args, work, ret, error);
}

/* A commit needs no look into the bundle: it is checked when the bundle is opened. */
static bool resolve_by_bundle(struct git_source *s, struct work *work, GError **error)
{
	const char *commit = s->ref ? s->ref : s->checksum;
	g_autoptr(GBytes) output = NULL;
	if (git_is_commit(commit))
		return take_commit(s, commit, commit);
	if (s->ref)
		return list_bundle(s, work, &output, error) && take_listing(s, output, error);
	return error_set(error, ERROR_INVALID_ARGUMENT,
			 "git.bundle requires a ref or a full commit SHA checksum, got %s", s->checksum);
}

/* ---- one reply per build, because the ref may move while it runs */

struct git_pin {
	gint refs;
	git_listing found;
};

static void *git_pin_ref(void *data)
{
	g_atomic_int_inc(&((struct git_pin *)data)->refs);
	return data;
}

static void git_pin_unref(void *data)
{
	struct git_pin *p = data;
	if (!g_atomic_int_dec_and_test(&p->refs))
		return;
	git_listing_clear(&p->found);
	g_free(p);
}

static const struct pin_class git_pin_class = {git_pin_ref, git_pin_unref};

static void listing_copy(git_listing *to, const git_listing *from)
{
	git_listing_clear(to);
	*to = *from;
	to->ref = g_strdup(from->ref);
	to->full_ref = g_strdup(from->full_ref);
}

/* With other credentials, the remote may show another repository. */
static char *git_pin_key(const struct git_source *s)
{
	g_autofree char *who = g_compute_checksum_for_string(G_CHECKSUM_SHA256, s->user_info ? s->user_info : "", -1);
	return g_strconcat("git:", s->remote, " ", who, "#", s->ref ? s->ref : "", NULL);
}

static bool resolve_by_pin(struct git_source *s, struct work *work, GError **error)
{
	g_autofree char *key = git_pin_key(s);
	struct git_pin *known = pins_find(work->pins, key);
	bool usable = known && has_checksum(s, &known->found);
	if (usable)
		listing_copy(&s->found, &known->found);
	if (known)
		git_pin_unref(known);
	if (usable)
		return true;
	if (!resolve_by_listing(s, work, error))
		return false;
	struct git_pin *mine = g_new0(struct git_pin, 1);
	mine->refs = 1;
	listing_copy(&mine->found, &s->found);
	struct git_pin *agreed = pins_agree(work->pins, key, mine, &git_pin_class);
	if (agreed != mine && has_checksum(s, &agreed->found))
		listing_copy(&s->found, &agreed->found);
	git_pin_unref(agreed);
	git_pin_unref(mine);
	return true;
}

static bool resolve(struct git_source *s, struct work *work, GError **error)
{
	if (s->resolved)
		return true;
	git_listing_clear(&s->found);
	if (s->checksum && !git_is_hex(s->checksum))
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "invalid checksum %s for Git URL, expected hex commit hash", s->checksum);
	if (s->bundle) {
		s->resolved = resolve_by_bundle(s, work, error);
	} else if (s->ref && git_is_commit(s->ref)) {
		take_commit(s, s->ref, s->ref);
		s->resolved = !s->checksum || g_str_has_prefix(s->ref, s->checksum) || mismatch(s, error);
	} else if (s->fetch_by_commit) {
		s->resolved = resolve_by_commit(s, error);
	} else {
		s->resolved = resolve_by_pin(s, work, error);
	}
	return s->resolved;
}

/* ---- signatures */

static void meta_init(struct git_meta *m, const struct git_source *s)
{
	*m = (struct git_meta){
		.ref = g_strdup(s->found.full_ref),
		.checksum = g_strdup(s->found.sha),
		.commit_checksum = g_strdup(s->shape.keep_git_dir ? "" : s->found.peeled),
	};
}

static bool fetch_objects(struct git_source *s, struct work *work, struct git_meta *m, GError **error)
{
	g_auto(git_link) link = {0};
	g_auto(git_repo) repo = {0};
	return git_link_open(&link, s, work, error) && git_repo_open(&repo, s, &link, work, error) &&
	       git_objects_read(&repo, work, m, error);
}

static bool resolve_verified(struct git_source *s, struct work *work, GError **error)
{
	if (!resolve(s, work, error))
		return false;
	if (!s->signature_key || s->verified)
		return true;
	struct git_meta m;
	meta_init(&m, s);
	s->verified = fetch_objects(s, work, &m, error) && git_objects_verify(s, &m, work, error);
	git_meta_clear(&m);
	return s->verified;
}

/* ---- keys */

static char *key_of(const struct git_source *s)
{
	const git_listing *f = &s->found;
	char *key = git_key(&s->shape, *f->peeled && !s->shape.keep_git_dir ? f->peeled : f->sha, f->full_ref);
	g_autofree char *bundle_ref = s->shape.checkout_bundle ? git_bundle_ref(f->ref) : NULL;
	if (!bundle_ref || strcmp(bundle_ref, GIT_BUNDLE_REF) == 0)
		return key;
	/* The ref is in the bundle. Upstream's key does not have it, so that a bundle of another ref is used. */
	g_autofree char *plain = key;
	return g_strconcat(plain, "#", bundle_ref, NULL);
}

static bool git_cache_key(void *self, struct work *work, unsigned phase, char **ret_key, bool *ret_last, GError **error)
{
	struct git_source *s = self;
	if (!resolve_verified(s, work, error))
		return false;
	*ret_key = key_of(s);
	*ret_last = true;
	return true;
}

static char *git_pin(void *self)
{
	const struct git_source *s = self;
	return s->resolved ? g_strdup(s->found.sha) : NULL;
}

/* ---- checkout */

static cache_ref *find_snapshot(const struct git_source *s, const char *name)
{
	g_auto(GStrv) ids = cache_find_named(s->context->cache, name);
	cache_ref *ref = NULL;
	for (char **id = ids; *id && !ref; id++)
		ref = cache_get(s->context->cache, *id, NULL);
	return ref;
}

static cache_ref *make_snapshot(struct git_source *s, const char *name, struct work *work, GError **error)
{
	g_auto(git_link) link = {0};
	g_auto(git_repo) repo = {0};
	if (!git_link_open(&link, s, work, error) || !git_repo_open(&repo, s, &link, work, error))
		return NULL;
	g_autoptr(cache_ref) ref = git_checkout(&repo, work, error);
	return ref && cache_ref_set_name(ref, name, error) ? g_steal_pointer(&ref) : NULL;
}

static bool git_snapshot(void *self, struct work *work, cache_ref **ret_ref, GError **error)
{
	struct git_source *s = self;
	if (!resolve_verified(s, work, error))
		return false;
	if (work->compat_conflict)
		return error_set(error, ERROR_UNKNOWN,
				 "conflicting compatibility versions in shared solve state: %" G_GINT64_FORMAT
				 " != %" G_GINT64_FORMAT,
				 work->compat_version, work->compat_conflict);
	g_autofree char *key = key_of(s);
	g_autofree char *name = g_strconcat("git-snapshot::", key, ":", s->subdir, NULL);
	if (!name_locks_take(s->context->git_locks, name, work->cancel, error))
		return false;
	*ret_ref = find_snapshot(s, name);
	if (!*ret_ref)
		*ret_ref = make_snapshot(s, name, work, error);
	name_locks_release(s->context->git_locks, name);
	return *ret_ref != NULL;
}

/* ---- metadata */

bool source_git_resolve(const struct source_context *context, const Pb__SourceOp *op, bool objects, struct work *work,
			struct git_meta *ret, GError **error)
{
	g_autoptr(git_source) s = git_open(context, op, NULL, error);
	if (!s || !resolve(s, work, error))
		return source_plain_error(false, error);
	struct git_meta meta;
	meta_init(&meta, s);
	if ((objects || s->signature_key) && (!fetch_objects(s, work, &meta, error) ||
					      (s->signature_key && !git_objects_verify(s, &meta, work, error)))) {
		git_meta_clear(&meta);
		return source_plain_error(false, error);
	}
	*ret = meta;
	return true;
}

void git_meta_clear(struct git_meta *m)
{
	g_clear_pointer(&m->ref, g_free);
	g_clear_pointer(&m->checksum, g_free);
	g_clear_pointer(&m->commit_checksum, g_free);
	g_clear_pointer(&m->commit_object, g_bytes_unref);
	g_clear_pointer(&m->tag_object, g_bytes_unref);
}

/* ---- names for policies */

/* Returns host and path of the repository, from git.fullurl if it is set; without scheme and user. */
static char *git_name(const Pb__SourceOp *op)
{
	g_auto(git_address) named = {0}, full = {0};
	const char *full_url = message_map_find(op, attrs, "git.fullurl");
	if (!address_of(op->identifier + strlen("git://"), &named, NULL) ||
	    (full_url && !address_of(full_url, &full, NULL)))
		return NULL;
	const git_address *a = full_url ? &full : &named;
	g_autofree char *path = path_join("/", a->path);
	const char *fragment = named.fragment ? named.fragment : "", *colon = strchr(fragment, ':');
	g_autofree char *directory = path_join("/", colon ? colon + 1 : "");
	size_t n_ref = colon ? (size_t)(colon - fragment) : strlen(fragment);
	bool in_directory = directory[1] != '\0';
	return g_strdup_printf("git://%s%s%s%.*s%s%s", a->host, path, n_ref > 0 || in_directory ? "#" : "", (int)n_ref,
			       fragment, in_directory ? ":" : "", in_directory ? directory + 1 : "");
}

const struct source_class source_git_class = {
	.scheme = "git",
	.material = SOURCE_MATERIAL_GIT,
	.name = git_name,
	.open = git_open,
	.cache_key = git_cache_key,
	.snapshot = git_snapshot,
	.pin = git_pin,
	.free = git_free,
};
