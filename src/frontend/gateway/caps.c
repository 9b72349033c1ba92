/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/gateway/caps.h"
#include <stddef.h>

const char *const gateway_caps[] = {
	"frontend.caps",
	"frontend.inputs",
	"gateway.evaluate",
	"gateway.exec",
	"gateway.exec.extrahosts",
	"gateway.exec.filesystem",
	"gateway.exec.secretenv",
	"gateway.exec.signals",
	"gateway.solve.evaluate",
	"gateway.solve.metadata",
	"gateway.warnings",
	"importcaches",
	"proto.refarray",
	"readdir",
	"readfile",
	"reference.attestations",
	"reference.output",
	"resolveimage",
	"resolveimage.resolvemode",
	"return",
	"returnmap",
	"solve.base",
	"solve.inlinereturn",
	"source.metaresolver",
	"source.metaresolver.http.checksumrequest",
	"source.metaresolver.image.attestations",
	"statfile",
	NULL,
};
