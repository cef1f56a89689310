/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AOSA_VERSION_H
#define AOSA_VERSION_H

/** Semantic version of the interface; before 1.0 the minor number is part of the soname. */
#define AOSA_VERSION_MAJOR 0
#define AOSA_VERSION_MINOR 1
#define AOSA_VERSION_PATCH 0

#endif
