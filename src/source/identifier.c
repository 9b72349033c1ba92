/* SPDX-License-Identifier: Apache-2.0 */
/* What a source is called for whoever judges sources by name: one name, however it was written. */
#include "source/classes.h"
#include "format/git_address.h"
#include "format/reference.h"
#include "os/path.h"
#include "source/pull.h"
#include <string.h>

static char *image_name(const char *text)
{
	g_autoptr(reference) ref = reference_parse_normalized(text, NULL);
	if (!ref)
		return NULL;
	reference_tag_default(ref);
	g_autofree char *full = reference_text(ref);
	return g_strconcat("docker-image://", full, NULL);
}

static bool address_read(const char *text, git_address *ret)
{
	if (git_address_parse(text, ret))
		return true;
	g_autofree char *with_scheme = g_strconcat("https://", text, NULL);
	return !strstr(text, "://") && git_address_parse(with_scheme, ret);
}

/* Host and path of what is fetched, which the attribute says when it is there; never who fetches. */
static char *git_name(const Pb__SourceOp *op)
{
	g_auto(git_address) named = {0}, full = {0};
	const char *full_url = source_attribute(op, "git.fullurl");
	if (!address_read(op->identifier + strlen("git://"), &named) || (full_url && !address_read(full_url, &full)))
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

char *source_name(const Pb__SourceOp *op)
{
	char *name = NULL;
	if (g_str_has_prefix(op->identifier, "docker-image://"))
		name = image_name(op->identifier + strlen("docker-image://"));
	else if (g_str_has_prefix(op->identifier, "git://"))
		name = git_name(op);
	return name ? name : g_strdup(op->identifier);
}
