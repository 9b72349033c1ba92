/* SPDX-License-Identifier: Apache-2.0 */
/* version: what the programs and the Info call say of themselves. Set by the build (meson.build). */
#pragma once
#include "base/revision.h"

#define BUILDKIT_PACKAGE "github.com/moby/buildkit"
#define BUILDKIT_VERSION PROJECT_VERSION
#define BUILDKIT_REVISION PROJECT_REVISION
#define DOCKERFILE_VERSION "1.19.0"
