/* SPDX-License-Identifier: Apache-2.0 */
/* An armored SSH signature, and a public key. */
#include "source/signature_ssh.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	g_auto(signature_ssh) s = {0};
	g_autofree char *text = g_strndup((const char *)bytes, n), *line = NULL;
	g_autoptr(GBytes) key = NULL;
	signature_ssh_read((const char *)bytes, n, &s, NULL);
	signature_ssh_key_read(text, &line, &key, NULL);
	return 0;
}
