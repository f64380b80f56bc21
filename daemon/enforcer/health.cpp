// SPDX-License-Identifier: Apache-2.0
#include "enforcer/health.hpp"

#include <curl/curl.h>

#include <cstddef>
#include <memory>

namespace allocd::enforcer {

namespace {

std::size_t discard(const char* /*data*/, std::size_t size, std::size_t count, void* /*unused*/) {
  return size * count;
}

struct Cleanup {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};

}  // namespace

bool is_healthy(const std::string& url, std::chrono::milliseconds limit) {
  const std::unique_ptr<CURL, Cleanup> handle(curl_easy_init());
  if (!handle) return false;
  CURL* const curl = handle.get();
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
#if LIBCURL_VERSION_NUM >= CURL_VERSION_BITS(7, 85, 0)
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
#else
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS, static_cast<long>(CURLPROTO_HTTP));
#endif
  curl_easy_setopt(curl, CURLOPT_PROXY, "");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(limit.count()));
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &discard);
  if (curl_easy_perform(curl) != CURLE_OK) return false;
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  return status >= 200 && status < 300;
}

}  // namespace allocd::enforcer
