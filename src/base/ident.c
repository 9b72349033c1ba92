/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ident.h"
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/types.h>
#include <glib.h>

#define RANDOM_LEN 17

void random_bytes(void *ret_bytes, size_t n)
{
	unsigned char *at = ret_bytes;
	while (n > 0) {
		ssize_t got = getrandom(at, n, 0);
		if (got < 0) {
			g_assert(errno == EINTR);
			continue;
		}
		at += got;
		n -= (size_t)got;
	}
}

/* Divides the big-endian number by 36 in place and returns the remainder. */
static unsigned divide_by_36(unsigned char *number, size_t n)
{
	unsigned rest = 0;
	for (size_t i = 0; i < n; i++) {
		unsigned value = rest * 256 + number[i];
		number[i] = (unsigned char)(value / 36);
		rest = value % 36;
	}
	return rest;
}

void ident_new(char ret_id[IDENT_SIZE])
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	unsigned char number[RANDOM_LEN];
	random_bytes(number, sizeof number);
	number[0] |= 0x80;
	char text[32]; /* 2^136 has 27 digits in base 36 */
	size_t len = 27;
	for (size_t i = len; i-- > 0;)
		text[i] = digits[divide_by_36(number, sizeof number)];
	/* The first digit is never zero because the top bit is set; upstream removes it. */
	memcpy(ret_id, text + 1, IDENT_SIZE - 1);
	ret_id[IDENT_SIZE - 1] = '\0';
}
