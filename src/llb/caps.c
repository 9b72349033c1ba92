/* SPDX-License-Identifier: Apache-2.0 */
/* The LLB capabilities in upstream's order, and whether they are supported here. */
#include "llb/validate.h"
#include <string.h>

enum cap_state {
	WORKS,
	LATER,       /* known to clients but not supported yet: not advertised, refused at load */
	UNADVERTISED /* declared by upstream but not advertised */
};

static const struct cap_row {
	const char *id;
	enum cap_state state;
} cap_rows[] = {
	/* sorted by id */
	{"cache.azblob", LATER},
	{"cache.gha", LATER},
	{"cache.s3", WORKS},
	{"constraints", WORKS},
	{"diffop", WORKS},
	{"exec.cgroup", WORKS},
	{"exec.meta.base", WORKS},
	{"exec.meta.cdi", WORKS},
	{"exec.meta.cgroup.parent", WORKS},
	{"exec.meta.linux.resources", WORKS},
	{"exec.meta.network", WORKS},
	{"exec.meta.network.proxy", WORKS},
	{"exec.meta.proxyenv", WORKS},
	{"exec.meta.removemountstubs.recursive", UNADVERTISED},
	{"exec.meta.security", WORKS},
	{"exec.meta.security.devices.v1", WORKS},
	{"exec.meta.setsdefaultpath", WORKS},
	{"exec.meta.ulimit", WORKS},
	{"exec.mount.bind", WORKS},
	{"exec.mount.bind.readwrite-nooutput", WORKS},
	{"exec.mount.cache", WORKS},
	{"exec.mount.cache.content", WORKS},
	{"exec.mount.cache.sharing", WORKS},
	{"exec.mount.secret", WORKS},
	{"exec.mount.selector", WORKS},
	{"exec.mount.ssh", WORKS},
	{"exec.mount.tmpfs", WORKS},
	{"exec.mount.tmpfs.size", WORKS},
	{"exec.secretenv", WORKS},
	{"exec.validexitcode", WORKS},
	{"exporter.image.annotations", WORKS},
	{"exporter.image.attestations", WORKS},
	{"exporter.multiple", WORKS},
	{"exporter.session", WORKS},
	{"exporter.sourcedateepoch", WORKS},
	{"file.base", WORKS},
	{"file.copy.alwaysreplaceexistingdestpaths", WORKS},
	{"file.copy.includeexcludepatterns", WORKS},
	{"file.copy.modestring", UNADVERTISED},
	{"file.copy.requiredpaths", WORKS},
	{"file.rm.nofollowsymlink", WORKS},
	{"file.rm.wildcard", WORKS},
	{"file.symlink.create", WORKS},
	{"gc.freespacefilter", WORKS},
	{"history.filter", WORKS},
	{"mergeop", WORKS},
	{"meta.description", WORKS},
	{"meta.exportcache", WORKS},
	{"meta.ignorecache", WORKS},
	{"passthroughop", WORKS},
	{"platform", WORKS},
	{"soruce.http.uidgid", WORKS}, /* misspelt by upstream */
	{"source.buildop.llbfilename", WORKS},
	{"source.git", WORKS},
	{"source.git.bundle", WORKS},
	{"source.git.checkoutbundle", WORKS},
	{"source.git.checksum", WORKS},
	{"source.git.fetchbycommit", WORKS},
	{"source.git.fullurl", WORKS},
	{"source.git.httpauth", WORKS},
	{"source.git.keepgitdir", WORKS},
	{"source.git.knownsshhosts", WORKS},
	{"source.git.mountsshsock", WORKS},
	{"source.git.mtime", WORKS},
	{"source.git.signatureverify", WORKS},
	{"source.git.skipsubmodules", WORKS},
	{"source.git.subdir", WORKS},
	{"source.http", WORKS},
	{"source.http.auth", WORKS},
	{"source.http.checksum", WORKS},
	{"source.http.header", WORKS},
	{"source.http.perm", WORKS},
	{"source.http.signatureverify", WORKS},
	{"source.image", WORKS},
	{"source.image.checksum", WORKS},
	{"source.image.layerlimit", WORKS},
	{"source.image.resolvemode", WORKS},
	{"source.imageblob", WORKS},
	{"source.local", WORKS},
	{"source.local.differ", WORKS},
	{"source.local.excludepatterns", WORKS},
	{"source.local.followpaths", WORKS},
	{"source.local.includepatterns", WORKS},
	{"source.local.metadatatransfer", WORKS},
	{"source.local.sessionid", WORKS},
	{"source.local.sharedkeyhint", WORKS},
	{"source.local.unique", WORKS},
	{"source.ocilayout", WORKS},
	{"source.policy", WORKS},
	{"source.policy.session", WORKS},
};

const char *const *llb_caps(void)
{
	static const char *working[G_N_ELEMENTS(cap_rows) + 1];
	static gsize once;
	if (g_once_init_enter(&once)) {
		size_t n = 0;
		for (size_t i = 0; i < G_N_ELEMENTS(cap_rows); i++)
			if (cap_rows[i].state == WORKS)
				working[n++] = cap_rows[i].id;
		g_once_init_leave(&once, 1);
	}
	return working;
}

static int row_compare(const void *key, const void *row)
{
	return strcmp(key, ((const struct cap_row *)row)->id);
}

static bool cap_check(const char *id, const char *const *supported, GError **error)
{
	if (g_strv_contains(supported, id))
		return true;
	if (!bsearch(id, cap_rows, G_N_ELEMENTS(cap_rows), sizeof *cap_rows, row_compare))
		return error_set(error, ERROR_UNIMPLEMENTED, "unknown API capability %s", id);
	if (strcmp(id, "file.base") == 0)
		return error_set(error, ERROR_UNIMPLEMENTED,
				 "requested prerelease feature %s  is not supported by build server"
				 " (added in BuildKit v0.5.0), please update buildkit",
				 id);
	return error_set(error, ERROR_UNIMPLEMENTED,
			 "requested experimental feature %s  is not supported by build server, please update buildkit",
			 id);
}

bool llb_caps_check(const Pb__OpMetadata *metadata, const char *const *supported, GError **error)
{
	for (size_t i = 0; metadata && i < metadata->n_caps; i++)
		if (!cap_check(metadata->caps[i]->key, supported, error))
			return false;
	return true;
}
