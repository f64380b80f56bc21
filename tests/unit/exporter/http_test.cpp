// SPDX-License-Identifier: Apache-2.0
#include "exporter/http.hpp"

#include <zlib.h>

#include "support/catch.hpp"

using namespace allocd::exporter;
using std::chrono::milliseconds;

namespace {

std::string gunzip(std::string text) {
  z_stream stream{};
  constexpr int kGzipOnly = 16 + MAX_WBITS;
  REQUIRE(inflateInit2(&stream, kGzipOnly) == Z_OK);
  std::string out(std::size_t{4} << 20U, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(text.data());
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int result = inflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  REQUIRE(result == Z_STREAM_END);
  return out;
}

}  // namespace

TEST_CASE("a request head is whole at its empty line and not before") {
  const std::string request = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
  for (std::size_t length = 0; length < request.size(); ++length) {
    CHECK(inspect_head(std::string_view(request).substr(0, length)) == Head::incomplete);
  }
  CHECK(inspect_head(request) == Head::complete);
  CHECK(inspect_head("\r\n" + request) == Head::complete);
  CHECK(inspect_head(request + "body") == Head::complete);
  CHECK(inspect_head("GET / HTTP/1.0\n\n") == Head::complete);
}

TEST_CASE("what cannot become HTTP is seen at its first byte") {
  CHECK(inspect_head("\x16\x03\x01") == Head::malformed);  // a TLS hello
  CHECK(inspect_head(std::string_view("\0", 1)) == Head::malformed);
  CHECK(inspect_head("{\"a\":1}") == Head::malformed);
  CHECK(inspect_head("\n\n") == Head::malformed);
  CHECK(inspect_head("\r\n\r\n\xFF") == Head::malformed);
}

TEST_CASE("a head without end is given up at its limit") {
  const std::string start = "GET / HTTP/1.1\r\nA: ";
  CHECK(inspect_head(start + std::string(kMaxHead - start.size() - 1, 'a')) == Head::incomplete);
  CHECK(inspect_head(start + std::string(kMaxHead - start.size(), 'a')) == Head::too_long);
  std::string empty_lines;
  while (empty_lines.size() < kMaxHead) empty_lines += "\r\n";
  CHECK(inspect_head(empty_lines) == Head::too_long);
  CHECK(inspect_head(empty_lines.substr(0, kMaxHead - 1)) == Head::incomplete);
  CHECK(inspect_head(empty_lines.substr(start.size() + start.size() % 2) + start + "a") == Head::too_long);
}

TEST_CASE("gzip is sent to who takes it") {
  for (const char* const yes : {"gzip", "GZip", "deflate, gzip", "gzip;q=0.5", "gzip ; q=1.0", "*",
                                "identity, *;q=0.1", "x-gzip", "*;q=0, gzip"}) {
    CAPTURE(yes);
    CHECK(accepts_gzip(yes));
  }
  for (const char* const no : {"", "identity", "gzip;q=0", "gzip;q=0.000", "*, gzip;q=0", "br", "gzipped",
                               "*;q=0", "gzip;q=", "gzip;q=x", ",,;"}) {
    CAPTURE(no);
    CHECK_FALSE(accepts_gzip(no));
  }
}

TEST_CASE("what is compressed comes back, small, empty and larger than a piece") {
  CHECK(gunzip(compress_gzip("")).empty());
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "allocd_unit_up{unit=\"" + std::to_string(i * 7919) + "\"} 1\n";
  const std::string compressed = compress_gzip(text);
  CHECK(compressed.size() < text.size() / 4);
  CHECK(gunzip(compressed) == text);
}

TEST_CASE("the patience for a snapshot leaves time to answer within the scrape timeout") {
  CHECK(decide_patience("") == kDefaultPatience);
  CHECK(decide_patience("10") == kMaxPatience);
  CHECK(decide_patience("1e300") == kDefaultPatience);
  CHECK(decide_patience("2.5") == milliseconds(2000));
  CHECK(decide_patience(" 0.4 ") == milliseconds(200));
  CHECK(decide_patience("0.0001") == milliseconds(1));
  for (const char* const nonsense : {"0", "-1", "abc", "1s", "nan", "inf", "0x10"}) {
    CAPTURE(nonsense);
    CHECK(decide_patience(nonsense) == kDefaultPatience);
  }
}

TEST_CASE("the landing page shows what it is given as text") {
  const std::string page = render_landing_page("1.2<b>", "/m\"&");
  CHECK(page.find("1.2&lt;b&gt;") != std::string::npos);
  CHECK(page.find("href=\"/m&quot;&amp;\"") != std::string::npos);
  CHECK(page.find("<b>") == std::string::npos);
}
