/* SPDX-License-Identifier: Apache-2.0 */
/* The commit and tag objects of a resolved ref, and their signatures. */
#include "source/git.h"
#include "source/signature.h"
#include <string.h>

bool git_objects_read(const git_repo *r, struct work *work, struct git_meta *ret, GError **error)
{
	const char *sha = r->source->found.sha;
	struct git_how how = git_repo_how(r);
	g_autofree char *type = git_run_line(&how, (const char *[]){"cat-file", "-t", sha, NULL}, work, error);
	g_autofree char *peeled = g_strconcat(sha, "^{commit}", NULL);
	if (!type)
		return false;
	if (strcmp(type, "tag") != 0 && strcmp(type, "commit") != 0)
		return error_set(error, ERROR_INVALID_ARGUMENT, "expected commit or tag object, got %s", type);
	g_clear_pointer(&ret->commit_checksum, g_free);
	ret->commit_checksum = strcmp(type, "tag") == 0
				       ? git_run_line(&how, (const char *[]){"rev-parse", peeled, NULL}, work, error)
				       : g_strdup("");
	if (!ret->commit_checksum)
		return false;
	if (*ret->commit_checksum &&
	    !git_run(&how, (const char *[]){"cat-file", "tag", sha, NULL}, work, &ret->tag_object, error))
		return false;
	return git_run(&how, (const char *[]){"cat-file", "commit", peeled, NULL}, work, &ret->commit_object, error);
}

static bool object_read(GBytes *bytes, const char *sha, const char *what, git_object *ret, GError **error)
{
	gsize n;
	const void *data = g_bytes_get_data(bytes, &n);
	if (!git_object_parse(data ? data : "", n, ret, error))
		return error_prefix(error, "failed to parse git %s object: ", what);
	return git_object_check(ret, sha, error) ||
	       error_prefix(error, "%s object checksum verification failed: ", what);
}

/* Without a valid signature of the tag, that of the commit counts, unless a signed tag is required. */
bool git_objects_verify(const struct git_source *s, const struct git_meta *m, struct work *work, GError **error)
{
	struct signature_key key = {s->signature_key, s->reject_expired};
	g_auto(git_object) tag = {0}, commit = {0};
	g_autoptr(GError) why = NULL;
	if (!s->ignore_signed_tag && m->tag_object) {
		if (!object_read(m->tag_object, m->checksum, "tag", &tag, error))
			return false;
		if (signature_verify_git(&tag, &key, work->cancel, &why))
			return true;
	}
	if (!cancel_check(work->cancel, error))
		return false;
	if (s->require_signed_tag && !why)
		return error_set(error, ERROR_FAILED_PRECONDITION, "signed tag required but no signed tag found");
	if (s->require_signed_tag)
		return error_propagate(error, g_steal_pointer(&why));
	const char *sha = *m->commit_checksum ? m->commit_checksum : m->checksum;
	return object_read(m->commit_object, sha, "commit", &commit, error) &&
	       signature_verify_git(&commit, &key, work->cancel, error);
}
