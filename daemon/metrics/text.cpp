// SPDX-License-Identifier: Apache-2.0
// Prometheus text format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats).
//
// Not prometheus-cpp's TextSerializer: it escapes no HELP and lets invalid UTF-8 through, either of which
// costs the whole page, and its streams take six times as long (6 ms for 6,000 series).
#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "metrics/rows.hpp"

namespace allocd::metrics {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

enum class Quotes { as_they_are, escaped };

void append_escaped(std::string& out, std::string_view text, Quotes quotes) {
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\\') {
      out += "\\\\";
    } else if (c == '"' && quotes == Quotes::escaped) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
}

// Stands on a page as it is: printable ASCII that needs no escape.
bool is_plain(char c) {
  return c >= ' ' && c <= '~' && c != '"' && c != '\\';
}

void append_valid(std::string& out, std::string_view text, Quotes quotes) {
  if (std::ranges::all_of(text, is_plain)) {
    out += text;  // nearly always, and a page has tens of thousands of these
  } else {
    append_escaped(out, base::to_valid_utf8(text), quotes);
  }
}

// Most values are whole numbers, which are much faster to write than any other.
bool append_whole(std::string& out, double value) {
  constexpr double kExact = 1e15;  // below it a whole number has no exponent in the other form either
  if (!(std::abs(value) < kExact) || std::trunc(value) != value || std::signbit(value)) return false;
  fmt::format_to(std::back_inserter(out), "{}", static_cast<std::uint64_t>(value));
  return true;
}

void append_value(std::string& out, double value) {
  if (append_whole(out, value)) return;
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
  } else {
    fmt::format_to(std::back_inserter(out), "{}", value);
  }
}

// The braces, written with the first label.
class Labels {
 public:
  explicit Labels(std::string& out) : out_(out) {}
  void add(std::string_view name, std::string_view value) {
    out_ += separator_;
    out_.append(name).append("=\"");
    append_valid(out_, value, Quotes::escaped);
    out_ += '"';
    separator_ = ',';
  }
  void close() {
    if (separator_ == ',') out_ += '}';
  }

 private:
  std::string& out_;
  char separator_ = '{';
};

void append_end(std::string& out, double value) {
  out += ' ';
  append_value(out, value);
  out += '\n';
}

}  // namespace

void append_comments(std::string& out, std::string_view name, std::string_view help, bool is_counter) {
  out.append("# HELP ").append(name) += ' ';
  append_valid(out, help, Quotes::as_they_are);
  out.append("\n# TYPE ").append(name).append(is_counter ? " counter\n" : " gauge\n");
}

void append_sample(std::string& out, std::string_view name, std::initializer_list<Label> common,
                   std::initializer_list<Label> more, double value) {
  out += name;
  Labels labels(out);
  for (const auto& [label, text] : common) labels.add(label, text);
  for (const auto& [label, text] : more) labels.add(label, text);
  labels.close();
  append_end(out, value);
}

std::string render_text(const std::vector<MetricFamily>& families) {
  std::string page;
  for (const MetricFamily& family : families) {
    const bool is_counter = family.type == MetricType::Counter;
    append_comments(page, family.name, family.help, is_counter);
    for (const ClientMetric& metric : family.metric) {
      page += family.name;
      Labels labels(page);
      for (const auto& label : metric.label) labels.add(label.name, label.value);
      labels.close();
      append_end(page, is_counter ? metric.counter.value : metric.gauge.value);
    }
  }
  return page;
}

}  // namespace allocd::metrics
