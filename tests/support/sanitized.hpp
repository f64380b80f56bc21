// SPDX-License-Identifier: Apache-2.0
// ALLOCD_SANITIZED: this is built with AddressSanitizer or ThreadSanitizer. g++ says so with a macro, clang
// before 21 with a feature.
#pragma once

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ALLOCD_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define ALLOCD_SANITIZED 1
#endif
#endif
