/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libc: what the C library of a self-contained program does without. It is linked statically, and a shared library of the
 * system would bring a second C library of another version with it: glibc would load one for each name service that
 * /etc/nsswitch.conf names besides its own two, OpenSSL one for each provider or engine of its configuration.
 */
#include <dlfcn.h>
#include <nss.h>
#include <stddef.h>

#define ABSENT "a self-contained program loads no shared libraries"

/* Host names: /etc/hosts, then the name servers of /etc/resolv.conf. */
__attribute__((constructor)) static void use_own_name_services(void)
{
	static const char *const services[][2] = {{"hosts", "files dns"},
						  {"passwd", "files"},
						  {"group", "files"},
						  {"services", "files"},
						  {"protocols", "files"}};
	for (size_t i = 0; i < sizeof services / sizeof *services; i++)
		__nss_configure_lookup(services[i][0], services[i][1]);
}

/* The libraries call these; all handle a failure. */

void *dlopen(const char *file, int mode)
{
	return NULL;
}

void *dlsym(void *restrict handle, const char *restrict name)
{
	return NULL;
}

int dlclose(void *handle)
{
	return -1;
}

char *dlerror(void)
{
	return (char *)ABSENT;
}

int dladdr(const void *address, Dl_info *info)
{
	return 0;
}
