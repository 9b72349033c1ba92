/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The caps that upstream declares (solver/pb/caps.go, frontend/gateway/pb/caps.go) and our state of each. A cap is
 * advertised exactly when it works: both lists are compared with these tables in both directions, and a definition that
 * needs any other cap is refused.
 */
#include "frontend/gateway/caps.h"
#include "llb/definition.h"
#include "llb/validate.h"
#include <string.h>

enum state {
	ADVERTISED,
	LATER,       /* upstream advertises it, we do not support it yet */
	UNADVERTISED /* upstream declares it and does not advertise it */
};
struct row {
	const char *id;
	enum state state;
};

static const struct row llb_rows[] = {
	{"cache.azblob", LATER},
	{"cache.gha", LATER},
	{"cache.s3", ADVERTISED},
	{"constraints", ADVERTISED},
	{"diffop", ADVERTISED},
	{"exec.cgroup", ADVERTISED},
	{"exec.meta.base", ADVERTISED},
	{"exec.meta.cdi", ADVERTISED},
	{"exec.meta.cgroup.parent", ADVERTISED},
	{"exec.meta.linux.resources", ADVERTISED},
	{"exec.meta.network", ADVERTISED},
	{"exec.meta.network.proxy", ADVERTISED},
	{"exec.meta.proxyenv", ADVERTISED},
	{"exec.meta.removemountstubs.recursive", UNADVERTISED},
	{"exec.meta.security", ADVERTISED},
	{"exec.meta.security.devices.v1", ADVERTISED},
	{"exec.meta.setsdefaultpath", ADVERTISED},
	{"exec.meta.ulimit", ADVERTISED},
	{"exec.mount.bind", ADVERTISED},
	{"exec.mount.bind.readwrite-nooutput", ADVERTISED},
	{"exec.mount.cache", ADVERTISED},
	{"exec.mount.cache.content", ADVERTISED},
	{"exec.mount.cache.sharing", ADVERTISED},
	{"exec.mount.secret", ADVERTISED},
	{"exec.mount.selector", ADVERTISED},
	{"exec.mount.ssh", ADVERTISED},
	{"exec.mount.tmpfs", ADVERTISED},
	{"exec.mount.tmpfs.size", ADVERTISED},
	{"exec.secretenv", ADVERTISED},
	{"exec.validexitcode", ADVERTISED},
	{"exporter.image.annotations", ADVERTISED},
	{"exporter.image.attestations", ADVERTISED},
	{"exporter.multiple", ADVERTISED},
	{"exporter.session", ADVERTISED},
	{"exporter.sourcedateepoch", ADVERTISED},
	{"file.base", ADVERTISED},
	{"file.copy.alwaysreplaceexistingdestpaths", ADVERTISED},
	{"file.copy.includeexcludepatterns", ADVERTISED},
	{"file.copy.modestring", UNADVERTISED},
	{"file.copy.requiredpaths", ADVERTISED},
	{"file.rm.nofollowsymlink", ADVERTISED},
	{"file.rm.wildcard", ADVERTISED},
	{"file.symlink.create", ADVERTISED},
	{"gc.freespacefilter", ADVERTISED},
	{"history.filter", ADVERTISED},
	{"mergeop", ADVERTISED},
	{"meta.description", ADVERTISED},
	{"meta.exportcache", ADVERTISED},
	{"meta.ignorecache", ADVERTISED},
	{"passthroughop", ADVERTISED},
	{"platform", ADVERTISED},
	{"soruce.http.uidgid", ADVERTISED},
	{"source.buildop.llbfilename", ADVERTISED},
	{"source.git", ADVERTISED},
	{"source.git.bundle", ADVERTISED},
	{"source.git.checkoutbundle", ADVERTISED},
	{"source.git.checksum", ADVERTISED},
	{"source.git.fetchbycommit", ADVERTISED},
	{"source.git.fullurl", ADVERTISED},
	{"source.git.httpauth", ADVERTISED},
	{"source.git.keepgitdir", ADVERTISED},
	{"source.git.knownsshhosts", ADVERTISED},
	{"source.git.mountsshsock", ADVERTISED},
	{"source.git.mtime", ADVERTISED},
	{"source.git.signatureverify", ADVERTISED},
	{"source.git.skipsubmodules", ADVERTISED},
	{"source.git.subdir", ADVERTISED},
	{"source.http", ADVERTISED},
	{"source.http.auth", ADVERTISED},
	{"source.http.checksum", ADVERTISED},
	{"source.http.header", ADVERTISED},
	{"source.http.perm", ADVERTISED},
	{"source.http.signatureverify", ADVERTISED},
	{"source.image", ADVERTISED},
	{"source.image.checksum", ADVERTISED},
	{"source.image.layerlimit", ADVERTISED},
	{"source.image.resolvemode", ADVERTISED},
	{"source.imageblob", ADVERTISED},
	{"source.local", ADVERTISED},
	{"source.local.differ", ADVERTISED},
	{"source.local.excludepatterns", ADVERTISED},
	{"source.local.followpaths", ADVERTISED},
	{"source.local.includepatterns", ADVERTISED},
	{"source.local.metadatatransfer", ADVERTISED},
	{"source.local.sessionid", ADVERTISED},
	{"source.local.sharedkeyhint", ADVERTISED},
	{"source.local.unique", ADVERTISED},
	{"source.ocilayout", ADVERTISED},
	{"source.policy", ADVERTISED},
	{"source.policy.session", ADVERTISED},
};

