/* SPDX-License-Identifier: Apache-2.0 */
/* version: the versions reported by the programs and the Info call. Set by the build (meson.build). Thread: constants. */
#pragma once
#include "base/revision.h"

#define BUILDKIT_PACKAGE "github.com/moby/buildkit"
/*
 * Clients enable features by the daemon's version, so it is the newest supported release of BuildKit; this project's
 * version is added as build metadata, which comparisons ignore (semver.org, section 10).
 */
#define BUILDKIT_VERSION "v0.32.2+buildkit-c." PROJECT_VERSION
#define BUILDKIT_REVISION PROJECT_REVISION
#define DOCKERFILE_VERSION "1.26.0" /* version of the supported Dockerfile frontend, by the same rule */
