/* SPDX-License-Identifier: Apache-2.0 */
#include "source/git_refs.h"
#include <string.h>

#define REF_MAX 1024
#define HEADS "refs/heads/"
#define TAGS "refs/tags/"

bool git_is_commit(const char *text)
{
	size_t n = strspn(text, "0123456789abcdef");
	return text[n] == '\0' && (n == 40 || n == 64);
}

bool git_is_hex(const char *text)
{
	return *text && text[strspn(text, "0123456789abcdefABCDEF")] == '\0';
}

static bool component_is_safe(const char *at, size_t n)
{
	return n > 0 && at[0] != '.' && !(n >= 5 && memcmp(at + n - 5, ".lock", 5) == 0);
}

bool git_ref_is_safe(const char *ref)
{
	size_t n = strlen(ref);
	if (n == 0 || n > REF_MAX || *ref == '-' || ref[n - 1] == '.' || strcmp(ref, "@") == 0 || strstr(ref, "..") ||
	    strstr(ref, "@{"))
		return false;
	for (const char *p = ref; *p; p++)
		if ((unsigned char)*p <= 0x20 || *p == 0x7F || strchr("~^:?*[\\", *p))
			return false;
	for (const char *p = ref;; p += strcspn(p, "/") + 1) {
		size_t part = strcspn(p, "/");
		if (!component_is_safe(p, part))
			return false;
		if (!p[part])
			return true;
	}
}

void git_listing_clear(git_listing *l)
{
	g_clear_pointer(&l->ref, g_free);
	g_clear_pointer(&l->full_ref, g_free);
}

/* Reads one line; returns false at the end. Terminates both fields in place. */
static bool next_line(char **text, const char **ret_left, const char **ret_right)
{
	char *line = *text;
	if (!*line)
		return false;
	char *end = strchrnul(line, '\n');
	*text = *end ? end + 1 : end;
	*end = '\0';
	char *tab = strchr(line, '\t');
	*ret_right = tab ? tab + 1 : "";
	if (tab)
		*tab = '\0';
	*ret_left = line;
	return true;
}

static bool take(char sha[GIT_SHA_SIZE], const char *text)
{
	if (!git_is_commit(text))
		return false;
	memcpy(sha, text, strlen(text) + 1);
	return true;
}

/* Returns the default branch from "ref: refs/heads/main\tHEAD" and "<sha>\tHEAD". */
static bool default_branch(git_listing *l, char *text)
{
	const char *left, *right;
	while (next_line(&text, &left, &right)) {
		if (strcmp(right, "HEAD") != 0)
			continue;
		if (!l->ref && g_str_has_prefix(left, "ref: " HEADS) && git_ref_is_safe(left + strlen("ref: ")))
			l->ref = g_strdup(left + strlen("ref: " HEADS));
		else
			take(l->sha, left);
	}
	if (!l->ref || !git_ref_is_safe(l->ref) || !*l->sha)
		return false;
	l->full_ref = g_strconcat(HEADS, l->ref, NULL);
	return true;
}

static char *under(const char *prefix, const char *ref)
{
	return g_strconcat(prefix, g_str_has_prefix(ref, prefix) ? ref + strlen(prefix) : ref, NULL);
}

bool git_listing_parse(git_listing *l, const char *output, size_t n)
{
	g_autofree char *copy = g_strndup(output, n);
	char *text = copy;
	if (!l->ref)
		return default_branch(l, text);
	g_autofree char *exact = under("refs/", l->ref), *head = under(HEADS, l->ref), *tag = under(TAGS, l->ref);
	g_autofree char *peeled = g_strconcat(tag, "^{}", NULL);
	char head_sha[GIT_SHA_SIZE] = "", tag_sha[GIT_SHA_SIZE] = "", commit[GIT_SHA_SIZE] = "", sha[GIT_SHA_SIZE] = "";
	const char *left, *right;
	while (next_line(&text, &left, &right)) {
		if (strcmp(right, head) == 0)
			take(head_sha, left);
		else if (strcmp(right, tag) == 0)
			take(tag_sha, left);
		else if (strcmp(right, peeled) == 0)
			take(commit, left);
		else if (strcmp(right, exact) == 0)
			take(sha, left);
	}
	bool is_tag = !*sha && !*head_sha;
	const char *found = *sha ? sha : *head_sha ? head_sha : tag_sha;
	const char *name = *sha ? exact : *head_sha ? head : tag;
	if (!*found)
		return false;
	g_strlcpy(l->sha, found, sizeof l->sha);
	g_strlcpy(l->peeled, is_tag ? commit : "", sizeof l->peeled);
	l->full_ref = g_strdup(name);
	return true;
}

char *git_key(const struct git_shape *shape, const char *sha, const char *full_ref)
{
	GString *key = g_string_new(sha);
	if (shape->keep_git_dir)
		g_string_append_printf(key, ".git%s%s", *full_ref ? "#" : "", full_ref);
	if (*shape->subdir)
		g_string_append_printf(key, ":%s", shape->subdir);
	if (shape->skip_submodules)
		g_string_append(key, "(skip-submodules)");
	if (shape->mtime_commit)
		g_string_append(key, "(mtime=commit)");
	if (shape->checkout_bundle)
		g_string_append(key, "(bundle)");
	return g_string_free(key, FALSE);
}
