/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signature_ssh: reads SSH signatures and public keys.
 *
 *	g_auto(signature_ssh) s = {0};
 *	if (!signature_ssh_read(text, n, &s, error) || !signature_ssh_key_read(authorized_key, &line, &key, error)) ...
 *
 * All input is untrusted. Pure. Thread: any.
 */
#pragma once
#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

typedef struct signature_ssh {
	uint32_t version;
	GBytes *key;            /* owned: the public key that signed */
	char *namespace, *hash; /* owned */
} signature_ssh;
bool signature_ssh_read(const char *text, size_t n, struct signature_ssh *ret, GError **error);
void signature_ssh_clear(struct signature_ssh *s);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(signature_ssh, signature_ssh_clear)

/* Reads the first key of a text: its type and base64 ("ssh-ed25519 AAAA..."), and its bytes. */
bool signature_ssh_key_read(const char *text, char **ret_line, GBytes **ret_key, GError **error);
