/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lint: the build checks: a table of rules, the enabled rules, and their findings.
 *
 *	lint_configure(lint, "skip=all;error=true", error);
 *	lint_report(lint, &instruction->comments, LINT_UNDEFINED_VAR, span, "Usage of undefined variable '$%s'", name);
 *	if (!lint_finish(lint, error)) ...           fails if error=true and there are findings
 *
 * Thread: one conversion.
 */
#pragma once
#include "frontend/dockerfile/instruction.h"

/* id, name, slug of its page ("": none), description */
#define LINT_RULES(X)                                                                                                  \
	X(STAGE_NAME_CASING, "StageNameCasing", "stage-name-casing", "Stage names should be lowercase")                \
	X(FROM_AS_CASING, "FromAsCasing", "from-as-casing",                                                            \
	  "The 'as' keyword should match the case of the 'from' keyword")                                              \
	X(NO_EMPTY_CONTINUATION, "NoEmptyContinuation", "no-empty-continuation",                                       \
	  "Empty continuation lines will become errors in a future release")                                           \
	X(CONSISTENT_INSTRUCTION_CASING, "ConsistentInstructionCasing", "consistent-instruction-casing",               \
	  "All commands within the Dockerfile should use the same casing (either upper or lower)")                     \
	X(DUPLICATE_STAGE_NAME, "DuplicateStageName", "duplicate-stage-name", "Stage names should be unique")          \
	X(RESERVED_STAGE_NAME, "ReservedStageName", "reserved-stage-name",                                             \
	  "Reserved words should not be used as stage names")                                                          \
	X(JSON_ARGS_RECOMMENDED, "JSONArgsRecommended", "json-args-recommended",                                       \
	  "JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals")        \
	X(MAINTAINER_DEPRECATED, "MaintainerDeprecated", "maintainer-deprecated",                                      \
	  "The MAINTAINER instruction is deprecated, use a label instead to define an image author")                   \
	X(UNDEFINED_ARG_IN_FROM, "UndefinedArgInFrom", "undefined-arg-in-from", "FROM command must use declared ARGs") \
	X(WORKDIR_RELATIVE_PATH, "WorkdirRelativePath", "workdir-relative-path",                                       \
	  "Relative workdir without an absolute workdir declared within the build can have unexpected results if the " \
	  "base image changes")                                                                                        \
	X(UNDEFINED_VAR, "UndefinedVar", "undefined-var", "Variables should be defined before their use")              \
	X(MULTIPLE_INSTRUCTIONS_DISALLOWED, "MultipleInstructionsDisallowed", "multiple-instructions-disallowed",      \
	  "Multiple instructions of the same type should not be used in the same stage")                               \
	X(LEGACY_KEY_VALUE_FORMAT, "LegacyKeyValueFormat", "legacy-key-value-format",                                  \
	  "Legacy key/value format with whitespace separator should not be used")                                      \
	X(INVALID_BASE_IMAGE_PLATFORM, "InvalidBaseImagePlatform", "",                                                 \
	  "Base image platform does not match expected target platform")                                               \
	X(REDUNDANT_TARGET_PLATFORM, "RedundantTargetPlatform", "redundant-target-platform",                           \
	  "Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior")       \
	X(SECRETS_USED_IN_ARG_OR_ENV, "SecretsUsedInArgOrEnv", "secrets-used-in-arg-or-env",                           \
	  "Sensitive data should not be used in the ARG or ENV commands")                                              \
	X(INVALID_DEFAULT_ARG_IN_FROM, "InvalidDefaultArgInFrom", "invalid-default-arg-in-from",                       \
	  "Default value for global ARG results in an empty or invalid base image name")                               \
	X(FROM_PLATFORM_FLAG_CONST_DISALLOWED, "FromPlatformFlagConstDisallowed",                                      \
	  "from-platform-flag-const-disallowed", "FROM --platform flag should not use a constant value")               \
	X(COPY_IGNORED_FILE, "CopyIgnoredFile", "copy-ignored-file",                                                   \
	  "Attempting to Copy file that is excluded by .dockerignore")                                                 \
	X(INVALID_DEFINITION_DESCRIPTION, "InvalidDefinitionDescription", "invalid-definition-description",            \
	  "Comment for build stage or argument should follow the format: `# <arg/stage name> <description>`. If this " \
	  "is "                                                                                                        \
	  "not intended to be a description comment, add an empty line or comment between the instruction and the "    \
	  "comment.")                                                                                                  \
	X(EXPOSE_PROTO_CASING, "ExposeProtoCasing", "expose-proto-casing",                                             \
	  "Protocol in EXPOSE instruction should be lowercase")                                                        \
	X(EXPOSE_INVALID_FORMAT, "ExposeInvalidFormat", "expose-invalid-format",                                       \
	  "IP address and host-port mapping should not be used in EXPOSE instruction. This will become an error in a " \
	  "future release")

enum lint_rule {
#define LINT_ID(id, name, slug, description) LINT_##id,
	LINT_RULES(LINT_ID)
#undef LINT_ID
		LINT_COUNT
};
const char *lint_rule_name(enum lint_rule rule);
const char *lint_rule_description(enum lint_rule rule);
char *lint_rule_url(enum lint_rule rule); /* heap; "" if the rule has no page */

struct lint_finding {
	enum lint_rule rule;
	struct span span;
	const char *message;
};
typedef void (*lint_sink)(void *user, const struct lint_finding *finding);

struct lint {
	arena *a;
	lint_sink sink; /* NULL: checks are disabled */
	void *user;
	bool skip_all, experimental_all, as_error;
	struct vec skip, experimental; /* names of rules */
	struct vec found;              /* names of rules with findings, without duplicates */
};

bool lint_configure(struct lint *l, const char *options, GError **error);
/* comments: those above the instruction, where "check=..." changes the enabled rules; NULL: none. */
void lint_report(struct lint *l, const struct vec *comments, enum lint_rule rule, struct span span, const char *format,
		 ...) G_GNUC_PRINTF(5, 6);
bool lint_finish(const struct lint *l, GError **error);
