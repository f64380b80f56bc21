// SPDX-License-Identifier: Apache-2.0
#include <clocale>
#include <limits>

#include "metrics/metrics.hpp"
#include "support/catch.hpp"

using namespace allocd;
using prometheus::ClientMetric;
using prometheus::MetricFamily;

namespace {

MetricFamily gauge(double value, std::vector<ClientMetric::Label> labels = {}) {
  MetricFamily family;
  family.name = "m";
  family.help = "h";
  family.type = prometheus::MetricType::Gauge;
  family.metric.resize(1);
  family.metric[0].gauge.value = value;
  family.metric[0].label = std::move(labels);
  return family;
}

std::string sample_of(const MetricFamily& family) {
  const std::string text = metrics::render_text({family});
  const std::size_t at = text.rfind('\n', text.size() - 2);
  return text.substr(at + 1, text.size() - at - 2);
}

}  // namespace

TEST_CASE("a family is its HELP, its TYPE and its samples") {
  MetricFamily family = gauge(1.5, {{"a", "x"}, {"b", "y"}});
  CHECK(metrics::render_text({family}) == "# HELP m h\n# TYPE m gauge\nm{a=\"x\",b=\"y\"} 1.5\n");
  family.type = prometheus::MetricType::Counter;
  family.metric[0].counter.value = 7;
  CHECK(metrics::render_text({family}) == "# HELP m h\n# TYPE m counter\nm{a=\"x\",b=\"y\"} 7\n");
}

TEST_CASE("no byte of a label or of HELP ends its line") {
  MetricFamily family = gauge(1, {{"l", "a\"b\\c\nd"}});
  family.help = "one\ntwo \\ \"three\"";
  CHECK(metrics::render_text({family}) ==
        "# HELP m one\\ntwo \\\\ \"three\"\n# TYPE m gauge\nm{l=\"a\\\"b\\\\c\\nd\"} 1\n");
}

TEST_CASE("bytes that are not UTF-8 are replaced, those that are stay") {
  CHECK(sample_of(gauge(1, {{"l", "\xC3\xA9"}})) == "m{l=\"\xC3\xA9\"} 1");
  CHECK(sample_of(gauge(1, {{"l", "a\xFF\"z"}})) == "m{l=\"a\xEF\xBF\xBD\\\"z\"} 1");
  CHECK(sample_of(gauge(1, {{"l", "\xED\xA0\x80"}})).find('\xED') == std::string::npos);  // a surrogate
}

TEST_CASE("numbers are exact, and as Prometheus spells them") {
  CHECK(sample_of(gauge(0)) == "m 0");
  CHECK(sample_of(gauge(0.1)) == "m 0.1");
  CHECK(sample_of(gauge(1760000000.123)) == "m 1760000000.123");
  CHECK(sample_of(gauge(9007199254740992.0)) == "m 9007199254740992");
  CHECK(sample_of(gauge(std::numeric_limits<double>::quiet_NaN())) == "m NaN");
  CHECK(sample_of(gauge(std::numeric_limits<double>::infinity())) == "m +Inf");
  CHECK(sample_of(gauge(-std::numeric_limits<double>::infinity())) == "m -Inf");
}
