/* SPDX-License-Identifier: Apache-2.0 */
/* version: what the programs and the Info call say of themselves. Set by the build (meson.build). */
#pragma once
#include "base/revision.h"

#define BUILDKIT_PACKAGE "github.com/moby/buildkit"
/*
 * Clients decide by the version what they ask for, so that it is the newest release of BuildKit whose clients are served;
 * this project's version is the build metadata of it, which comparisons ignore (semver.org, section 10).
 */
#define BUILDKIT_VERSION "v0.32.2+buildkit-c." PROJECT_VERSION
#define BUILDKIT_REVISION PROJECT_REVISION
#define DOCKERFILE_VERSION "1.26.0" /* the Dockerfile frontend's, by the same rule */
