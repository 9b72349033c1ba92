/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openssh_key: the private key in the file format of OpenSSH, openssh-key-v1 (PROTOCOL.key of OpenSSH), without a
 * passphrase. The input is the decoded text between the lines "OPENSSH PRIVATE KEY".
 *
 *	EVP_PKEY *key = openssh_key_parse(bytes, n, error);
 *
 * RSA, ECDSA (P-256, P-384, P-521) and Ed25519. The size of the numbers is checked here; ssh_key.h checks that the key
 * is valid. Thread: any.
 */
#pragma once
#include "base/error.h"
#include <openssl/evp.h>
#include <stdint.h>

/* Free with EVP_PKEY_free, which wipes the secret. Errors: INVALID_ARGUMENT with BuildKit's texts. */
EVP_PKEY *openssh_key_parse(const uint8_t *bytes, size_t n, GError **error);
