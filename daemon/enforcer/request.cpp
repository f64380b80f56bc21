// SPDX-License-Identifier: Apache-2.0
#include "enforcer/request.hpp"

#include <algorithm>
#include <exception>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>

namespace allocd::enforcer {

namespace {

using nlohmann::json;
using policy::PlanItem;

constexpr int kSchemaVersion = 1;
constexpr std::size_t kLongestId = 64;

json from_optional(const std::optional<std::string>& text) {
  return text ? json(*text) : json(nullptr);
}

std::optional<std::string> to_optional(const json& from) {
  if (from.is_null()) return std::nullopt;
  return from.get<std::string>();
}

json to_json(const PlanItem& item) {
  json files = json::array();
  for (const auto& file : item.files)
    files.push_back(
        {{"path", file.path}, {"before", from_optional(file.before)}, {"after", from_optional(file.after)}});
  json environment = json::array();
  for (const auto& [name, value] : item.environment)
    environment.push_back({{"name", name}, {"value", value}});
  return {{"target", item.target},
          {"units", item.units},
          {"service", item.service},
          {"action", policy::kActionNames.name(item.action)},
          {"reason", policy::kPlanReasonNames.name(item.reason)},
          {"sentence", item.sentence},
          {"notes", item.notes},
          {"files", std::move(files)},
          {"environment", std::move(environment)},
          {"owned_paths", item.owned_paths}};
}

template <typename Names>
auto parse_word(const Names& names, const json& from) {
  const auto value = names.parse(from.get<std::string>());
  if (!value) throw std::invalid_argument("unknown word '" + from.get<std::string>() + "'");
  return *value;
}

PlanItem item_from(const json& from) {
  PlanItem item;
  from.at("target").get_to(item.target);
  from.at("units").get_to(item.units);
  from.at("service").get_to(item.service);
  item.action = parse_word(policy::kActionNames, from.at("action"));
  item.reason = parse_word(policy::kPlanReasonNames, from.at("reason"));
  from.at("sentence").get_to(item.sentence);
  from.at("notes").get_to(item.notes);
  for (const auto& file : from.at("files"))
    item.files.push_back(
        {file.at("path").get<std::string>(), to_optional(file.at("before")), to_optional(file.at("after"))});
  for (const auto& one : from.at("environment"))
    item.environment.push_back({one.at("name").get<std::string>(), one.at("value").get<std::string>()});
  from.at("owned_paths").get_to(item.owned_paths);
  return item;
}

json to_json(const Request& request) {
  return {{"id", request.id},
          {"verb", kVerbNames.name(request.verb)},
          {"units", request.units},
          {"retry", request.retry},
          {"force", request.force}};
}

Request request_from(const json& from) {
  Request request;
  from.at("id").get_to(request.id);
  request.verb = parse_word(kVerbNames, from.at("verb"));
  from.at("units").get_to(request.units);
  from.at("retry").get_to(request.retry);
  from.at("force").get_to(request.force);
  return request;
}

// Paths and values may hold any byte; a document is UTF-8.
std::string dump(const json& document) {
  return document.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

Report report_from(const json& whole) {
  Report report;
  report.request = request_from(whole.at("request"));
  for (const auto& item : whole.at("items"))
    report.items.push_back({item_from(item), item.at("error").get<std::string>()});
  whole.at("reloaded").get_to(report.reloaded);
  whole.at("reload_error").get_to(report.reload_error);
  whole.at("restarted").get_to(report.restarted);
  whole.at("pending").get_to(report.pending);
  whole.at("error").get_to(report.error);
  return report;
}

}  // namespace

bool is_request_id(std::string_view id) {
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return !id.empty() && id.size() <= kLongestId && std::ranges::all_of(id, is_hex);
}

std::string render_request(const Request& request) {
  return dump(to_json(request));
}

base::Result<Request> parse_request(std::string_view text) {
  try {
    return request_from(json::parse(text));
  } catch (const std::exception& error) {
    return base::fault("understand", "a request", error.what());
  }
}

std::string render_plan(const policy::Plan& plan) {
  json items = json::array();
  for (const auto& item : plan.items) items.push_back(to_json(item));
  return dump({{"schema_version", kSchemaVersion}, {"items", std::move(items)}});
}

std::string render_report(const Report& report) {
  json items = json::array();
  for (const auto& [item, error] : report.items) {
    items.push_back(to_json(item));
    items.back()["error"] = error;
  }
  return dump({{"schema_version", kSchemaVersion},
               {"request", to_json(report.request)},
               {"items", std::move(items)},
               {"reloaded", report.reloaded},
               {"reload_error", report.reload_error},
               {"restarted", report.restarted},
               {"pending", report.pending},
               {"error", report.error}});
}

base::Result<Report> parse_report(std::string_view text) {
  try {
    return report_from(json::parse(text));
  } catch (const std::exception& error) {
    return base::fault("understand", "the enforcer's report", error.what());
  }
}

}  // namespace allocd::enforcer