static const struct row gateway_rows[] = {
	{"frontend.caps", ADVERTISED},
	{"frontend.inputs", ADVERTISED},
	{"gateway.evaluate", ADVERTISED},
	{"gateway.exec", ADVERTISED},
	{"gateway.exec.extrahosts", ADVERTISED},
	{"gateway.exec.filesystem", ADVERTISED},
	{"gateway.exec.secretenv", ADVERTISED},
	{"gateway.exec.signals", ADVERTISED},
	{"gateway.solve.evaluate", ADVERTISED},
	{"gateway.solve.metadata", ADVERTISED},
	{"gateway.warnings", ADVERTISED},
	{"importcaches", ADVERTISED},
	{"proto.refarray", ADVERTISED},
	{"readdir", ADVERTISED},
	{"readfile", ADVERTISED},
	{"reference.attestations", ADVERTISED},
	{"reference.output", ADVERTISED},
	{"resolveimage", ADVERTISED},
	{"resolveimage.resolvemode", ADVERTISED},
	{"return", ADVERTISED},
	{"returnmap", ADVERTISED},
	{"solve.base", ADVERTISED},
	{"solve.inlinereturn", ADVERTISED},
	{"source.metaresolver", ADVERTISED},
	{"source.metaresolver.http.checksumrequest", ADVERTISED},
	{"source.metaresolver.image.attestations", ADVERTISED},
	{"statfile", ADVERTISED},
};

static bool has(const char *const *list, const char *id)
{
	return g_strv_contains(list, id);
}

/* Advertised are exactly the rows that say so, sorted and without repetition. */
static void check(const char *const *advertised, const struct row *rows, size_t n)
{
	GString *wrong = g_string_new(NULL);
	for (size_t i = 0; i < n; i++) {
		bool is_advertised = has(advertised, rows[i].id);
		if (is_advertised != (rows[i].state == ADVERTISED))
			g_string_append_printf(wrong, " %s (%s)", rows[i].id,
					       is_advertised ? "advertised" : "not advertised");
	}
	for (size_t i = 0; advertised[i]; i++) {
		bool is_known = false;
		for (size_t j = 0; j < n && !is_known; j++)
			is_known = g_str_equal(rows[j].id, advertised[i]);
		if (!is_known)
			g_string_append_printf(wrong, " %s (advertised, no row of this test)", advertised[i]);
	}
	g_autofree char *text = g_string_free(wrong, FALSE);
	g_assert_cmpstr(text, ==, "");
	for (size_t i = 1; advertised[i]; i++)
		g_assert_cmpstr(advertised[i - 1], <, advertised[i]);
}

static void test_llb(void)
{
	check(llb_caps(), llb_rows, G_N_ELEMENTS(llb_rows));
}

static void test_gateway(void)
{
	check(gateway_caps, gateway_rows, G_N_ELEMENTS(gateway_rows));
}

static bool is_accepted(const char *id, GError **error)
{
	Pb__OpMetadata metadata = PB__OP_METADATA__INIT;
	Pb__OpMetadata__CapsEntry entry = PB__OP_METADATA__CAPS_ENTRY__INIT, *entries[] = {&entry};
	entry.key = (char *)id;
	entry.value = true;
	metadata.caps = entries;
	metadata.n_caps = 1;
	return llb_caps_check(&metadata, llb_caps(), error);
}

/* A definition may need an advertised cap and no other one. */
static void test_needed(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(llb_rows); i++) {
		g_autoptr(GError) error = NULL;
		bool accepted = is_accepted(llb_rows[i].id, &error);
		g_assert_true(accepted == (llb_rows[i].state == ADVERTISED));
		if (accepted)
			continue;
		g_assert_cmpint(error->code, ==, ERROR_UNIMPLEMENTED);
		g_assert_true(g_str_has_prefix(error->message, "requested experimental feature "));
	}
	g_autoptr(GError) error = NULL;
	g_assert_false(is_accepted("no.such.cap", &error));
	g_assert_cmpstr(error->message, ==, "unknown API capability no.such.cap");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/caps/llb", test_llb);
	g_test_add_func("/caps/gateway", test_gateway);
	g_test_add_func("/caps/needed", test_needed);
	return g_test_run();
}
