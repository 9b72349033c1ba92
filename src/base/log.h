/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log: writes lines to stderr in BuildKit's formats (logrus text and json).
 *
 *	log_info("running server on %s", path);
 *	log_warn("...");
 *
 * Untrusted text is escaped and cut at LIMIT_LOG_LINE_BYTES. Only request handlers and main programs log, one line per
 * failure; libraries return errors.
 * Thread: any.
 */
#pragma once
#include <stdbool.h>
#include <glib.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG, LOG_LEVEL_TRACE };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

void log_setup(enum log_level level, enum log_format format);
bool log_is_enabled(enum log_level level);
void log_write(enum log_level level, const char *format, ...) G_GNUC_PRINTF(2, 3);

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)                                                                                                 \
	do {                                                                                                           \
		if (log_is_enabled(LOG_LEVEL_DEBUG))                                                                   \
			log_write(LOG_LEVEL_DEBUG, __VA_ARGS__);                                                       \
	} while (0)
