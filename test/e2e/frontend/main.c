/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend.h"

int main(int argc, char **argv)
{
	static const struct mode *const themes[] = {builds, ends, frames, calls};
	const char *mode = option("mode");
	if (strcmp(argv[0], "sleep") == 0)
		for (;;)
			pause();
	signal(SIGPIPE, SIG_IGN);
	for (size_t theme = 0; theme < LEN(themes); theme++) {
		for (const struct mode *m = themes[theme]; m->name; m++) {
			if (strcmp(m->name, mode ? mode : "wrap") != 0)
				continue;
			if (!m->raw)
				connect_daemon();
			m->run();
			return 0;
		}
	}
	die("unknown mode %s", mode);
}
