/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buildkit-runc: runs a step from its plan. It has two entry points: serve (for the daemon) and the OCI runtime
 * commands.
 */
#include "base/version.h"
#include "command.h"
#include "self.h"
#include "serve.h"
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	if (argc > 1 && (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-v") == 0)) {
		puts("buildkit-runc version " PROJECT_VERSION "\ncommit: " BUILDKIT_REVISION "\nspec: 1.1.0");
		return 0;
	}
	self_protect(argv);
	if (argc > 1 && strcmp(argv[1], "serve") == 0)
		return serve(argc, argv);
	return command_main(argc, argv);
}
